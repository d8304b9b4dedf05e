//! Kernel interfaces, and which of them the administrator reaches this host through.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Environment;
use super::root::Root;
use crate::node::Mac;

/// An interface of the kernel in this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInterface {
    /// The kernel's name of it.
    pub name: String,
    /// What sysfs says about it; `None` where sysfs shows another network namespace.
    pub detail: Option<InterfaceDetail>,
}

/// What sysfs says about an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceDetail {
    /// Its MAC address, if it is of Ethernet's kind.
    pub mac: Option<Mac>,
    /// The largest layer-3 packet it carries, in octets.
    pub mtu: Option<u32>,
    /// Whether it is administratively up.
    pub is_up: bool,
    /// Whether it is a tap (or tun) interface.
    pub is_tap: bool,
    /// The bridge or bond it is enslaved to.
    pub master: Option<String>,
    /// The interfaces it is made of: a bond's members, a VLAN interface's parent.
    pub lower: Vec<String>,
}

/// The interfaces that must not be taken away from under the administrator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Management {
    /// What default routes leave by, lower interfaces included.
    pub default_route: BTreeSet<String>,
    /// What SSH sessions come in by, lower interfaces included.
    pub ssh: BTreeSet<String>,
}

impl Management {
    /// Why `interface` must not be taken away: `your SSH session`, `the default route` or both.
    pub fn reason(&self, interface: &str) -> Option<&'static str> {
        match (self.default_route.contains(interface), self.ssh.contains(interface)) {
            (true, true) => Some("the default route and your SSH session"),
            (true, false) => Some("the default route"),
            (false, true) => Some("your SSH session"),
            (false, false) => None,
        }
    }
}

pub(super) fn interfaces(root: &Root) -> Vec<KernelInterface> {
    let text = root.text("/proc/thread-self/net/dev").unwrap_or_default();
    let names: BTreeSet<String> =
        text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect();
    // sysfs shows the namespace it was mounted in, procfs the one we are in.
    let in_sysfs: BTreeSet<String> = root
        .names("/sys/class/net")
        .into_iter()
        .filter(|name| root.exists(format!("/sys/class/net/{name}/ifindex")))
        .collect();
    let same = names == in_sysfs;
    let detail = |name: &str| same.then(|| detail(root, name));
    names.into_iter().map(|name| KernelInterface { detail: detail(&name), name }).collect()
}

fn detail(root: &Root, name: &str) -> InterfaceDetail {
    const IFF_UP: u32 = 1;
    let folder = format!("/sys/class/net/{name}");
    let flags = root.text(format!("{folder}/flags"));
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let entries = root.names(&folder);
    let lower = entries.iter().filter_map(|entry| entry.strip_prefix("lower_"));
    InterfaceDetail {
        mac: root.text(format!("{folder}/address")).and_then(|text| text.parse().ok()),
        mtu: root.number(format!("{folder}/mtu")),
        is_up: flags.is_some_and(|flags| flags & IFF_UP != 0),
        is_tap: root.exists(format!("{folder}/tun_flags")),
        master: root.link_name(format!("{folder}/master")),
        lower: lower.map(str::to_owned).collect(),
    }
}

pub(super) fn management(
    root: &Root,
    environment: &Environment,
    interfaces: &[KernelInterface],
) -> Management {
    let routes = routes(root);
    let defaults = routes.iter().filter(|route| route.prefix == 0);
    let default_route = defaults.map(|route| route.interface.clone()).collect();
    let ssh = ssh_peers(root, environment)
        .into_iter()
        .filter_map(|peer| way_to(&routes, peer))
        .filter(|interface| interface != "lo")
        .collect();
    Management {
        default_route: with_lower(default_route, interfaces),
        ssh: with_lower(ssh, interfaces),
    }
}

/// `names` and all they are made of.
fn with_lower(names: BTreeSet<String>, interfaces: &[KernelInterface]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Vec<String> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        let detail = interfaces
            .iter()
            .find(|interface| interface.name == name)
            .and_then(|interface| interface.detail.as_ref());
        if all.insert(name)
            && let Some(detail) = detail
        {
            open.extend(detail.lower.iter().cloned());
        }
    }
    all
}

/// The other ends of SSH sessions: the one we run in, and every connection to the SSH port, since
/// sudo hides the former from us.
fn ssh_peers(root: &Root, environment: &Environment) -> BTreeSet<IpAddr> {
    const SSH: u16 = 22;
    const ESTABLISHED: &str = "01";
    let mut peers = BTreeSet::new();
    let mut ports = BTreeSet::from([SSH]);
    if let Some(connection) = &environment.ssh_connection {
        let mut words = connection.split_whitespace();
        // A link-local address may carry its interface: fe80::1%eth0.
        let peer: Option<IpAddr> =
            words.next().and_then(|word| word.split('%').next()?.parse().ok());
        peers.extend(peer);
        ports.extend(words.nth(2).and_then(|port| port.parse::<u16>().ok()));
    }
    for table in ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] {
        let text = root.text(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, ESTABLISHED, ..] = words[..] else { continue };
            let port =
                local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            if port.is_some_and(|port| ports.contains(&port)) {
                peers.extend(remote.rsplit_once(':').and_then(|(address, _)| tcp_address(address)));
            }
        }
    }
    peers.into_iter().map(|peer| peer.to_canonical()).collect()
}

/// An address as `/proc/thread-self/net/tcp` prints it: 32-bit words in the host's byte order.
fn tcp_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok();
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?.to_ne_bytes()).into()),
        32 => {
            let mut octets = [0; 16];
            for (at, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?.to_ne_bytes());
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

struct Route {
    network: IpAddr,
    prefix: u32,
    metric: u32,
    interface: String,
}

fn routes(root: &Root) -> Vec<Route> {
    let v4 = root.text("/proc/thread-self/net/route").unwrap_or_default();
    let v6 = root.text("/proc/thread-self/net/ipv6_route").unwrap_or_default();
    v4.lines().skip(1).filter_map(route_v4).chain(v6.lines().filter_map(route_v6)).collect()
}

/// `RTF_UP`: the route is in use.
const RTF_UP: u32 = 1;

fn route_v4(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [interface, network, _, flags, _, _, metric, mask, ..] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let mask = u32::from_str_radix(mask, 16).ok()?;
    (flags & RTF_UP != 0).then_some(Route {
        network: tcp_address(network)?,
        prefix: mask.count_ones(),
        metric: metric.parse().ok()?,
        interface: interface.to_owned(),
    })
}

fn route_v6(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [network, prefix, _, _, _, metric, _, _, flags, interface] = words[..] else { return None };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let network = u128::from_str_radix(network, 16).ok()?;
    // The kernel keeps an "unreachable" default on the loopback interface.
    (flags & RTF_UP != 0 && interface != "lo").then_some(Route {
        network: Ipv6Addr::from(network).into(),
        prefix: u32::from_str_radix(prefix, 16).ok()?,
        metric: u32::from_str_radix(metric, 16).ok()?,
        interface: interface.to_owned(),
    })
}

/// The interface that frames to `peer` leave by: the longest prefix, then the smallest metric.
fn way_to(routes: &[Route], peer: IpAddr) -> Option<String> {
    routes
        .iter()
        .filter(|route| covers(route, peer))
        .max_by_key(|route| (route.prefix, std::cmp::Reverse(route.metric)))
        .map(|route| route.interface.clone())
}

fn covers(route: &Route, peer: IpAddr) -> bool {
    match (route.network, peer) {
        (IpAddr::V4(network), IpAddr::V4(peer)) => {
            let differ = network.to_bits() ^ peer.to_bits();
            differ.leading_zeros() >= route.prefix
        }
        (IpAddr::V6(network), IpAddr::V6(peer)) => {
            let differ = network.to_bits() ^ peer.to_bits();
            differ.leading_zeros() >= route.prefix
        }
        _ => false,
    }
}
