//! The thread itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bridge_model::types::{InterfaceId, Name, UnderlayId, VlanId};
use bridge_model::underlay::{Action, Entry, Machine, NeighborLearner};
use bridge_model::wire::ethernet::ADDRESSES_LEN;
use fwd::underlay::{NextHop, NextHopKey, PeerCell};
use fwd::{Live, ProtocolEvent, ProtocolFrame};
use fwd_worker::{Links, Originator};
use rtrb::Consumer;

use super::answers::Answers;
use super::attention::Attention;
use super::timing::Lateness;
use super::view::{Board, Conflict, ProtocolView, Statistics};
use super::{Facts, Order, Parts, Report};
use crate::clock::Clock;

/// The longest nap while there is anything to speak of: a bound on the delay of a frame.
const NAP: Duration = Duration::from_millis(1);
/// The same on a host without underlay.
const NAP_IDLE: Duration = Duration::from_millis(10);
/// The shortest nap: whatever comes, the CPU is left to others in between, which matters all the more
/// as they do not get it otherwise.
const NAP_BUSY: Duration = Duration::from_micros(50);
/// Frames taken from one worker at a time.
const BATCH: usize = 256;
/// How often the view is replaced.
const SHOW: Duration = Duration::from_millis(200);
/// How often what has aged is looked for.
const EXPIRE: Duration = Duration::from_secs(1);
/// For how long a conflict is shown after it was last seen.
const CONFLICT_SHOWN: Duration = Duration::from_secs(60);
/// The TPID of underlay VLANs.
const TPID: [u8; 2] = [0x81, 0x00];

/// Everything that the thread owns.
pub(super) struct Thread {
    clock: Clock,
    machine: Machine,
    learner: NeighborLearner,
    facts: Facts,
    links: Links,
    links_up: Vec<bool>,
    live: Arc<Live>,
    rings: Vec<Consumer<ProtocolFrame>>,
    originators: Vec<Originator>,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
    board: Arc<Board>,
    /// The cells of the next hops in the table: held, so that none is forgotten between two images.
    next_hops: BTreeMap<(UnderlayId, IpAddr), (NextHopKey, Arc<NextHop>)>,
    /// The cells of the peers in the table.
    peers: BTreeMap<Name, Arc<PeerCell>>,
    answers: Answers,
    conflicts: Vec<Conflict>,
    statistics: Statistics,
    lateness: Lateness,
    attention: Attention,
    shown: Duration,
    expired: Duration,
}

impl Thread {
    pub(super) fn new(
        parts: Parts,
        orders: mpsc::Receiver<Order>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let Parts { clock, seed, links, live, rings, originators, facts, board } = parts;
        let mut thread = Self {
            clock,
            machine: Machine::new(seed),
            learner: NeighborLearner::new(),
            facts: Facts::default(),
            links,
            links_up: Vec::new(),
            live,
            rings,
            originators,
            orders,
            reports,
            board,
            next_hops: BTreeMap::new(),
            peers: BTreeMap::new(),
            answers: Answers::default(),
            conflicts: Vec::new(),
            statistics: Statistics::default(),
            lateness: Lateness::default(),
            attention: Attention::default(),
            shown: Duration::ZERO,
            expired: Duration::ZERO,
        };
        thread.install(facts);
        thread
    }

    /// Until told to stop.
    pub(super) fn run(mut self) {
        // By default the kernel adds up to 50 us to every nap.
        rte_rs::sleep_precisely();
        // Others on the CPUs of the control plane compile, and scan tables; each turn here is short.
        self.statistics.scheduling = rte_rs::wake_promptly();
        while !self.follow_orders() {
            self.follow_links();
            let frames = self.take_frames();
            self.follow_time();
            std::thread::sleep(if frames { NAP_BUSY } else { self.nap() });
        }
        let now = self.clock.now();
        self.machine.shutdown(now);
        self.act(now);
    }

    /// Takes the newest site. True if the thread is to end.
    fn follow_orders(&mut self) -> bool {
        let mut newest: Option<Box<Facts>> = None;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Site(mut facts)) => {
                    if let Some(skipped) = newest.take() {
                        facts.withdrawn.extend(skipped.withdrawn);
                    }
                    newest = Some(facts);
                }
                Ok(Order::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Err(mpsc::TryRecvError::Empty) => break,
            }
        }
        if let Some(facts) = newest {
            self.install(*facts);
        }
        false
    }

    fn install(&mut self, facts: Facts) {
        let now = self.clock.now();
        self.facts = facts;
        let cells = self.live.underlay();
        let table = &self.facts.table;
        let before: BTreeSet<NextHopKey> =
            std::mem::take(&mut self.next_hops).into_values().map(|(key, _)| key).collect();
        for path in table.peers.iter().flat_map(|peer| &peer.paths) {
            let Some(link) = table.links.get(path.link.index()) else { continue };
            let key = (link.interface, link.vlan, path.next_hop);
            let cell = cells.next_hop(key);
            // A new one may have been here before: what it was then is not known to hold.
            if !before.contains(&key) {
                cell.set(None);
            }
            self.next_hops.insert((path.link, path.next_hop), (key, cell));
        }
        let before = std::mem::take(&mut self.peers);
        for peer in &table.peers {
            let cell = cells.peer(&peer.name);
            // A new one may have been here before and been down when it went.
            if !before.contains_key(&peer.name) {
                cell.set_up(true);
            }
            self.peers.insert(peer.name.clone(), cell);
        }
        self.links_up = self.carriers();
        self.machine.configure(now, &self.facts.table, &self.links_up);
        self.act(now);
        self.withdraw();
        self.show(now);
    }

    fn carriers(&self) -> Vec<bool> {
        self.facts.table.links.iter().map(|link| self.links.is_up(link.interface)).collect()
    }

    /// Notices links that went down or came up: their addresses are announced again.
    fn follow_links(&mut self) {
        let is_same = |(link, up): (&bridge_model::compile::UnderlayLinkTable, &bool)| {
            self.links.is_up(link.interface) == *up
        };
        if self.facts.table.links.iter().zip(&self.links_up).all(is_same) {
            return;
        }
        let now = self.clock.now();
        self.links_up = self.carriers();
        self.machine.configure(now, &self.facts.table, &self.links_up);
        self.act(now);
    }

    /// Takes what the workers have. True if there was anything.
    fn take_frames(&mut self) -> bool {
        let mut any = false;
        for worker in 0..self.rings.len() {
            for _ in 0..BATCH {
                let Some(Ok(frame)) = self.rings.get_mut(worker).map(Consumer::pop) else { break };
                any = true;
                self.take(worker, &frame);
            }
        }
        any
    }

    fn take(&mut self, worker: usize, frame: &ProtocolFrame) {
        let now = self.clock.now();
        self.statistics.received += 1;
        match frame.event {
            ProtocolEvent::Consumed(_) | ProtocolEvent::Copied(_) => {
                self.machine.frame(now, frame.link, &frame.bytes);
                self.act(now);
            }
            ProtocolEvent::TooBig { mtu } => {
                let (fid, member) = frame.place;
                if let Some(answer) = self.answers.too_big(now, fid, &frame.bytes, mtu) {
                    self.statistics.too_big += 1;
                    let worker = self.originators.get_mut(worker);
                    let sent = worker.is_some_and(|by| by.inject(fid, member, &answer).is_ok());
                    self.count_sent(sent);
                }
            }
            ProtocolEvent::Neighbor => {
                let learned = self.learner.frame(now, frame.place.0, &frame.bytes);
                if let Some(entry) = learned.filter(|entry| !self.teach(entry)) {
                    self.learner.refused(&entry);
                }
            }
        }
    }

    /// Lets workers answer for a station. False if there is no room.
    fn teach(&self, entry: &Entry) -> bool {
        self.live.neighbors().insert(entry.fid, entry.ip, entry.mac, entry.is_router)
    }

    /// Ends that.
    fn unteach(&self, entry: &Entry) {
        self.live.neighbors().remove(entry.fid, entry.ip);
    }

    fn count_sent(&mut self, sent: bool) {
        if sent {
            self.statistics.sent += 1;
        } else {
            self.statistics.lost += 1;
        }
    }

    fn follow_time(&mut self) {
        let now = self.clock.now();
        let due = self.machine.due().filter(|due| *due <= now);
        if let Some(due) =
            self.attention.once_sure(now, due, self.originators.iter().map(Originator::turns))
        {
            // What the workers have polled meanwhile comes first: it may be what is waited for.
            self.take_frames();
            self.lateness.note(now, due);
            self.machine.tick(now);
            self.act(now);
        }
        if now.saturating_sub(self.expired) >= EXPIRE {
            self.expired = now;
            self.expire(now);
        }
        if now.saturating_sub(self.shown) >= SHOW {
            self.show(now);
        }
    }

    fn nap(&self) -> Duration {
        let has_work =
            !self.facts.table.links.is_empty() || self.facts.suppress.iter().any(Option::is_some);
        let longest = if has_work { NAP } else { NAP_IDLE };
        let due = self.machine.due().map(|due| due.saturating_sub(self.clock.now()));
        due.map_or(longest, |due| due.clamp(NAP_BUSY, longest))
    }

    fn expire(&mut self, now: Duration) {
        let suppress = &self.facts.suppress;
        let gone = self.learner.expire(now, |fid| suppress.get(fid.index()).copied().flatten());
        for entry in &gone {
            self.unteach(entry);
        }
        self.statistics.known_neighbors = self.live.neighbors().len() as u64;
        self.answers.prune(now);
        self.lateness.advance(now);
        self.conflicts.retain(|conflict| now.saturating_sub(conflict.at) < CONFLICT_SHOWN);
    }

    /// Forgets who is where in domains in which stations were forgotten.
    fn withdraw(&mut self) {
        let fids: BTreeSet<_> = std::mem::take(&mut self.facts.withdrawn);
        if fids.is_empty() {
            return;
        }
        let gone = self.learner.forget(|entry| fids.contains(&entry.fid));
        for entry in &gone {
            self.unteach(entry);
        }
    }

    /// Does what the machine wants done.
    fn act(&mut self, now: Duration) {
        while let Some(action) = self.machine.poll() {
            match action {
                Action::Send { link, frame } => self.send(link, &frame),
                Action::Resolved { link, next_hop, mac } => {
                    if let Some((_, cell)) = self.next_hops.get(&(link, next_hop)) {
                        cell.set(Some(mac));
                    }
                }
                Action::Unresolved { link, next_hop } => {
                    if let Some((_, cell)) = self.next_hops.get(&(link, next_hop)) {
                        cell.set(None);
                    }
                }
                Action::PeerUp { name } => self.peer(Report::PeerUp { name: name.clone() }, &name),
                Action::PeerDown { name, diagnostic } => {
                    self.peer(Report::PeerDown { name: name.clone(), diagnostic }, &name);
                }
                Action::PathMtu { name, mtu } => self.report(Report::PathMtu { name, mtu }),
                Action::Conflict { link, address, mac } => {
                    let Some(Some((_, link))) = self.facts.ports.get(link.index()) else {
                        continue;
                    };
                    let conflict = Conflict { link: link.clone(), address, mac, at: now };
                    self.conflicts.retain(|old| (&old.link, old.address) != (link, address));
                    self.conflicts.push(conflict.clone());
                    self.report(Report::Conflict(conflict));
                }
            }
        }
    }

    /// A peer is up or down: at once for the workers, then for the control thread.
    fn peer(&self, report: Report, name: &Name) {
        if let Some(cell) = self.peers.get(name) {
            cell.set_up(matches!(report, Report::PeerUp { .. }));
        }
        self.report(report);
    }

    fn report(&self, report: Report) {
        // If the control thread is gone, so are we soon.
        let _ = self.reports.send(report);
    }

    fn send(&mut self, link: UnderlayId, frame: &[u8]) {
        let at = link.index();
        let table = self.facts.table.links.get(at);
        let (Some(link), Some(Some((slot, _)))) = (table, self.facts.ports.get(at)) else { return };
        let (interface, slot): (InterfaceId, _) = (link.interface, *slot);
        let tagged = link.vlan.map(|vlan| tagged(frame, vlan));
        let frame = tagged.as_deref().unwrap_or(frame);
        // Always the same worker for a link, so that its packets stay in order.
        let worker = at.checked_rem(self.originators.len()).unwrap_or_default();
        let by = self.originators.get_mut(worker);
        let sent = by.is_some_and(|by| by.send(interface, slot, frame).is_ok());
        self.count_sent(sent);
    }

    fn show(&mut self, now: Duration) {
        self.shown = now;
        self.board.put(ProtocolView {
            neighbors: self.machine.neighbors().collect(),
            peers: self.machine.peers().collect(),
            conflicts: self.conflicts.clone(),
            statistics: Statistics {
                lateness_max: self.lateness.max(),
                lateness_recent: self.lateness.recent(),
                ..self.statistics
            },
        });
    }
}

/// `frame` with the tag of an underlay VLAN, priority 0.
fn tagged(frame: &[u8], vlan: VlanId) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(frame.len().min(ADDRESSES_LEN));
    [addresses, &TPID, &vlan.get().to_be_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_an_underlay_vlan_stands_behind_the_addresses_with_priority_0() {
        let frame: Vec<u8> = (0..20).collect();

        let tagged = tagged(&frame, VlanId::new(0x123).unwrap());

        assert_eq!(tagged[..12], frame[..12]);
        assert_eq!(tagged[12..16], [0x81, 0x00, 0x01, 0x23]);
        assert_eq!(tagged[16..], frame[12..]);
    }
}
