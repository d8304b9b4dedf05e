//! Tunnel zones and tunnels: any two peers have one tunnel, and an IP version for it.

use std::collections::BTreeSet;

use super::check::{Errors, the};
use super::{
    BfdTimers, Host, IpFamily, Kind, ObjectRef, OverlayError, Spot, Topology, TopologyError,
    Tunnel, TunnelKind, TunnelZone, UdpChecksum,
};
use crate::types::Name;

impl Topology {
    /// Zones and tunnels.
    pub(super) fn check_tunnels(&self, errors: &mut Errors) {
        for zone in self.tunnel_zones.values() {
            check_names(&the(Kind::TunnelZone, &zone.name), "hosts", &zone.hosts, errors);
            check_ranges(zone, errors);
            self.check_families(zone, errors);
        }
        self.check_overlaps(errors);
        for tunnel in self.tunnels.values() {
            let object = the(Kind::Tunnel, &tunnel.name);
            check_names(&object, "bridges", &tunnel.bridges, errors);
            errors.extend(bad_bfd(&object, tunnel.bfd).map(Into::into));
            for name in &tunnel.bridges {
                if self.bridges.get(name).is_some_and(|bridge| bridge.vni.is_none()) {
                    errors.push(TopologyError::BridgeWithoutVni {
                        object: object.clone(),
                        bridge: the(Kind::Bridge, name),
                    });
                }
            }
            errors.extend(self.unreachable(tunnel).map(Into::into));
        }
    }

    fn hosts_of<'a>(&'a self, zone: &'a TunnelZone) -> impl Iterator<Item = &'a Host> {
        zone.hosts.iter().filter_map(|name| self.hosts.get(name))
    }

    /// Every host of a zone reaches every other one.
    fn check_families(&self, zone: &TunnelZone, errors: &mut Errors) {
        let object = || the(Kind::TunnelZone, &zone.name);
        // The first host with one IP version only: all others need that one.
        let mut first: Option<(&Host, IpFamily)> = None;
        for host in self.hosts_of(zone) {
            let here = || the(Kind::Host, &host.name);
            if host.vtep.is_empty() {
                errors.push(TopologyError::HostWithoutVtep { object: object(), host: here() });
                continue;
            }
            if let Some(family) = zone.family {
                if host.vtep.get(family).is_none() {
                    let (object, other) = (object(), here());
                    let error = OverlayError::HostWithoutFamily { object, family, other };
                    errors.push(error.into());
                }
                continue;
            }
            match first {
                Some((other, family)) if host.vtep.get(family).is_none() => {
                    let error = OverlayError::NoCommonFamily {
                        object: object(),
                        host: here(),
                        other: the(Kind::Host, &other.name),
                    };
                    errors.push(error.into());
                }
                Some(_) => {}
                None => {
                    first = match (host.vtep.v4, host.vtep.v6) {
                        (Some(_), None) => Some((host, IpFamily::V4)),
                        (None, Some(_)) => Some((host, IpFamily::V6)),
                        _ => None,
                    };
                }
            }
        }
    }

    /// Two hosts share at most one zone: there is one tunnel between them.
    fn check_overlaps(&self, errors: &mut Errors) {
        let zones: Vec<(&TunnelZone, BTreeSet<&Name>)> =
            self.tunnel_zones.values().map(|zone| (zone, zone.hosts.iter().collect())).collect();
        for (index, (zone, hosts)) in zones.iter().enumerate() {
            for (earlier, others) in zones.iter().take(index) {
                let mut shared = hosts.intersection(others);
                if let (Some(a), Some(b)) = (shared.next(), shared.next()) {
                    let error = OverlayError::ZonesOverlap {
                        object: the(Kind::TunnelZone, &zone.name),
                        pair: (the(Kind::Host, a), the(Kind::Host, b)),
                        other: the(Kind::TunnelZone, &earlier.name),
                    };
                    errors.push(error.into());
                }
            }
        }
    }

    /// A tunnel that no host of its zone can use.
    fn unreachable(&self, tunnel: &Tunnel) -> Option<OverlayError> {
        let zone = self.tunnel_zones.get(&tunnel.zone)?;
        let family = IpFamily::of(&tunnel.remote);
        let mut hosts = self.hosts_of(zone).filter(|host| !host.vtep.is_empty()).peekable();
        hosts.peek()?;
        hosts.all(|host| host.vtep.get(family).is_none()).then(|| OverlayError::RemoteUnreachable {
            object: the(Kind::Tunnel, &tunnel.name),
            remote: tunnel.remote,
            other: the(Kind::TunnelZone, &zone.name),
        })
    }
}

fn check_names(object: &ObjectRef, field: &'static str, names: &[Name], errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for name in names.iter().filter(|name| !seen.insert(*name)) {
        let (object, spot, value) = (object.clone(), Spot::of(field), name.to_string());
        errors.push(OverlayError::ListedTwice { object, spot, value }.into());
    }
}

/// Numbers that the site file cannot hold, but a program can, and what GRE has no header for.
fn check_ranges(zone: &TunnelZone, errors: &mut Errors) {
    let object = || the(Kind::TunnelZone, &zone.name);
    let mut refuse = |field, value: String, expected| {
        let (object, spot) = (object(), Spot::of(field));
        errors.push(OverlayError::OutOfRange { object, spot, value, expected }.into());
    };
    if !TunnelZone::is_vxlan_port(zone.udp_port) {
        let expected = "1 to 65535, but not 3784 or 4784, which are BFD's; the default is 4789";
        refuse("udpPort", zone.udp_port.to_string(), expected);
    }
    if !zone.dscp.is_in_range() {
        refuse("dscp", format!("{:?}", zone.dscp), "0 to 63, or `copy`");
    }
    errors.extend(bad_bfd(&object(), zone.bfd).map(Into::into));
    if zone.kind == TunnelKind::Gre {
        let has_port = zone.udp_port != TunnelZone::VXLAN_PORT;
        let has_checksum = zone.udp_checksum != UdpChecksum::default();
        for (field, is_set) in [("udpPort", has_port), ("udpChecksum", has_checksum)] {
            if is_set {
                let (object, spot) = (object(), Spot::of(field));
                errors.push(OverlayError::UdpNeedsVxlan { object, spot }.into());
            }
        }
    }
}

fn bad_bfd(object: &ObjectRef, bfd: Option<BfdTimers>) -> Option<OverlayError> {
    let bfd = bfd.filter(|bfd| !bfd.is_in_range())?;
    Some(OverlayError::OutOfRange {
        object: object.clone(),
        spot: Spot::of("bfd"),
        value: format!("{:?} x {}", bfd.interval, bfd.multiplier),
        expected: "an interval of whole milliseconds from 10ms to 60s and a multiplier of 1 to 255",
    })
}
