//! Bridges and the objects of the overlay, both ways.
//!
//! What the wire leaves out is at the default of the site file, so that a request can be short; what
//! we send is said in full.

use std::time::Duration;

use bridge_model::compile::{MacLimit, OverLimit};
use bridge_model::topology::{
    AdminState, Ageing, BfdTimers, Bridge, Host, IpFamily, MssClamp, NeighborSuppression, Route,
    Tunnel, TunnelDscp, TunnelKind, TunnelZone, UdpChecksum, UnderlayLink, Vtep,
};
use bridge_model::types::{Name, Vni};

use super::{raw, text};
use crate::failure::BadField;
use crate::field::{bad, ip, name, optional_name, optional_vid};
use crate::v1;

type Read<T> = Result<T, BadField>;

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// Reads every element of a list, each with its own path.
fn each<T>(path: &str, texts: &[String], read: impl Fn(&str, &str) -> Read<T>) -> Read<Vec<T>> {
    let read = |(index, text): (usize, &String)| read(&format!("{path}[{index}]"), text);
    texts.iter().enumerate().map(read).collect()
}

impl From<&Host> for v1::Host {
    fn from(host: &Host) -> Self {
        let link = |link: &UnderlayLink| v1::host::UnderlayLink {
            interface: link.interface.to_string(),
            vlan: link.vlan.map(raw),
            addresses: texts(&link.addresses),
            kernel: text(link.kernel.as_ref()),
        };
        let route =
            |route: &Route| v1::host::Route { to: route.to.to_string(), via: texts(&route.via) };
        Self {
            vtep: texts(host.vtep.addresses()),
            underlay: host.underlay.iter().map(link).collect(),
            routes: host.routes.iter().map(route).collect(),
        }
    }
}

/// The host `id` that a request describes.
pub fn host(path: &str, id: Name, host: &v1::Host) -> Read<Host> {
    let mut vtep = Vtep::default();
    for (index, text) in host.vtep.iter().enumerate() {
        let path = format!("{path}.vtep[{index}]");
        let address = ip(&path, text)?;
        let family = IpFamily::of(&address);
        if vtep.get(family).is_some() {
            let why = format!("{address} is a second {} address", family.name());
            return Err(bad(&path, &why));
        }
        match address {
            std::net::IpAddr::V4(address) => vtep.v4 = Some(address),
            std::net::IpAddr::V6(address) => vtep.v6 = Some(address),
        }
    }
    let links = host.underlay.iter().enumerate();
    let links =
        links.map(|(index, link)| underlay_link(&format!("{path}.underlay[{index}]"), link));
    let routes = host.routes.iter().enumerate();
    let routes = routes.map(|(index, way)| route(&format!("{path}.routes[{index}]"), way));
    Ok(Host {
        name: id,
        vtep,
        underlay: links.collect::<Read<_>>()?,
        routes: routes.collect::<Read<_>>()?,
    })
}

fn underlay_link(path: &str, link: &v1::host::UnderlayLink) -> Read<UnderlayLink> {
    Ok(UnderlayLink {
        interface: name(&format!("{path}.interface"), &link.interface)?,
        vlan: optional_vid(&format!("{path}.vlan"), link.vlan)?,
        addresses: each(&format!("{path}.addresses"), &link.addresses, |path, text| {
            let why = "expected an address with its prefix, such as 192.0.2.1/24";
            text.parse().map_err(|_| bad(path, &format!("{text:?}: {why}")))
        })?,
        kernel: optional_name(&format!("{path}.kernel"), &link.kernel)?,
    })
}

fn route(path: &str, route: &v1::host::Route) -> Read<Route> {
    let bad_prefix = || {
        let why = "expected a prefix without bits behind its length, such as 198.51.100.0/24";
        bad(&format!("{path}.to"), &format!("{:?}: {why}", route.to))
    };
    let read = Route {
        to: route.to.parse().map_err(|_| bad_prefix())?,
        via: each(&format!("{path}.via"), &route.via, ip)?,
    };
    if read.to == read.to.trunc() { Ok(read) } else { Err(bad_prefix()) }
}

impl From<&Bridge> for v1::Bridge {
    fn from(bridge: &Bridge) -> Self {
        let ageing = pbjson_types::Duration { seconds: bridge.ageing.as_secs().into(), nanos: 0 };
        Self {
            vni: bridge.vni.map(Vni::get),
            ageing: Some(ageing),
            mac_limit: bridge.mac_limit.map(Into::into),
            transparent: bridge.transparent,
            admin: super::admin(bridge.admin),
            neighbor_suppression: bridge.neighbor_suppression.is_on(),
            mss_clamp: bridge.mss_clamp.is_on(),
        }
    }
}

/// The bridge `id` that a request describes.
pub fn bridge(path: &str, id: Name, bridge: &v1::Bridge) -> Read<Bridge> {
    let at = |field: &str| format!("{path}.{field}");
    let vni = bridge.vni.map(|raw| Vni::new(raw).map_err(|why| bad(&at("vni"), &why)));
    let ageing = match bridge.ageing {
        None => Ageing::default(),
        Some(ageing) => {
            let seconds = u64::try_from(ageing.seconds).unwrap_or_default();
            if ageing.nanos != 0 {
                return Err(bad(&at("ageing"), &"expected whole seconds"));
            }
            Ageing::from_secs(seconds).map_err(|why| bad(&at("ageing"), &why))?
        }
    };
    let mac_limit = match &bridge.mac_limit {
        None => None,
        Some(limit) if limit.entries == 0 => {
            return Err(bad(&at("mac_limit.entries"), &"expected 1 to 4294967295"));
        }
        Some(limit) => {
            let over = match limit.policy() {
                v1::mac_limit::Policy::Drop => OverLimit::Drop,
                v1::mac_limit::Policy::Forward | v1::mac_limit::Policy::Unspecified => {
                    OverLimit::Forward
                }
            };
            Some(MacLimit { entries: limit.entries, over })
        }
    };
    let neighbor_suppression = if bridge.neighbor_suppression {
        NeighborSuppression::On
    } else {
        NeighborSuppression::Off
    };
    Ok(Bridge {
        name: id,
        vni: vni.transpose()?,
        ageing,
        mac_limit,
        transparent: bridge.transparent,
        neighbor_suppression,
        mss_clamp: if bridge.mss_clamp { MssClamp::On } else { MssClamp::Off },
        admin: match bridge.admin() {
            v1::AdminState::Down => AdminState::Down,
            v1::AdminState::Up | v1::AdminState::Unspecified => AdminState::Up,
        },
    })
}

impl From<BfdTimers> for v1::BfdTimers {
    fn from(timers: BfdTimers) -> Self {
        // Both are small: at most a minute.
        let seconds = i64::try_from(timers.interval.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(timers.interval.subsec_nanos()).unwrap_or_default();
        let interval = Some(pbjson_types::Duration { seconds, nanos });
        Self { interval, multiplier: timers.multiplier.into() }
    }
}

fn bfd(path: &str, timers: Option<&v1::BfdTimers>) -> Read<Option<BfdTimers>> {
    let Some(timers) = timers else { return Ok(None) };
    let default = BfdTimers::default();
    let interval = timers.interval.map_or(Some(default.interval), |interval| {
        let seconds = u64::try_from(interval.seconds).ok()?;
        let nanos = u32::try_from(interval.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    });
    let multiplier = match timers.multiplier {
        0 => Some(default.multiplier),
        raw => u8::try_from(raw).ok(),
    };
    let Some(multiplier) = multiplier else {
        return Err(bad(&format!("{path}.multiplier"), &"expected 1 to 255"));
    };
    let timers = interval.map(|interval| BfdTimers { interval, multiplier });
    timers.filter(BfdTimers::is_in_range).map(Some).ok_or_else(|| {
        bad(&format!("{path}.interval"), &"expected whole milliseconds from 10 ms to 60 s")
    })
}

impl From<&TunnelZone> for v1::TunnelZone {
    fn from(zone: &TunnelZone) -> Self {
        use v1::tunnel_zone::{IpVersion, Kind, UdpChecksum as Checksum};
        let kind = match zone.kind {
            TunnelKind::Vxlan => Kind::Vxlan,
            TunnelKind::Gre => Kind::Gre,
        };
        let ip_version = match zone.family {
            None => IpVersion::Auto,
            Some(IpFamily::V4) => IpVersion::Ipv4,
            Some(IpFamily::V6) => IpVersion::Ipv6,
        };
        let checksum = match zone.udp_checksum {
            UdpChecksum::Auto => Checksum::Auto,
            UdpChecksum::Zero => Checksum::Zero,
            UdpChecksum::Computed => Checksum::Computed,
        };
        let dscp = match zone.dscp {
            TunnelDscp::Fixed(dscp) => dscp.to_string(),
            TunnelDscp::Copy => "copy".to_owned(),
        };
        Self {
            kind: kind.into(),
            hosts: texts(&zone.hosts),
            ip_version: ip_version.into(),
            udp_checksum: checksum.into(),
            udp_port: zone.udp_port.into(),
            dscp,
            bfd: zone.bfd.map(Into::into),
        }
    }
}

/// The tunnel zone `id` that a request describes. `bfd` that is not set means that hosts do not watch
/// each other.
pub fn tunnel_zone(path: &str, id: Name, zone: &v1::TunnelZone) -> Read<TunnelZone> {
    use v1::tunnel_zone::{IpVersion, Kind, UdpChecksum as Checksum};
    let at = |field: &str| format!("{path}.{field}");
    let number = |field: &str, raw: i32| bad(&at(field), &format!("{raw} has no meaning here"));
    let kind = match Kind::try_from(zone.kind) {
        Ok(Kind::Vxlan) => TunnelKind::Vxlan,
        Ok(Kind::Gre) => TunnelKind::Gre,
        Ok(Kind::Unspecified) | Err(_) => return Err(number("kind", zone.kind)),
    };
    let family = match IpVersion::try_from(zone.ip_version) {
        Ok(IpVersion::Unspecified | IpVersion::Auto) => None,
        Ok(IpVersion::Ipv4) => Some(IpFamily::V4),
        Ok(IpVersion::Ipv6) => Some(IpFamily::V6),
        Err(_) => return Err(number("ip_version", zone.ip_version)),
    };
    let udp_checksum = match Checksum::try_from(zone.udp_checksum) {
        Ok(Checksum::Unspecified | Checksum::Auto) => UdpChecksum::Auto,
        Ok(Checksum::Zero) => UdpChecksum::Zero,
        Ok(Checksum::Computed) => UdpChecksum::Computed,
        Err(_) => return Err(number("udp_checksum", zone.udp_checksum)),
    };
    let udp_port = match zone.udp_port {
        0 => Some(TunnelZone::VXLAN_PORT),
        raw => u16::try_from(raw).ok().filter(|port| TunnelZone::is_vxlan_port(*port)),
    };
    let udp_port = udp_port.ok_or_else(|| {
        let why = "expected 1 to 65535, but not 3784 or 4784, which are BFD's";
        bad(&at("udp_port"), &format!("{}: {why}", zone.udp_port))
    })?;
    Ok(TunnelZone {
        name: id,
        kind,
        family,
        hosts: each(&at("hosts"), &zone.hosts, name)?,
        udp_checksum,
        udp_port,
        dscp: dscp(&at("dscp"), &zone.dscp)?,
        bfd: bfd(&at("bfd"), zone.bfd.as_ref())?,
    })
}

fn dscp(path: &str, text: &str) -> Read<TunnelDscp> {
    if text == "copy" {
        return Ok(TunnelDscp::Copy);
    }
    if text.is_empty() {
        return Ok(TunnelDscp::default());
    }
    let dscp = text.parse().ok().map(TunnelDscp::Fixed).filter(|dscp| dscp.is_in_range());
    dscp.ok_or_else(|| bad(path, &format!("{text:?}: expected \"0\" to \"63\", or \"copy\"")))
}

impl From<&Tunnel> for v1::Tunnel {
    fn from(tunnel: &Tunnel) -> Self {
        Self {
            zone: tunnel.zone.to_string(),
            remote: tunnel.remote.to_string(),
            bridges: texts(&tunnel.bridges),
            bfd: tunnel.bfd.map(Into::into),
        }
    }
}

/// The tunnel `id` that a request describes.
pub fn tunnel(path: &str, id: Name, tunnel: &v1::Tunnel) -> Read<Tunnel> {
    let at = |field: &str| format!("{path}.{field}");
    Ok(Tunnel {
        name: id,
        zone: name(&at("zone"), &tunnel.zone)?,
        remote: ip(&at("remote"), &tunnel.remote)?,
        bridges: each(&at("bridges"), &tunnel.bridges, name)?,
        bfd: bfd(&at("bfd"), tunnel.bfd.as_ref())?,
    })
}

#[cfg(test)]
mod tests;
