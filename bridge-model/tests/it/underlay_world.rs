//! Machines on simulated segments, with explicit time: frames take a time, may be lost, and pass
//! routers that know an MTU. After every step each machine is checked not to be due already.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::{
    Encapsulation, PathTable, PeerTable, UnderlayLinkTable, UnderlayTable,
};
use bridge_model::topology::{BfdTimers, TunnelDscp};
use bridge_model::types::{InterfaceId, MacAddr, PortId, UnderlayId};
use bridge_model::underlay::{Action, Machine, NeighborState, NeighborView, PeerView};
use bridge_model::wire::ethernet::{self, Header};
use bridge_model::wire::icmp;
use bridge_model::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6};
use bridge_model::wire::neighbor::{Arp, Discovery};

use crate::world::name;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const S: Duration = Duration::from_secs(1);

/// From one moment to another.
pub(crate) fn gap(from: Duration, to: Duration) -> Duration {
    to.checked_sub(from).unwrap()
}

/// One step before.
pub(crate) fn before(moment: Duration) -> Duration {
    gap(Duration::from_nanos(1), moment)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn mac(last: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, last])
}

/// A link on interface `number` with addresses such as `192.0.2.1/24`.
pub(crate) fn link(number: u16, addresses: &[&str]) -> UnderlayLinkTable {
    UnderlayLinkTable {
        port: PortId(100 + number),
        interface: InterfaceId(number),
        vlan: None,
        mac: MacAddr::ZERO,
        mtu: 1500,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        kernel: None,
    }
}

/// A peer reached by `via`, each a link and a next hop.
pub(crate) fn peer(text: &str, local: &str, remote: &str, via: &[(u16, &str)]) -> PeerTable {
    let path = |(link, next_hop): &(u16, &str)| PathTable {
        link: UnderlayId(*link),
        next_hop: ip(next_hop),
    };
    PeerTable {
        name: name(text),
        is_host: true,
        port: PortId(0),
        local: ip(local),
        remote: ip(remote),
        encapsulation: Encapsulation::Vxlan { port: 4789, checksum: false, accept_zero: false },
        dscp: TunnelDscp::default(),
        paths: via.iter().map(path).collect(),
        mtu: 1500,
        bfd: None,
    }
}

/// The same, watched.
pub(crate) fn watched(mut peer: PeerTable, ms: u64, multiplier: u8) -> PeerTable {
    peer.bfd = Some(BfdTimers { interval: Duration::from_millis(ms), multiplier });
    peer
}

/// The tables of a host; link `n` of host `h` has the MAC 02:00:00:00:00:hn.
pub(crate) fn table(
    host: u8,
    mut links: Vec<UnderlayLinkTable>,
    peers: Vec<PeerTable>,
) -> UnderlayTable {
    for link in &mut links {
        link.mac = mac(host << 4 | u8::try_from(link.interface.0).unwrap());
    }
    let own = links.iter().flat_map(|link| &link.addresses).map(ipnet::IpNet::addr);
    let mut local: Vec<IpAddr> = own.collect();
    local.extend(peers.iter().map(|peer| peer.local));
    local.sort_unstable();
    local.dedup();
    UnderlayTable { links, local, peers, ..UnderlayTable::default() }
}

pub(crate) struct Host {
    pub(crate) machine: Machine,
    /// The segment of each link.
    segments: Vec<usize>,
    pub(crate) is_running: bool,
    /// Everything but frames.
    pub(crate) events: Vec<(Duration, Action)>,
    pub(crate) sent: Vec<(Duration, UnderlayId, Vec<u8>)>,
}

/// Passes packets between segments for stations that it is told of. It has `mac(0xf0 + segment)`
/// everywhere, and answers for the addresses that stations use as next hops.
pub(crate) struct Router {
    pub(crate) addresses: Vec<(usize, IpAddr)>,
    pub(crate) stations: BTreeMap<IpAddr, (usize, MacAddr)>,
    pub(crate) mtu: usize,
    /// Says what does not fit; otherwise it is a black hole.
    pub(crate) explains: bool,
}

/// A frame on its way: when, from which host (none: a router), to which.
pub(crate) struct Passing<'f> {
    pub(crate) from: Option<usize>,
    pub(crate) to: usize,
    pub(crate) frame: &'f [u8],
}

type Filter = Box<dyn FnMut(&Passing<'_>) -> bool>;

#[derive(Clone)]
struct Flight {
    from: Option<usize>,
    segment: usize,
    frame: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) delay: Duration,
    pub(crate) hosts: Vec<Host>,
    pub(crate) routers: Vec<Router>,
    /// Whether a frame arrives.
    pub(crate) passes: Filter,
    /// Frames are handed to machines up to this length, as the data plane cuts them.
    pub(crate) cut: usize,
    flights: BTreeMap<(Duration, u64), Flight>,
    number: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: S,
            delay: MS,
            hosts: Vec::new(),
            routers: Vec::new(),
            passes: Box::new(|_| true),
            cut: 1600,
            flights: BTreeMap::new(),
            number: 0,
        }
    }

    /// Adds a host whose links are on these segments.
    pub(crate) fn host(&mut self, table: &UnderlayTable, segments: &[usize]) -> usize {
        let index = self.hosts.len();
        self.hosts.push(Host {
            machine: Machine::new(1000 + index as u64),
            segments: segments.to_vec(),
            is_running: true,
            events: Vec::new(),
            sent: Vec::new(),
        });
        self.configure(index, table);
        index
    }

    pub(crate) fn configure(&mut self, host: usize, table: &UnderlayTable) {
        self.configure_links(host, table, &vec![true; table.links.len()]);
    }

    pub(crate) fn configure_links(&mut self, host: usize, table: &UnderlayTable, up: &[bool]) {
        self.hosts[host].machine.configure(self.now, table, up);
        self.settle(host);
    }

    /// The host starts again, with another seed.
    pub(crate) fn restart(&mut self, host: usize, table: &UnderlayTable) {
        self.hosts[host].machine = Machine::new(77_000 + self.number);
        self.hosts[host].is_running = true;
        self.configure(host, table);
    }

    /// Hands a frame to a host at once.
    pub(crate) fn inject(&mut self, host: usize, link: u16, frame: &[u8]) {
        self.hosts[host].machine.frame(self.now, UnderlayId(link), frame);
        self.settle(host);
    }

    /// Frames that a host sends because of what `act` does.
    pub(crate) fn answers(&mut self, host: usize, act: impl FnOnce(&mut Self)) -> Vec<Vec<u8>> {
        let before = self.hosts[host].sent.len();
        act(self);
        self.hosts[host].sent[before..].iter().map(|(_, _, frame)| frame.clone()).collect()
    }

    fn settle(&mut self, host: usize) {
        let (now, machine) = (self.now, &mut self.hosts[host].machine);
        machine.tick(now);
        assert!(
            machine.due().is_none_or(|due| due > now),
            "due at {:?}, now {now:?}",
            machine.due()
        );
        self.drain(host);
    }

    fn drain(&mut self, index: usize) {
        while let Some(action) = self.hosts[index].machine.poll() {
            let host = &mut self.hosts[index];
            let Action::Send { link, frame } = action else {
                host.events.push((self.now, action));
                continue;
            };
            assert!(frame.len() >= 60, "short frame {frame:02x?}");
            host.sent.push((self.now, link, frame.clone()));
            let segment = host.segments[link.index()];
            self.fly(Flight { from: Some(index), segment, frame });
        }
    }

    fn fly(&mut self, flight: Flight) {
        self.number += 1;
        self.flights.insert((self.now + self.delay, self.number), flight);
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.run_to(self.now + time);
    }

    pub(crate) fn run_to(&mut self, end: Duration) {
        loop {
            let due = self.hosts.iter().filter(|host| host.is_running);
            let due = due.filter_map(|host| host.machine.due()).min();
            let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = [due, flight].into_iter().flatten().min().filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flights.first_entry()
                && entry.key().0 <= self.now
            {
                let flight = entry.remove();
                self.land(&flight);
            }
            for host in 0..self.hosts.len() {
                if self.hosts[host].is_running {
                    self.settle(host);
                }
            }
        }
        self.now = end;
    }

    /// Runs until `done` or for `time` at most; how long it took.
    pub(crate) fn until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            assert!(self.now < start + time, "not within {time:?}");
            self.run(MS);
        }
        gap(start, self.now)
    }

    fn land(&mut self, flight: &Flight) {
        for index in 0..self.hosts.len() {
            let host = &self.hosts[index];
            if !host.is_running || flight.from == Some(index) {
                continue;
            }
            for link in 0..host.segments.len() {
                let passing = Passing { from: flight.from, to: index, frame: &flight.frame };
                if self.hosts[index].segments[link] == flight.segment && (self.passes)(&passing) {
                    let frame = &flight.frame[..flight.frame.len().min(self.cut)];
                    let link = UnderlayId(u16::try_from(link).unwrap());
                    self.hosts[index].machine.frame(self.now, link, frame);
                }
            }
        }
        if flight.from.is_some() {
            for index in 0..self.routers.len() {
                self.route(index, flight);
            }
        }
    }

    fn route(&mut self, index: usize, flight: &Flight) {
        let router = &self.routers[index];
        if !router.addresses.iter().any(|(segment, _)| *segment == flight.segment) {
            return;
        }
        let own = router_mac(flight.segment);
        let header = Header::parse(&flight.frame).unwrap();
        let bytes = &flight.frame[14..];
        let mut answers = Vec::new();
        if let Some(arp) = Arp::parse(bytes).filter(|_| header.type_or_length == 0x0806) {
            if arp.operation == 1 && router.addresses.contains(&(flight.segment, arp.target.into()))
            {
                let answer = Arp {
                    operation: 2,
                    sender_mac: own,
                    sender: arp.target,
                    target_mac: arp.sender_mac,
                    target: arp.sender,
                };
                answers.push((flight.segment, answer.frame(arp.sender_mac, own)));
            }
        } else if let Some(ask) = solicitation(&flight.frame) {
            if router.addresses.contains(&(flight.segment, ask.target.into())) {
                answers
                    .push((flight.segment, advertise(&ask, own, 0x60).frame(header.source, own)));
            }
        } else if header.destination == own {
            answers.extend(router.pass(flight, &header));
        }
        for (segment, frame) in answers {
            self.fly(Flight { from: None, segment, frame });
        }
    }

    pub(crate) fn events(&self, host: usize) -> Vec<Action> {
        self.hosts[host].events.iter().map(|(_, action)| action.clone()).collect()
    }

    pub(crate) fn clear(&mut self) {
        for host in &mut self.hosts {
            host.events.clear();
            host.sent.clear();
        }
    }

    pub(crate) fn view(&self, host: usize) -> PeerView {
        self.hosts[host].machine.peers().next().unwrap()
    }

    pub(crate) fn neighbor(&self, host: usize) -> NeighborView {
        self.hosts[host].machine.neighbors().next().unwrap()
    }

    pub(crate) fn state(&self, host: usize) -> NeighborState {
        self.neighbor(host).state
    }
}

impl Router {
    fn pass(&self, flight: &Flight, header: &Header) -> Vec<(usize, Vec<u8>)> {
        let mut frame = flight.frame.clone();
        let is_v4 = header.type_or_length == ETHER_TYPE_IPV4;
        let (to, octets) = match header.type_or_length {
            ETHER_TYPE_IPV4 => {
                let to: [u8; 4] = frame[30..34].try_into().unwrap();
                (IpAddr::from(to), usize::from(u16::from_be_bytes([frame[16], frame[17]])))
            }
            ETHER_TYPE_IPV6 => {
                let to: [u8; 16] = frame[38..54].try_into().unwrap();
                (IpAddr::from(to), usize::from(u16::from_be_bytes([frame[18], frame[19]])) + 40)
            }
            _ => return Vec::new(),
        };
        let Some((segment, mac)) = self.stations.get(&to) else { return Vec::new() };
        if octets > self.mtu {
            let mtu = u16::try_from(self.mtu).unwrap();
            let answer = icmp::too_big(&frame, mtu).filter(|_| self.explains);
            return answer.into_iter().map(|frame| (flight.segment, frame)).collect();
        }
        let payload = if is_v4 {
            frame[22] -= 1;
            // RFC 1624: the checksum of the header grows by what the TTL loses.
            let sum = u32::from(u16::from_be_bytes([frame[24], frame[25]])) + 0x100;
            let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
            frame[24..26].copy_from_slice(&folded.to_be_bytes());
            &frame[14..]
        } else {
            frame[21] -= 1;
            &frame[14..]
        };
        let frame =
            ethernet::build(*mac, router_mac(*segment), &[], header.type_or_length, payload);
        vec![(*segment, frame)]
    }
}

pub(crate) fn router_mac(segment: usize) -> MacAddr {
    mac(0xf0 + u8::try_from(segment).unwrap())
}

/// The neighbour solicitation in a frame.
pub(crate) fn solicitation(frame: &[u8]) -> Option<Discovery> {
    discovery(frame).filter(|message| !message.is_advertisement)
}

/// The message of neighbour discovery in a frame.
pub(crate) fn discovery(frame: &[u8]) -> Option<Discovery> {
    let packet = bridge_model::wire::ip::Packet::parse(
        u16::from_be_bytes([frame[12], frame[13]]),
        &frame[14..],
    )?;
    Discovery::parse(&packet.ok()?)
}

/// The ARP message in a frame.
pub(crate) fn arp(frame: &[u8]) -> Option<Arp> {
    Arp::parse(&frame[14..]).filter(|_| frame[12..14] == [8, 6])
}

/// The advertisement that answers `ask`.
pub(crate) fn advertise(ask: &Discovery, mac: MacAddr, flags: u8) -> Discovery {
    Discovery {
        is_advertisement: true,
        source: ask.target,
        destination: ask.source,
        target: ask.target,
        flags,
        link_address: Some(mac),
    }
}

/// Hosts 1 and 2 on one segment, each the other's peer.
pub(crate) fn pair(family: u8, bfd: Option<(u64, u8)>) -> [UnderlayTable; 2] {
    let host = |me: u8, other: u8| {
        let (net, far, near) = if family == 4 {
            (format!("192.0.2.{me}/24"), format!("192.0.2.{other}"), format!("192.0.2.{me}"))
        } else {
            (format!("2001:db8::{me}/64"), format!("2001:db8::{other}"), format!("2001:db8::{me}"))
        };
        let mut peer = peer(&format!("host-{other}"), &near, &far, &[(0, &far)]);
        if let Some((ms, multiplier)) = bfd {
            peer = watched(peer, ms, multiplier);
        }
        table(me, vec![link(0, &[&net])], vec![peer])
    };
    [host(1, 2), host(2, 1)]
}

/// Hosts 1 and 2 on segments 0 and 1, with a router between them.
pub(crate) fn routed(family: u8, bfd: Option<(u64, u8)>, mtu: u16) -> (World, [UnderlayTable; 2]) {
    let host = |me: u8, segment: u8| {
        let far = 3 - me;
        let (net, near, far, via) = if family == 4 {
            (
                format!("10.0.{segment}.{me}/24"),
                format!("10.0.{segment}.{me}"),
                format!("10.0.{}.{far}", 1 - segment),
                format!("10.0.{segment}.254"),
            )
        } else {
            (
                format!("2001:db8:{segment}::{me}/64"),
                format!("2001:db8:{segment}::{me}"),
                format!("2001:db8:{}::{far}", 1 - segment),
                format!("2001:db8:{segment}::fe"),
            )
        };
        let mut peer = peer("far", &near, &far, &[(0, &via)]);
        if let Some((ms, multiplier)) = bfd {
            peer = watched(peer, ms, multiplier);
        }
        let mut link = link(0, &[&net]);
        link.mtu = mtu;
        table(me, vec![link], vec![peer])
    };
    let tables = [host(1, 0), host(2, 1)];
    let mut world = World::new();
    let via = |table: &UnderlayTable| table.peers[0].paths[0].next_hop;
    let station = |segment: usize| {
        let table = &tables[segment];
        (table.peers[0].local, (segment, table.links[0].mac))
    };
    world.routers.push(Router {
        addresses: vec![(0, via(&tables[0])), (1, via(&tables[1]))],
        stations: [station(0), station(1)].into(),
        mtu: usize::from(mtu),
        explains: false,
    });
    world.host(&tables[0], &[0]);
    world.host(&tables[1], &[1]);
    (world, tables)
}
