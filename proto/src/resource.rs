//! Objects of a site, from the model to the wire; those that a request may carry also back.

use bridge_model::compile::{MacLimit, OverLimit, StormLimits, StormRate};
use bridge_model::topology::{
    AccessPort, AdminState, Attachment, Binding, Change, Difference, GatewayBridge, Kind, Lag,
    ObjectRef, RedundancyMode, StaticMac, StormControl, Topology, TrunkPort, VlanLink, VlanSet,
};
use bridge_model::types::VlanId;

use crate::failure::BadField;
use crate::field::bad;
use crate::v1;
use crate::v1::resource::Spec;

mod overlay;

pub use overlay::{bridge, host, tunnel, tunnel_zone};

/// The kind that a request names by number.
pub fn kind(path: &str, raw: i32) -> Result<Kind, BadField> {
    use v1::ResourceKind as R;
    match R::try_from(raw) {
        Ok(R::Host) => Ok(Kind::Host),
        Ok(R::Bridge) => Ok(Kind::Bridge),
        Ok(R::GatewayBridge) => Ok(Kind::GatewayBridge),
        Ok(R::Trunk) => Ok(Kind::Trunk),
        Ok(R::VlanLink) => Ok(Kind::VlanLink),
        Ok(R::AccessPort) => Ok(Kind::AccessPort),
        Ok(R::Lag) => Ok(Kind::Lag),
        Ok(R::StaticMac) => Ok(Kind::StaticMac),
        Ok(R::TunnelZone) => Ok(Kind::TunnelZone),
        Ok(R::Tunnel) => Ok(Kind::Tunnel),
        Ok(R::Unspecified) | Err(_) => Err(bad(path, &format!("{raw} is not a kind of object"))),
    }
}

/// The object that a resource name such as `vlanLinks/gw/10` means, whether it exists or not.
pub fn object(path: &str, text: &str) -> Result<ObjectRef, BadField> {
    let known = text
        .split_once('/')
        .filter(|(_, id)| !id.is_empty())
        .and_then(|(collection, id)| Some(ObjectRef::new(Kind::from_collection(collection)?, id)));
    known.ok_or_else(|| {
        let collections: Vec<_> = Kind::ALL.iter().map(|kind| kind.collection()).collect();
        let why = format!(
            "{text:?} is not a resource name: expected \"<collection>/<name>\", where the collection is one of {}",
            collections.join(", ")
        );
        bad(path, &why)
    })
}

/// Every object of `kind`, in order, as a resource without status.
pub fn resources(topology: &Topology, kind: Kind) -> Vec<v1::Resource> {
    fn all<K: std::fmt::Display, T>(
        kind: Kind,
        objects: &std::collections::BTreeMap<K, T>,
        spec: impl Fn(&T) -> Spec,
    ) -> Vec<v1::Resource> {
        let resource = |(id, object): (&K, &T)| v1::Resource {
            name: ObjectRef::new(kind, id).to_string(),
            spec: Some(spec(object)),
            status: None,
        };
        objects.iter().map(resource).collect()
    }
    match kind {
        Kind::Host => all(kind, &topology.hosts, |x| Spec::Host(x.into())),
        Kind::Bridge => all(kind, &topology.bridges, |x| Spec::Bridge(x.into())),
        Kind::GatewayBridge => {
            all(kind, &topology.gateway_bridges, |x| Spec::GatewayBridge(x.into()))
        }
        Kind::Lag => all(kind, &topology.lags, |x| Spec::Lag(x.into())),
        Kind::Trunk => all(kind, &topology.trunks, |x| Spec::Trunk(x.into())),
        Kind::VlanLink => all(kind, &topology.vlan_links, |x| Spec::VlanLink(x.into())),
        Kind::AccessPort => all(kind, &topology.access_ports, |x| Spec::AccessPort(x.into())),
        Kind::StaticMac => all(kind, &topology.static_macs, |x| Spec::StaticMac(x.into())),
        Kind::TunnelZone => all(kind, &topology.tunnel_zones, |x| Spec::TunnelZone(x.into())),
        Kind::Tunnel => all(kind, &topology.tunnels, |x| Spec::Tunnel(x.into())),
    }
}

fn raw(vid: VlanId) -> u32 {
    vid.get().into()
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// The administrative state, as the number in a message.
pub fn admin(state: AdminState) -> i32 {
    match state {
        AdminState::Up => v1::AdminState::Up.into(),
        AdminState::Down => v1::AdminState::Down.into(),
    }
}

/// VIDs as ranges.
pub fn ranges(set: &VlanSet) -> Vec<v1::VidRange> {
    let range = |(first, last)| v1::VidRange { first: raw(first), last: raw(last) };
    set.ranges().into_iter().map(range).collect()
}

impl From<MacLimit> for v1::MacLimit {
    fn from(limit: MacLimit) -> Self {
        let policy = match limit.over {
            OverLimit::Forward => v1::mac_limit::Policy::Forward,
            OverLimit::Drop => v1::mac_limit::Policy::Drop,
        };
        Self { entries: limit.entries, policy: policy.into() }
    }
}

impl From<&GatewayBridge> for v1::GatewayBridge {
    fn from(gateway: &GatewayBridge) -> Self {
        let mode = match gateway.mode {
            RedundancyMode::Lease => v1::gateway_bridge::Mode::Lease,
            RedundancyMode::StpTransparent => v1::gateway_bridge::Mode::StpTransparent,
            RedundancyMode::Mlag => v1::gateway_bridge::Mode::Mlag,
        };
        let reserved = gateway.reserved.iter().map(|(address, policy)| v1::ReservedPolicy {
            address: address.to_string(),
            action: policy.name().to_owned(),
        });
        Self {
            mode: mode.into(),
            transit: gateway.transit,
            admin: admin(gateway.admin),
            reserved: reserved.collect(),
        }
    }
}

impl From<&TrunkPort> for v1::Trunk {
    fn from(trunk: &TrunkPort) -> Self {
        let lag = match &trunk.attachment {
            Some(Attachment::Lag(lag)) => Some(lag),
            Some(Attachment::Interface(_)) | None => None,
        };
        Self {
            gateway_bridge: trunk.gateway_bridge.to_string(),
            host: text(trunk.binding().map(|binding| &binding.host)),
            interface: text(trunk.binding().map(|binding| &binding.interface)),
            lag: text(lag),
            allowed: trunk.allowed.as_ref().map(ranges).unwrap_or_default(),
            native_vid: trunk.native.map(raw),
            tpid: trunk.tpid.ether_type().into(),
            admin: admin(trunk.admin),
            mac_limit: trunk.mac_limit.map(Into::into),
            storm_control: storm_control(trunk.storm_control),
        }
    }
}

impl From<StormRate> for v1::StormRate {
    fn from(rate: StormRate) -> Self {
        Self { frames_per_second: rate.frames_per_second, burst: rate.burst }
    }
}

fn storm_limits(limits: StormLimits) -> Option<v1::StormControl> {
    (limits != StormLimits::default()).then(|| v1::StormControl {
        broadcast: limits.broadcast.map(Into::into),
        multicast: limits.multicast.map(Into::into),
        unknown_unicast: limits.unknown_unicast.map(Into::into),
        per_vlan: None,
    })
}

fn storm_control(control: StormControl) -> Option<v1::StormControl> {
    let per_vlan = storm_limits(control.per_vlan).map(Box::new);
    match (storm_limits(control.port), per_vlan) {
        (None, None) => None,
        (port, per_vlan) => Some(v1::StormControl { per_vlan, ..port.unwrap_or_default() }),
    }
}

impl From<&VlanLink> for v1::VlanLink {
    fn from(link: &VlanLink) -> Self {
        Self {
            gateway_bridge: link.key.gateway_bridge.to_string(),
            vid: raw(link.key.vid),
            bridge: link.bridge.to_string(),
            join: link.join,
            inner_vid: link.key.inner_vid.map(raw),
        }
    }
}

impl From<&AccessPort> for v1::AccessPort {
    fn from(port: &AccessPort) -> Self {
        Self {
            bridge: port.bridge.to_string(),
            host: text(port.binding.as_ref().map(|binding| &binding.host)),
            interface: text(port.binding.as_ref().map(|binding| &binding.interface)),
            admin: admin(port.admin),
            mac_limit: port.mac_limit.map(Into::into),
            storm_control: storm_control(port.storm_control),
        }
    }
}

impl From<&Lag> for v1::Lag {
    fn from(lag: &Lag) -> Self {
        let member = |binding: &Binding| v1::lag::Member {
            host: binding.host.to_string(),
            interface: binding.interface.to_string(),
        };
        Self { members: lag.members.iter().map(member).collect() }
    }
}

impl From<&StaticMac> for v1::StaticMac {
    fn from(entry: &StaticMac) -> Self {
        Self {
            bridge: entry.key.bridge.to_string(),
            mac: entry.key.mac.to_string(),
            port: entry.port.to_string(),
            vid: entry.vid.map(|(outer, _)| raw(outer)),
            inner_vid: entry.vid.and_then(|(_, inner)| inner).map(raw),
            payload_vid: entry.key.payload_vid.map(raw),
        }
    }
}

impl From<&Difference> for v1::Difference {
    fn from(difference: &Difference) -> Self {
        let kind = match difference.kind {
            Change::Added => v1::difference::Kind::Added,
            Change::Changed => v1::difference::Kind::Changed,
            Change::Removed => v1::difference::Kind::Removed,
        };
        let field = |(field, old, new): &(String, String, String)| v1::FieldDifference {
            field: field.clone(),
            old_value: old.clone(),
            new_value: new.clone(),
        };
        Self {
            kind: kind.into(),
            object: difference.object.to_string(),
            fields: difference.fields.iter().map(field).collect(),
            text: difference.to_string(),
        }
    }
}

/// The static entry that a request describes.
pub fn static_mac(path: &str, entry: &v1::StaticMac) -> Result<StaticMac, BadField> {
    use crate::field::{mac, name, optional_vid, port_name};
    let at = |field: &str| format!("{path}.{field}");
    let outer = optional_vid(&at("vid"), entry.vid)?;
    let inner = optional_vid(&at("inner_vid"), entry.inner_vid)?;
    if inner.is_some() && outer.is_none() {
        return Err(bad(&at("inner_vid"), &"an inner VID needs a `vid`"));
    }
    Ok(StaticMac {
        key: bridge_model::topology::StaticKey {
            bridge: name(&at("bridge"), &entry.bridge)?,
            mac: mac(&at("mac"), &entry.mac)?,
            payload_vid: optional_vid(&at("payload_vid"), entry.payload_vid)?,
        },
        port: port_name(&at("port"), &entry.port)?,
        vid: outer.map(|outer| (outer, inner)),
    })
}

#[cfg(test)]
mod tests;
