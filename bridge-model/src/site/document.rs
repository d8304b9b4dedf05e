//! The document: its lists of objects, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::error::{OtherPlace, SiteError};
use super::node::{Node, Place, Value};
use super::object::Object;
use super::overlay;
use super::values::{self, Errors};
use crate::compile::{MacLimit, OverLimit};
use crate::topology::{
    AccessPort, Attachment, Binding, Bridge, GatewayBridge, Kind, Lag, LinkKey, MssClamp,
    NeighborSuppression, ObjectRef, Prune, ReservedPolicy, StaticKey, StaticMac, Topology,
    TopologyError, TrunkPort, VlanLink,
};
use crate::types::{MacAddr, Name};

/// What was read, and where each object stands.
#[derive(Default)]
pub(super) struct Document<'n> {
    pub(super) topology: Topology,
    pub(super) errors: Errors,
    nodes: BTreeMap<ObjectRef, &'n Node>,
    /// Kinds of which an object could not be read: references to them may well be right.
    incomplete: BTreeSet<Kind>,
}

/// What `insert` needs of an object: its identity and the map it belongs to.
type Slot<K, V> = fn(&mut Topology) -> &mut BTreeMap<K, V>;

impl<'n> Document<'n> {
    /// Reads the objects; they may refer to those of `base`, which they are laid over.
    pub(super) fn read(root: &'n Node, base: &Topology) -> Self {
        let mut document = Self::default();
        let entries = match &root.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            other => {
                let message = format!("expected the lists of a site, found {}", other.what());
                let help = "begin with a key such as `bridges:`".to_owned();
                document.errors.push(SiteError::at(&root.place, "value", message, help));
                &[]
            }
        };
        for (place, key, node) in entries {
            if let Some(kind) = Kind::from_collection(key) {
                document.read_list(kind, node);
                continue;
            }
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.collection()).collect();
            let message = format!("a site has no key `{key}`");
            let help = format!("a site has: {}", all.join(", "));
            document.errors.push(SiteError::at(place, "unknown_key", message, help));
        }
        document.check(base);
        document
    }

    fn read_list(&mut self, kind: Kind, node: &'n Node) {
        let items = match &node.value {
            Value::List(items) => items,
            Value::Null => return,
            other => {
                let message =
                    format!("expected a list of {}, found {}", kind.collection(), other.what());
                let help = "write one object per line after '-'".to_owned();
                self.errors.push(SiteError::at(&node.place, "value", message, help));
                self.incomplete.insert(kind);
                return;
            }
        };
        for item in items {
            let read = match kind {
                Kind::Host => self.insert(kind, item, overlay::host, |t| &mut t.hosts),
                Kind::Bridge => self.insert(kind, item, bridge, |t| &mut t.bridges),
                Kind::GatewayBridge => {
                    self.insert(kind, item, gateway_bridge, |t| &mut t.gateway_bridges)
                }
                Kind::Lag => self.insert(kind, item, lag, |t| &mut t.lags),
                Kind::Trunk => self.insert(kind, item, trunk, |t| &mut t.trunks),
                Kind::VlanLink => self.insert(kind, item, vlan_link, |t| &mut t.vlan_links),
                Kind::AccessPort => self.insert(kind, item, access_port, |t| &mut t.access_ports),
                Kind::StaticMac => self.insert(kind, item, static_mac, |t| &mut t.static_macs),
                Kind::TunnelZone => {
                    self.insert(kind, item, overlay::tunnel_zone, |t| &mut t.tunnel_zones)
                }
                Kind::Tunnel => self.insert(kind, item, overlay::tunnel, |t| &mut t.tunnels),
            };
            if read.is_none() {
                self.incomplete.insert(kind);
            }
        }
    }

    /// Reads one object and puts it into the topology, unless another stands there already.
    fn insert<K: Ord + fmt::Display, V>(
        &mut self,
        kind: Kind,
        node: &'n Node,
        read: fn(&mut Object<'_, '_>) -> Option<(K, V)>,
        slot: Slot<K, V>,
    ) -> Option<()> {
        let mut object = Object::open(&mut self.errors, node, kind.noun())?;
        let read = read(&mut object);
        object.close();
        let (key, value) = read?;
        let reference = ObjectRef::new(kind, &key);
        if let Some(other) = self.nodes.get(&reference) {
            let mut error = SiteError::at(
                head(node),
                "duplicate",
                duplicate_message(&reference, other),
                format!("remove one of the two {}", kind.collection()),
            );
            error.other = Some(other_place(other, &reference));
            self.errors.push(error);
            return Some(());
        }
        self.nodes.insert(reference, node);
        slot(&mut self.topology).insert(key, value);
        Some(())
    }

    /// Adds the limits that are not kept, at the places of the objects at fault.
    fn check(&mut self, base: &Topology) {
        let whole = base.merge(&self.topology, Prune::Keep);
        for error in whole.check().err().unwrap_or_default() {
            if let TopologyError::Missing { target, .. } = &error
                && self.incomplete.contains(&target.kind)
            {
                continue;
            }
            let Some(node) = self.nodes.get(error.object()) else { continue };
            let place = place_of(node, &error).unwrap_or_else(|| head(node));
            let mut shown = SiteError::at(place, error.code(), error.to_string(), error.help());
            shown.other =
                error.other().and_then(|other| Some(other_place(self.nodes.get(other)?, other)));
            self.errors.push(shown);
        }
    }
}

fn duplicate_message(reference: &ObjectRef, other: &Node) -> String {
    let bridge = field_text(other, "bridge").filter(|_| reference.kind == Kind::VlanLink);
    match bridge {
        Some(bridge) => format!(
            "{reference}: this VLAN is already linked to bridges/{bridge}; a second link would be \
             a loop"
        ),
        None => format!("{reference} stands here a second time"),
    }
}

/// Where an object begins: its first key.
fn head(node: &Node) -> &Place {
    match &node.value {
        Value::Map(entries) => entries.first().map_or(&node.place, |(place, _, _)| place),
        _ => &node.place,
    }
}

/// The value at fault, as near as the text has it.
fn place_of<'n>(node: &'n Node, error: &TopologyError) -> Option<&'n Place> {
    let (key, value) = entry(node, error.field())?;
    if let (Some((index, key)), Value::List(items)) = (error.item(), &value.value)
        && let Some(item) = items.get(index)
    {
        return Some(entry(item, key).map_or_else(|| head(item), shown));
    }
    Some(shown((key, value)))
}

fn shown<'n>((key, value): (&'n Place, &'n Node)) -> &'n Place {
    // A collection that begins on a later line has no extent of its own.
    if value.place.span.is_empty() { key } else { &value.place }
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<(&'n Place, &'n Node)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(_, found, _)| found == key).map(|(place, _, value)| (place, value))
}

fn field_text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &entry(node, key)?.1.value {
        Value::Scalar(text) => Some(text.as_str()),
        _ => None,
    }
}

fn other_place(node: &Node, reference: &ObjectRef) -> OtherPlace {
    let Place { line, column, span } = head(node).clone();
    OtherPlace { line, column, span, label: format!("{reference} stands here") }
}

fn bridge(o: &mut Object<'_, '_>) -> Option<(Name, Bridge)> {
    let name = o.required("name", values::name);
    let vni = o.optional("vni", values::vni);
    let ageing = o.optional("ageing", values::ageing).unwrap_or_default();
    let mac_limit = mac_limit(o);
    let transparent = o.optional("transparent", values::truth).unwrap_or_default();
    let suppression = o.optional("neighborSuppression", values::truth).unwrap_or_default();
    let clamp = o.optional("mssClamp", values::truth).unwrap_or_default();
    let admin = o.optional("admin", values::admin).unwrap_or_default();
    let name = name?;
    let bridge = Bridge {
        name: name.clone(),
        vni,
        ageing,
        mac_limit,
        transparent,
        neighbor_suppression: if suppression {
            NeighborSuppression::On
        } else {
            NeighborSuppression::Off
        },
        mss_clamp: if clamp { MssClamp::On } else { MssClamp::Off },
        admin,
    };
    Some((name, bridge))
}

fn mac_limit(o: &mut Object<'_, '_>) -> Option<MacLimit> {
    let entries = o.optional("macLimit", values::count);
    let over = o.optional("macLimitPolicy", values::over_limit);
    if let (None, Some(OverLimit::Drop)) = (entries, over) {
        o.refuse("macLimitPolicy", "a policy without a limit has no effect", "add `macLimit`");
    }
    Some(MacLimit { entries: entries?, over: over.unwrap_or_default() })
}

fn gateway_bridge(o: &mut Object<'_, '_>) -> Option<(Name, GatewayBridge)> {
    let name = o.required("name", values::name);
    let mode = o.optional("mode", values::mode).unwrap_or_default();
    let transit = o.optional("transit", values::truth).unwrap_or_default();
    let admin = o.optional("admin", values::admin).unwrap_or_default();
    let reserved = o.optional("reserved", |errors, node| values::list(errors, node, reserved));
    let reserved = reserved.unwrap_or_default().into_iter().collect();
    let name = name?;
    Some((name.clone(), GatewayBridge { name, mode, transit, admin, reserved }))
}

fn reserved(errors: &mut Errors, node: &Node) -> Option<(MacAddr, ReservedPolicy)> {
    let mut o = Object::open(errors, node, "reserved address")?;
    let address = o.required("address", values::mac);
    let action = o.required("action", values::policy);
    o.close();
    Some((address?, action?))
}

fn binding(errors: &mut Errors, node: &Node) -> Option<Binding> {
    let mut o = Object::open(errors, node, "lag member")?;
    let host = o.required("host", values::name);
    let interface = o.required("interface", values::name);
    o.close();
    Some(Binding { host: host?, interface: interface? })
}

fn lag(o: &mut Object<'_, '_>) -> Option<(Name, Lag)> {
    let name = o.required("name", values::name);
    let members = o.required("members", |errors, node| values::list(errors, node, binding));
    let (name, members) = (name?, members.unwrap_or_default());
    Some((name.clone(), Lag { name, members }))
}

/// `host` and `interface`, both or neither.
fn optional_binding(o: &mut Object<'_, '_>) -> Option<Binding> {
    let host = o.optional("host", values::name);
    let interface = o.optional("interface", values::name);
    match (host, interface) {
        (Some(host), Some(interface)) => Some(Binding { host, interface }),
        (Some(_), None) if !o.has("interface") => {
            o.refuse("host", "`host` without `interface` binds nothing", "add `interface`");
            None
        }
        (None, Some(_)) if !o.has("host") => {
            o.refuse("interface", "`interface` without `host` binds nothing", "add `host`");
            None
        }
        _ => None,
    }
}

fn trunk(o: &mut Object<'_, '_>) -> Option<(Name, TrunkPort)> {
    let name = o.required("name", values::name);
    let gateway_bridge = o.required("gatewayBridge", values::name);
    let binding = optional_binding(o);
    let lag = o.optional("lag", values::name);
    if binding.is_some() && lag.is_some() {
        o.refuse("lag", "a trunk is bound to an interface or to a lag", "remove one of the two");
    }
    let attachment = lag.map(Attachment::Lag).or(binding.map(Attachment::Interface));
    let allowed = o.optional("allowed", values::vids);
    let native = o.optional("native", values::vid);
    let tpid = o.optional("tpid", values::tpid).unwrap_or_default();
    let admin = o.optional("admin", values::admin).unwrap_or_default();
    let mac_limit = mac_limit(o);
    let storm_control = o.optional("stormControl", values::storm_on_trunk).unwrap_or_default();
    let (name, gateway_bridge) = (name?, gateway_bridge?);
    let trunk = TrunkPort {
        name: name.clone(),
        gateway_bridge,
        attachment,
        allowed,
        native,
        tpid,
        admin,
        mac_limit,
        storm_control,
    };
    Some((name, trunk))
}

fn vlan_link(o: &mut Object<'_, '_>) -> Option<(LinkKey, VlanLink)> {
    let gateway_bridge = o.required("gatewayBridge", values::name);
    let vid = o.required("vid", values::vid);
    let inner_vid = o.optional("innerVid", values::vid);
    let bridge = o.required("bridge", values::name);
    let join = o.optional("join", values::truth).unwrap_or_default();
    let key = LinkKey { gateway_bridge: gateway_bridge?, vid: vid?, inner_vid };
    Some((key.clone(), VlanLink { key, bridge: bridge?, join }))
}

fn access_port(o: &mut Object<'_, '_>) -> Option<(Name, AccessPort)> {
    let name = o.required("name", values::name);
    let bridge = o.required("bridge", values::name);
    let binding = optional_binding(o);
    let admin = o.optional("admin", values::admin).unwrap_or_default();
    let mac_limit = mac_limit(o);
    let storm_control = o.optional("stormControl", values::storm_on_access).unwrap_or_default();
    let (name, bridge) = (name?, bridge?);
    let port = AccessPort { name: name.clone(), bridge, binding, admin, mac_limit, storm_control };
    Some((name, port))
}

fn static_mac(o: &mut Object<'_, '_>) -> Option<(StaticKey, StaticMac)> {
    let bridge = o.required("bridge", values::name);
    let mac = o.required("mac", values::station);
    let payload_vid = o.optional("payloadVid", values::vid);
    let port = o.required("port", values::name);
    let vid = o.optional("vid", values::vid);
    let inner_vid = o.optional("innerVid", values::vid);
    if inner_vid.is_some() && vid.is_none() {
        o.refuse("innerVid", "`innerVid` without `vid` names no VLAN link", "add `vid`");
    }
    let key = StaticKey { bridge: bridge?, mac: mac?, payload_vid };
    let vid = vid.map(|vid| (vid, inner_vid));
    Some((key.clone(), StaticMac { key, port: port?, vid }))
}
