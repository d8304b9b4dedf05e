//! Every object as a list of fields: the one description that the site file, the differences between
//! two sites, and therefore the CLI are made from.

use std::fmt;

use super::objects::{
    AccessPort, Attachment, Binding, Bridge, GatewayBridge, Lag, ReservedPolicy, StaticMac,
    StormControl, TrunkPort, VlanLink,
};
use super::overlay::{
    BfdTimers, Host, IpFamily, Route, Tunnel, TunnelDscp, TunnelZone, UdpChecksum, UnderlayLink,
};
use super::{Ageing, Kind, ObjectRef, RedundancyMode, Topology, VlanSet};
use crate::compile::{MacLimit, OverLimit, StormLimits};
use crate::types::{Tpid, VlanId};

/// The value of a field, in the vocabulary of YAML. [`fmt::Display`] writes it on one line, as YAML
/// reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing is set.
    Absent,
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// A number that is customary in hexadecimal.
    Hex(u16),
    /// A truth value.
    Bool(bool),
    /// A list.
    List(Vec<Value>),
    /// A mapping.
    Map(Vec<(&'static str, Value)>),
}

impl Value {
    fn text(value: impl fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    fn optional(value: Option<impl fmt::Display>) -> Self {
        value.map_or(Self::Absent, Self::text)
    }
}

/// Whether YAML reads `text` as this very text when it stands without quotes.
fn is_plain(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    // Words that some version of YAML takes for something else.
    let taken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    let is_word = starts && rest && !taken.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_duration = text
        .strip_suffix("ms")
        .or_else(|| text.strip_suffix('s'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    is_word || is_duration
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("null"),
            Self::Text(text) if is_plain(text) => f.write_str(text),
            // The texts of this model hold neither quotes nor control characters.
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Number(number) => write!(f, "{number}"),
            Self::Hex(number) => write!(f, "{number:#06x}"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The key in the site file.
    pub(crate) key: &'static str,
    /// What it holds.
    pub(crate) value: Value,
    /// Whether it names the object, so that two versions of one object never differ in it.
    pub(crate) identity: bool,
    /// Whether leaving it out would mean the same.
    pub(crate) is_default: bool,
}

#[derive(Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn identity(mut self, key: &'static str, value: Value) -> Self {
        let is_default = value == Value::Absent;
        self.0.push(Field { key, value, identity: true, is_default });
        self
    }

    fn plain(mut self, key: &'static str, value: Value) -> Self {
        let is_default = value == Value::Absent;
        self.0.push(Field { key, value, identity: false, is_default });
        self
    }

    fn or_default(mut self, key: &'static str, value: Value, is_default: bool) -> Self {
        self.0.push(Field { key, value, identity: false, is_default });
        self
    }

    fn admin(self, admin: super::AdminState) -> Self {
        self.or_default("admin", Value::text(admin.name()), admin.is_up())
    }

    fn mac_limit(self, limit: Option<MacLimit>) -> Self {
        let over = limit.map_or(OverLimit::Forward, |limit| limit.over);
        let word = match over {
            OverLimit::Forward => "forward",
            OverLimit::Drop => "drop",
        };
        let entries = limit.map_or(Value::Absent, |limit| Value::Number(limit.entries.into()));
        self.plain("macLimit", entries).or_default(
            "macLimitPolicy",
            Value::text(word),
            over == OverLimit::Forward,
        )
    }

    fn binding(self, binding: Option<&Binding>) -> Self {
        self.plain("host", Value::optional(binding.map(|b| &b.host)))
            .plain("interface", Value::optional(binding.map(|b| &b.interface)))
    }

    fn storm(self, storm: StormControl, with_vlans: bool) -> Self {
        let mut entries = limits(storm.port);
        if with_vlans && storm.per_vlan != StormLimits::default() {
            entries.push(("perVlan", Value::Map(limits(storm.per_vlan))));
        }
        let value = if entries.is_empty() { Value::Absent } else { Value::Map(entries) };
        self.plain("stormControl", value)
    }
}

fn limits(limits: StormLimits) -> Vec<(&'static str, Value)> {
    [
        ("broadcast", limits.broadcast),
        ("multicast", limits.multicast),
        ("unknownUnicast", limits.unknown_unicast),
    ]
    .into_iter()
    .filter_map(|(key, rate)| {
        let rate = rate?;
        let map = vec![
            ("framesPerSecond", Value::Number(rate.frames_per_second.into())),
            ("burst", Value::Number(rate.burst.into())),
        ];
        Some((key, Value::Map(map)))
    })
    .collect()
}

fn vid(vid: VlanId) -> Value {
    Value::Number(vid.get().into())
}

fn optional_vid(value: Option<VlanId>) -> Value {
    value.map_or(Value::Absent, vid)
}

fn vid_list(set: &VlanSet) -> Value {
    let range = |(first, last): (VlanId, VlanId)| {
        if first == last { vid(first) } else { Value::Text(format!("{first}-{last}")) }
    };
    Value::List(set.ranges().into_iter().map(range).collect())
}

/// One value as itself, several as a list.
fn one_or_more<T: fmt::Display>(values: impl Iterator<Item = T>) -> Value {
    let mut values: Vec<Value> = values.map(Value::text).collect();
    match values.len() {
        0 => Value::Absent,
        1 => values.remove(0),
        _ => Value::List(values),
    }
}

fn underlay_link(link: &UnderlayLink) -> Value {
    let addresses = link.addresses.iter().map(Value::text).collect();
    let entries = [
        ("interface", Value::text(&link.interface)),
        ("vlan", optional_vid(link.vlan)),
        ("addresses", Value::List(addresses)),
        ("kernel", Value::optional(link.kernel.as_ref())),
    ];
    Value::Map(entries.into_iter().filter(|(_, value)| *value != Value::Absent).collect())
}

fn route(route: &Route) -> Value {
    let via = Value::List(route.via.iter().map(Value::text).collect());
    Value::Map(vec![("to", Value::text(route.to)), ("via", via)])
}

fn host(host: &Host) -> Fields {
    let underlay = Value::List(host.underlay.iter().map(underlay_link).collect());
    let routes = Value::List(host.routes.iter().map(route).collect());
    Fields::default()
        .identity("name", Value::text(&host.name))
        .plain("vtep", one_or_more(host.vtep.addresses()))
        .or_default("underlay", underlay, host.underlay.is_empty())
        .or_default("routes", routes, host.routes.is_empty())
}

fn bridge(bridge: &Bridge) -> Fields {
    let (suppresses, clamps) = (bridge.neighbor_suppression.is_on(), bridge.mss_clamp.is_on());
    Fields::default()
        .identity("name", Value::text(&bridge.name))
        .plain("vni", bridge.vni.map_or(Value::Absent, |vni| Value::Number(vni.get().into())))
        .or_default(
            "ageing",
            Value::Text(format!("{}s", bridge.ageing.as_secs())),
            bridge.ageing == Ageing::default(),
        )
        .mac_limit(bridge.mac_limit)
        .or_default("transparent", Value::Bool(bridge.transparent), !bridge.transparent)
        .or_default("neighborSuppression", Value::Bool(suppresses), !suppresses)
        .or_default("mssClamp", Value::Bool(clamps), !clamps)
        .admin(bridge.admin)
}

fn gateway_bridge(gateway: &GatewayBridge) -> Fields {
    let policy = |(address, policy): (&crate::types::MacAddr, &ReservedPolicy)| {
        let action = Value::text(policy.name());
        Value::Map(vec![("address", Value::text(address)), ("action", action)])
    };
    let reserved: Vec<Value> = gateway.reserved.iter().map(policy).collect();
    let mode = Value::text(gateway.mode.name());
    Fields::default()
        .identity("name", Value::text(&gateway.name))
        .or_default("mode", mode, gateway.mode == RedundancyMode::default())
        .or_default("transit", Value::Bool(gateway.transit), !gateway.transit)
        .admin(gateway.admin)
        .or_default("reserved", Value::List(reserved), gateway.reserved.is_empty())
}

fn lag(lag: &Lag) -> Fields {
    let member = |binding: &Binding| {
        Value::Map(vec![
            ("host", Value::text(&binding.host)),
            ("interface", Value::text(&binding.interface)),
        ])
    };
    Fields::default()
        .identity("name", Value::text(&lag.name))
        .plain("members", Value::List(lag.members.iter().map(member).collect()))
}

fn trunk(trunk: &TrunkPort) -> Fields {
    let lag = match &trunk.attachment {
        Some(Attachment::Lag(lag)) => Value::text(lag),
        Some(Attachment::Interface(_)) | None => Value::Absent,
    };
    Fields::default()
        .identity("name", Value::text(&trunk.name))
        .plain("gatewayBridge", Value::text(&trunk.gateway_bridge))
        .binding(trunk.binding())
        .plain("lag", lag)
        .plain("allowed", trunk.allowed.as_ref().map_or(Value::Absent, vid_list))
        .plain("native", optional_vid(trunk.native))
        .or_default("tpid", Value::Hex(trunk.tpid.ether_type()), trunk.tpid == Tpid::default())
        .admin(trunk.admin)
        .mac_limit(trunk.mac_limit)
        .storm(trunk.storm_control, true)
}

fn vlan_link(link: &VlanLink) -> Fields {
    Fields::default()
        .identity("gatewayBridge", Value::text(&link.key.gateway_bridge))
        .identity("vid", vid(link.key.vid))
        .identity("innerVid", optional_vid(link.key.inner_vid))
        .plain("bridge", Value::text(&link.bridge))
        .or_default("join", Value::Bool(link.join), !link.join)
}

fn access_port(port: &AccessPort) -> Fields {
    Fields::default()
        .identity("name", Value::text(&port.name))
        .plain("bridge", Value::text(&port.bridge))
        .binding(port.binding.as_ref())
        .admin(port.admin)
        .mac_limit(port.mac_limit)
        .storm(port.storm_control, false)
}

fn static_mac(entry: &StaticMac) -> Fields {
    let (outer, inner) = entry.vid.map_or((None, None), |(outer, inner)| (Some(outer), inner));
    Fields::default()
        .identity("bridge", Value::text(&entry.key.bridge))
        .identity("mac", Value::text(entry.key.mac))
        .identity("payloadVid", optional_vid(entry.key.payload_vid))
        .plain("port", Value::text(&entry.port))
        .plain("vid", optional_vid(outer))
        .plain("innerVid", optional_vid(inner))
}

fn names(names: &[crate::types::Name]) -> Value {
    Value::List(names.iter().map(Value::text).collect())
}

fn dscp(dscp: TunnelDscp) -> Value {
    match dscp {
        TunnelDscp::Fixed(dscp) => Value::Number(dscp.into()),
        TunnelDscp::Copy => Value::text("copy"),
    }
}

fn bfd(bfd: Option<BfdTimers>) -> Value {
    let Some(bfd) = bfd else { return Value::text("off") };
    let interval = match bfd.interval.subsec_millis() {
        0 => format!("{}s", bfd.interval.as_secs()),
        _ => format!("{}ms", bfd.interval.as_millis()),
    };
    let multiplier = Value::Number(bfd.multiplier.into());
    Value::Map(vec![("interval", Value::Text(interval)), ("multiplier", multiplier)])
}

fn tunnel_zone(zone: &TunnelZone) -> Fields {
    let checksum = zone.udp_checksum;
    let family = zone.family.map_or("auto", IpFamily::name);
    Fields::default()
        .identity("name", Value::text(&zone.name))
        .plain("kind", Value::text(zone.kind.name()))
        .or_default("hosts", names(&zone.hosts), zone.hosts.is_empty())
        .or_default("ipVersion", Value::text(family), zone.family.is_none())
        .or_default("udpChecksum", Value::text(checksum.name()), checksum == UdpChecksum::default())
        .or_default(
            "udpPort",
            Value::Number(zone.udp_port.into()),
            zone.udp_port == TunnelZone::VXLAN_PORT,
        )
        .or_default("dscp", dscp(zone.dscp), zone.dscp == TunnelDscp::default())
        .or_default("bfd", bfd(zone.bfd), zone.bfd == Some(BfdTimers::default()))
}

fn tunnel(tunnel: &Tunnel) -> Fields {
    Fields::default()
        .identity("name", Value::text(&tunnel.name))
        .plain("zone", Value::text(&tunnel.zone))
        .plain("remote", Value::text(tunnel.remote))
        .or_default("bridges", names(&tunnel.bridges), tunnel.bridges.is_empty())
        .or_default("bfd", bfd(tunnel.bfd), tunnel.bfd.is_none())
}

impl Topology {
    /// Every object with its fields, kind by kind in the order of [`Kind::ALL`].
    pub(crate) fn described(&self) -> Vec<(ObjectRef, Vec<Field>)> {
        fn all<'a, K: fmt::Display + 'a, T: 'a>(
            kind: Kind,
            objects: impl IntoIterator<Item = (&'a K, &'a T)> + 'a,
            fields: fn(&T) -> Fields,
        ) -> impl Iterator<Item = (ObjectRef, Vec<Field>)> + 'a {
            objects
                .into_iter()
                .map(move |(id, object)| (ObjectRef::new(kind, id), fields(object).0))
        }
        all(Kind::Host, &self.hosts, host)
            .chain(all(Kind::Bridge, &self.bridges, bridge))
            .chain(all(Kind::GatewayBridge, &self.gateway_bridges, gateway_bridge))
            .chain(all(Kind::Lag, &self.lags, lag))
            .chain(all(Kind::Trunk, &self.trunks, trunk))
            .chain(all(Kind::VlanLink, &self.vlan_links, vlan_link))
            .chain(all(Kind::AccessPort, &self.access_ports, access_port))
            .chain(all(Kind::StaticMac, &self.static_macs, static_mac))
            .chain(all(Kind::TunnelZone, &self.tunnel_zones, tunnel_zone))
            .chain(all(Kind::Tunnel, &self.tunnels, tunnel))
            .collect()
    }

    /// Every object, kind by kind in the order of [`Kind::ALL`].
    pub fn objects(&self) -> impl Iterator<Item = ObjectRef> + '_ {
        self.described().into_iter().map(|(object, _)| object)
    }
}
