//! Taking over new tables: what both have goes on undisturbed.
//!
//! Links, peers and paths are known again by what they are, not by their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::announce::{Address, Announcer};
use super::neighbor::Neighbor;
use super::net::{Link, LinkKey, Owner};
use super::peer::Peer;
use super::watch::Watch;
use super::{Action, Machine, Timer};
use crate::compile::{PeerTable, UnderlayTable};
use crate::types::{MacAddr, Name, UnderlayId};
use crate::wire::inner::FIRST_SOURCE_PORT;

/// A session that was given up. It says so for as long as the other side takes to notice (RFC 5880
/// section 6.8.16), to where its packets went last.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    watch: Watch,
    addresses: (IpAddr, IpAddr),
    link: LinkKey,
    mac: MacAddr,
    until: Duration,
}

impl Machine {
    /// Takes over new tables. `links_up` says for each link whether it has carrier. Neighbours and
    /// sessions that both tables have go on undisturbed, whatever their numbers are now.
    ///
    /// What is new to do is left to [`Self::tick`], before which arrived frames are to be handed in.
    pub fn configure(&mut self, now: Duration, table: &UnderlayTable, links_up: &[bool]) {
        self.take_leave(now, table);
        let link = |(index, link)| {
            let has_carrier = links_up.get(index).copied().unwrap_or(false);
            Some(Link::new(UnderlayId(u16::try_from(index).ok()?), link, has_carrier))
        };
        let links = table.links.iter().enumerate().map_while(link).collect();
        let old: BTreeMap<LinkKey, Link> = std::mem::replace(&mut self.net.links, links)
            .into_iter()
            .map(|link| (link.key, link))
            .collect();
        self.local.clone_from(&table.local);
        self.adopt_neighbors(now, table, &old);
        self.adopt_addresses(now, &old);
        self.adopt_peers(now, table);
        self.schedule_all();
    }

    /// The number of a link now, if it has carrier.
    fn number(&self, key: LinkKey) -> Option<UnderlayId> {
        let link = self.net.links.iter().find(|link| link.key == key)?;
        link.has_carrier.then_some(link.id)
    }

    /// Gives up the sessions that the new table does not have, and all that was said of peers that it
    /// does not have.
    fn take_leave(&mut self, now: Duration, table: &UnderlayTable) {
        let tables: BTreeMap<&Name, &PeerTable> =
            table.peers.iter().map(|peer| (&peer.name, peer)).collect();
        for peer in &mut self.peers {
            let stays = tables.get(&peer.name).filter(|table| peer.is(table));
            if stays.is_none() && peer.is_host && peer.told_mtu < peer.link_mtu() {
                let (name, mtu) = (peer.name.clone(), peer.link_mtu());
                self.net.actions.push_back(Action::PathMtu { name, mtu });
            }
            if stays.is_some_and(|table| table.bfd.is_some()) {
                continue;
            }
            let Some(mut watch) = peer.watch.take() else { continue };
            if !watch.peer_is_up() {
                self.net.actions.push_back(Action::PeerUp { name: peer.name.clone() });
            }
            let way = peer
                .paths
                .iter()
                .find_map(|path| Some((path.link, self.net.address(&path.table)?)));
            let Some((link, mac)) = way else { continue };
            watch.give_up(now, &mut self.random);
            let until = now + watch.session().farewell();
            let addresses = (peer.local, peer.remote);
            if watch.due().is_some() {
                let leaving = Leaving { watch, addresses, link, mac, until };
                self.leaving.insert(peer.remote, leaving);
            }
        }
    }

    /// A session that was given up says so again, or is over.
    pub(super) fn leaving_tick(&mut self, now: Duration, remote: IpAddr) -> Option<Duration> {
        let leaving = self.leaving.get_mut(&remote)?;
        let (control, _) = leaving.watch.tick(now, &mut self.random);
        let packet = control.and_then(|control| leaving.watch.packet(leaving.addresses, &control));
        let (key, mac) = (leaving.link, leaving.mac);
        let due = leaving.watch.due().filter(|due| *due <= leaving.until);
        if let (Some(packet), Some(link)) = (packet, self.number(key)) {
            self.net.send_packet_to(link, mac, &packet);
        }
        if due.is_none() {
            self.leaving.remove(&remote);
        }
        due
    }

    fn adopt_neighbors(
        &mut self,
        now: Duration,
        table: &UnderlayTable,
        old_links: &BTreeMap<LinkKey, Link>,
    ) {
        let mut old = std::mem::take(&mut self.net.neighbors);
        for path in table.peers.iter().flat_map(|peer| &peer.paths) {
            let key = (path.link, path.next_hop);
            let Some(link) = self.net.link(path.link) else { continue };
            if self.net.neighbors.contains_key(&key) {
                continue;
            }
            let has_carrier = link.has_carrier;
            let old_link = old_links.get(&link.key);
            let known = old_link.and_then(|old_link| old.remove(&(old_link.id, path.next_hop)));
            let stays = old_link.is_some_and(|old| old.has_carrier == has_carrier);
            let neighbor = match known {
                Some(neighbor) if stays => neighbor,
                known => {
                    // Another network may be at the end of a cable that was unplugged.
                    if known.is_some_and(|known| known.mac().is_some()) {
                        let (link, next_hop) = key;
                        self.net.actions.push_back(Action::Unresolved { link, next_hop });
                    }
                    if has_carrier { Neighbor::new(now) } else { Neighbor::unplugged(now) }
                }
            };
            if let Some(mac) = neighbor.mac() {
                let (link, next_hop) = key;
                self.net.actions.push_back(Action::Resolved { link, next_hop, mac });
            }
            self.net.neighbors.insert(key, neighbor);
        }
    }

    /// Announces addresses that are new to their link, or whose link is new to others.
    fn adopt_addresses(&mut self, now: Duration, old_links: &BTreeMap<LinkKey, Link>) {
        let mut old = std::mem::take(&mut self.announcer);
        let mut new = Announcer::default();
        for link in &self.net.links {
            let old_link = old_links.get(&link.key);
            let stays = old_link.is_some_and(|old| {
                old.mac == link.mac
                    && old.owner == link.owner
                    && old.has_carrier == link.has_carrier
            });
            for ip in link.addresses.iter().map(ipnet::IpNet::addr) {
                let known = old_link.and_then(|old_link| old.take((old_link.id, ip)));
                let address = match known {
                    Some(address) if stays => address,
                    _ if link.owner == Owner::Us && link.has_carrier => Address::new(now, ip),
                    _ => Address::default(),
                };
                new.insert((link.id, ip), address);
            }
        }
        self.announcer = new;
    }

    fn adopt_peers(&mut self, now: Duration, table: &UnderlayTable) {
        let mut old: BTreeMap<Name, Peer> = std::mem::take(&mut self.peers)
            .into_iter()
            .map(|peer| (peer.name.clone(), peer))
            .collect();
        let mut identities = self.identities(old.values());
        self.by_address.clear();
        for (index, table) in table.peers.iter().enumerate() {
            let known = old.remove(&table.name).filter(|peer| peer.is(table));
            let is_new = known.is_none();
            let mut peer = known.unwrap_or_else(|| Peer::new(table));
            peer.encapsulation = table.encapsulation;
            peer.set_paths(now, table, &self.net, &mut self.random);
            let hops = peer.hops(&self.net);
            match (&mut peer.watch, table.bfd) {
                (_, None) => {}
                (Some(watch), Some(timers)) => {
                    watch.set_timers(now, timers, &mut self.random);
                    if !peer.paths.is_empty() {
                        watch.hops = hops;
                    }
                }
                (None, Some(timers)) => {
                    let (discriminator, port) = identities.take(&mut self.random);
                    let random = &mut self.random;
                    let watch = Watch::new(now, timers, hops, (discriminator, port), random);
                    peer.watch = Some(watch);
                    self.leaving.remove(&peer.remote);
                }
            }
            if is_new {
                peer.told_mtu = peer.mtu();
            }
            self.by_address.insert(peer.remote, index);
            self.peers.push(peer);
            self.tell_mtu(index);
        }
    }

    fn identities<'p>(&'p self, peers: impl Iterator<Item = &'p Peer>) -> Identities {
        let leaving = self.leaving.values().map(|leaving| &leaving.watch);
        let watches = || peers.filter_map(|peer| peer.watch.as_ref()).chain(leaving);
        let taken =
            watches().map(|watch| (watch.session().discriminators().0, watch.source_port()));
        let (discriminators, ports) = taken.unzip();
        Identities { discriminators, ports }
    }

    fn schedule_all(&mut self) {
        self.schedule.clear();
        for ((link, ip), address) in self.announcer.iter() {
            self.schedule.set(Timer::Announce(*link, *ip), address.due());
        }
        for ((link, ip), neighbor) in &self.net.neighbors {
            self.schedule.set(Timer::Neighbor(*link, *ip), neighbor.due());
        }
        for (index, peer) in self.peers.iter().enumerate() {
            let due = peer.watch.as_ref().and_then(Watch::due);
            self.schedule.set(Timer::Watch(index), due);
            for (number, path) in peer.paths.iter().enumerate() {
                self.schedule.set(Timer::Path(index, number), Some(path.mtu.due()));
            }
        }
        for (remote, leaving) in &self.leaving {
            self.schedule.set(Timer::Leaving(*remote), leaving.watch.due());
        }
    }
}

/// What tells sessions apart: discriminators (RFC 5880 section 6.3) and UDP source ports (RFC 5881
/// section 4).
struct Identities {
    discriminators: BTreeSet<u32>,
    ports: BTreeSet<u16>,
}

impl Identities {
    /// How many ports there are.
    const PORTS: u16 = u16::MAX - FIRST_SOURCE_PORT + 1;

    fn take(&mut self, random: &mut super::random::Random) -> (u32, u16) {
        let discriminator = loop {
            let number = random.number();
            if self.discriminators.insert(number) {
                break number;
            }
        };
        // With more sessions than ports, two have to share one.
        let first = u16::try_from(random.next() % u64::from(Self::PORTS)).unwrap_or(0);
        let mut port = FIRST_SOURCE_PORT + first;
        for step in 0..Self::PORTS {
            port = FIRST_SOURCE_PORT + (first + step) % Self::PORTS;
            if self.ports.insert(port) {
                break;
            }
        }
        (discriminator, port)
    }
}
