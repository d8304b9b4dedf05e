//! The objects of the overlay: hosts with their underlay, tunnel zones, tunnels.
//!
//! What cannot be read of an object takes the whole object away: an underlay without the link that
//! could not be read would only raise errors about routes that are right.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::node::{Node, Value};
use super::object::Object;
use super::values::{self, Errors, Read};
use crate::topology::{
    BfdTimers, Host, IpFamily, Route, Tunnel, TunnelDscp, TunnelKind, TunnelZone, UdpChecksum,
    UnderlayLink, Vtep,
};
use crate::types::Name;

/// A value that may be missing, which means `default`; `None` if it is there and cannot be read.
fn or<T>(
    o: &mut Object<'_, '_>,
    key: &'static str,
    default: T,
    read: impl FnOnce(&mut Errors, &Node) -> Option<T>,
) -> Option<T> {
    let is_there = o.has(key);
    let value = o.optional(key, read);
    if is_there { value } else { Some(default) }
}

pub(super) fn host(o: &mut Object<'_, '_>) -> Option<(Name, Host)> {
    let name = o.required("name", values::name);
    let vtep = or(o, "vtep", Vtep::default(), vtep);
    let underlay =
        or(o, "underlay", Vec::new(), |errors, node| values::list(errors, node, underlay_link));
    let routes = or(o, "routes", Vec::new(), |errors, node| values::list(errors, node, route));
    let name = name?;
    Some((name.clone(), Host { name, vtep: vtep?, underlay: underlay?, routes: routes? }))
}

/// One address, or one of each IP version.
fn vtep(errors: &mut Errors, node: &Node) -> Option<Vtep> {
    let mut vtep = Vtep::default();
    for (address, item) in one_or_more(errors, node, values::address)? {
        let is_taken = vtep.get(IpFamily::of(&address)).is_some();
        if is_taken {
            let family = IpFamily::of(&address).name();
            let message = format!("{address} is a second {family} address of one tunnel endpoint");
            let help = "a host has at most one `vtep` address of each IP version";
            return values::refuse(errors, item, message, help);
        }
        match address {
            IpAddr::V4(address) => vtep.v4 = Some(address),
            IpAddr::V6(address) => vtep.v6 = Some(address),
        }
    }
    Some(vtep)
}

/// A single value, or a list of values; each with its place.
fn one_or_more<'n, T>(
    errors: &mut Errors,
    node: &'n Node,
    read: Read<T>,
) -> Option<Vec<(T, &'n Node)>> {
    let Value::List(items) = &node.value else {
        return Some(vec![(read(errors, node)?, node)]);
    };
    // All of them are read, so that every error is found.
    let read: Vec<_> = items.iter().map(|item| Some((read(errors, item)?, item))).collect();
    read.into_iter().collect()
}

fn values_of<T>(errors: &mut Errors, node: &Node, read: Read<T>) -> Option<Vec<T>> {
    Some(one_or_more(errors, node, read)?.into_iter().map(|(value, _)| value).collect())
}

fn underlay_link(errors: &mut Errors, node: &Node) -> Option<UnderlayLink> {
    let mut o = Object::open(errors, node, "underlay link")?;
    let interface = o.required("interface", values::name);
    let vlan = or(&mut o, "vlan", None, |errors, node| values::vid(errors, node).map(Some));
    let addresses = o.required("addresses", |errors, node| values_of(errors, node, prefix));
    let kernel = or(&mut o, "kernel", None, |errors, node| values::name(errors, node).map(Some));
    o.close();
    Some(UnderlayLink {
        interface: interface?,
        vlan: vlan?,
        addresses: addresses?,
        kernel: kernel?,
    })
}

fn route(errors: &mut Errors, node: &Node) -> Option<Route> {
    let mut o = Object::open(errors, node, "route")?;
    let to = o.required("to", destination);
    let via = o.required("via", |errors, node| values_of(errors, node, values::address));
    o.close();
    Some(Route { to: to?, via: via? })
}

/// An address with the prefix of its link: `192.0.2.1/24`.
fn prefix(errors: &mut Errors, node: &Node) -> Option<IpNet> {
    let expected = "an address with the length of its prefix";
    let text = values::scalar(errors, node, expected)?;
    text.parse().ok().or_else(|| {
        let message = format!("{text:?} is not {expected}");
        values::refuse(errors, node, message, "write it as 192.0.2.1/24 or 2001:db8::1/64")
    })
}

/// A prefix without bits behind its length: `198.51.100.0/24`.
fn destination(errors: &mut Errors, node: &Node) -> Option<IpNet> {
    let expected = "a prefix";
    let text = values::scalar(errors, node, expected)?;
    let Ok(net) = text.parse::<IpNet>() else {
        let message = format!("{text:?} is not {expected}");
        let help = "write it as 198.51.100.0/24; the default route is to 0.0.0.0/0 or ::/0";
        return values::refuse(errors, node, message, help);
    };
    if net.trunc() == net {
        return Some(net);
    }
    let message = format!("{net} has bits behind its prefix of length {}", net.prefix_len());
    values::refuse(errors, node, message, &format!("write {}", net.trunc()))
}

pub(super) fn tunnel_zone(o: &mut Object<'_, '_>) -> Option<(Name, TunnelZone)> {
    let name = o.required("name", values::name);
    let kind = o.required("kind", kind);
    let hosts = or(o, "hosts", Vec::new(), values::names);
    let family = or(o, "ipVersion", IpVersion::Auto, ip_version);
    let udp_checksum = or(o, "udpChecksum", UdpChecksum::default(), checksum);
    let udp_port = or(o, "udpPort", TunnelZone::VXLAN_PORT, udp_port);
    let dscp = or(o, "dscp", TunnelDscp::default(), dscp);
    let bfd = or(o, "bfd", Bfd::On(BfdTimers::default()), bfd);
    let name = name?;
    let zone = TunnelZone {
        name: name.clone(),
        kind: kind?,
        family: family?.into(),
        hosts: hosts?,
        udp_checksum: udp_checksum?,
        udp_port: udp_port?,
        dscp: dscp?,
        bfd: bfd?.into(),
    };
    Some((name, zone))
}

pub(super) fn tunnel(o: &mut Object<'_, '_>) -> Option<(Name, Tunnel)> {
    let name = o.required("name", values::name);
    let zone = o.required("zone", values::name);
    let remote = o.required("remote", values::address);
    let bridges = or(o, "bridges", Vec::new(), values::names);
    let bfd = or(o, "bfd", Bfd::Off, bfd);
    let name = name?;
    let tunnel = Tunnel {
        name: name.clone(),
        zone: zone?,
        remote: remote?,
        bridges: bridges?,
        bfd: bfd?.into(),
    };
    Some((name, tunnel))
}

fn kind(errors: &mut Errors, node: &Node) -> Option<TunnelKind> {
    let kinds = [TunnelKind::Vxlan, TunnelKind::Gre];
    values::word(errors, node, &kinds.map(|kind| (kind.name(), kind)))
}

/// The IP version of a zone, as it is written.
#[derive(Clone, Copy)]
enum IpVersion {
    Auto,
    Only(IpFamily),
}

impl From<IpVersion> for Option<IpFamily> {
    fn from(version: IpVersion) -> Self {
        match version {
            IpVersion::Auto => None,
            IpVersion::Only(family) => Some(family),
        }
    }
}

fn ip_version(errors: &mut Errors, node: &Node) -> Option<IpVersion> {
    let only = |family: IpFamily| (family.name(), IpVersion::Only(family));
    let words = [("auto", IpVersion::Auto), only(IpFamily::V4), only(IpFamily::V6)];
    values::word(errors, node, &words)
}

fn checksum(errors: &mut Errors, node: &Node) -> Option<UdpChecksum> {
    let all = [UdpChecksum::Auto, UdpChecksum::Zero, UdpChecksum::Computed];
    values::word(errors, node, &all.map(|checksum| (checksum.name(), checksum)))
}

fn udp_port(errors: &mut Errors, node: &Node) -> Option<u16> {
    let raw = values::number(errors, node, "a UDP port from 1 to 65535")?;
    let port = u16::try_from(raw).ok();
    port.filter(|port| TunnelZone::is_vxlan_port(*port)).or_else(|| {
        let message = format!("{raw} is not a UDP port that VXLAN can use");
        let help = "write 1 to 65535, but not 3784 or 4784, which are BFD's; the default is 4789";
        values::refuse(errors, node, message, help)
    })
}

/// A number, or `copy`.
fn dscp(errors: &mut Errors, node: &Node) -> Option<TunnelDscp> {
    if matches!(&node.value, Value::Scalar(text) if text == "copy") {
        return Some(TunnelDscp::Copy);
    }
    let raw = values::number(errors, node, "a DSCP from 0 to 63, or copy")?;
    let dscp = u8::try_from(raw).ok().map(TunnelDscp::Fixed);
    dscp.filter(|dscp| dscp.is_in_range()).or_else(|| {
        values::refuse(errors, node, format!("{raw} is not a DSCP"), "write 0 to 63, or `copy`")
    })
}

/// How a peer is watched, as it is written.
enum Bfd {
    Off,
    On(BfdTimers),
}

impl From<Bfd> for Option<BfdTimers> {
    fn from(bfd: Bfd) -> Self {
        match bfd {
            Bfd::Off => None,
            Bfd::On(timers) => Some(timers),
        }
    }
}

/// `off`, or a mapping in which everything may be left out.
fn bfd(errors: &mut Errors, node: &Node) -> Option<Bfd> {
    if let Value::Scalar(text) = &node.value {
        // `off` is `false` to some writers of YAML.
        if matches!(text.as_str(), "off" | "false") {
            return Some(Bfd::Off);
        }
        let message = format!("{text:?} is neither `off` nor a mapping");
        let help = "write `off`, or {interval: 100ms, multiplier: 3}; {} means these defaults";
        return values::refuse(errors, node, message, help);
    }
    let mut o = Object::open(errors, node, "bfd setting")?;
    let default = BfdTimers::default();
    let interval = or(&mut o, "interval", default.interval, interval);
    let multiplier = or(&mut o, "multiplier", default.multiplier, multiplier);
    o.close();
    Some(Bfd::On(BfdTimers { interval: interval?, multiplier: multiplier? }))
}

fn interval(errors: &mut Errors, node: &Node) -> Option<Duration> {
    let expected = "a duration such as 100ms or 1s";
    let text = values::scalar(errors, node, expected)?;
    let milliseconds = values::duration(text, &[("ms", 1), ("s", 1000), ("m", 60_000)]);
    let Some(milliseconds) = milliseconds else {
        let help = "write whole milliseconds or seconds with their unit: 100ms, 1s";
        return values::refuse(errors, node, format!("{text:?} is not {expected}"), help);
    };
    let interval = Duration::from_millis(milliseconds);
    if (BfdTimers::MIN_INTERVAL..=BfdTimers::MAX_INTERVAL).contains(&interval) {
        return Some(interval);
    }
    let message = format!("{text} is not an interval of BFD");
    values::refuse(errors, node, message, "choose 10ms to 60s; the default is 100ms")
}

fn multiplier(errors: &mut Errors, node: &Node) -> Option<u8> {
    let raw = values::number(errors, node, "a number from 1 to 255")?;
    u8::try_from(raw).ok().filter(|multiplier| *multiplier > 0).or_else(|| {
        values::refuse(errors, node, format!("{raw} is out of range"), "write 1 to 255")
    })
}
