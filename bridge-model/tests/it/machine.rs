//! The compiled tables, interpreted as their documentation says: one look-up with key (fid, MAC), and
//! a plain map for a MAC table. It shares nothing with the oracle, so a fault in the compiler or in
//! the oracle shows as a difference.

mod answer;
mod leave;
mod underlay;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::{
    Class, Compiled, HostView, MacLimit, MemberRoute, Numbering, OverLimit, ReservedAction, Scope,
    StormLimits, StormRate, TaggedClasses, compile,
};
use bridge_model::oracle::{Learned, Notice, Outcome};
use bridge_model::reason::DropReason;
use bridge_model::topology::Topology;
use bridge_model::types::{
    Fid, IndividualMac, InterfaceId, MacAddr, MemberId, Name, PortId, Priority, Revision, Tpid,
    UnderlayId, VlanId, VlanTag,
};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::reserved::{self, ReservedClass};

/// Billionths of a frame, and when the bucket was filled last.
type Bucket = (u128, Duration);
/// The port, the VID of a bucket for one VID, which kind of flooding, and the rate: another rate is
/// another bucket.
type BucketKey = (Name, Option<VlanId>, u8, (u32, u32));

const FRAME: u128 = 1_000_000_000;

use leave::{Leaving, Passing};

pub(crate) struct Machine {
    pub(crate) numbering: Numbering,
    pub(crate) compiled: Compiled,
    topology: Topology,
    view: HostView,
    now: Duration,
    learned: BTreeMap<(Fid, IndividualMac), (MemberId, Duration)>,
    buckets: BTreeMap<BucketKey, Bucket>,
    /// Next hops on the underlay that are resolved.
    neighbors: BTreeMap<IpAddr, MacAddr>,
    /// Stations of a bridge by IP address, and whether they are routers.
    known: BTreeMap<(Name, IpAddr), (MacAddr, bool)>,
    /// What the protocols are told of the last frame.
    pub(crate) notices: Vec<Notice>,
}

/// Where a frame belongs.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Bridge(Ingress),
    Underlay(UnderlayId),
    Kernel(UnderlayId),
}

/// Where it came in, as its learning domain sees it.
#[derive(Clone, Copy, Debug)]
struct Ingress {
    fid: Fid,
    member: MemberId,
}

/// What a member counts for and is limited by: a port, and a VID of it. `None` is a tunnel.
type PortAndVid = Option<(PortId, Option<VlanId>)>;

impl Machine {
    pub(crate) fn new(topology: &Topology, view: &HostView) -> Self {
        let mut numbering = Numbering::default();
        let compiled = compile(topology, view, &mut numbering, Revision(1)).unwrap();
        Self {
            numbering,
            compiled,
            topology: topology.clone(),
            view: view.clone(),
            now: Duration::ZERO,
            learned: BTreeMap::new(),
            buckets: BTreeMap::new(),
            neighbors: BTreeMap::new(),
            known: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    /// A next hop is resolved, or is so no more.
    pub(crate) fn resolve(&mut self, next_hop: IpAddr, mac: Option<MacAddr>) {
        match mac {
            Some(mac) => self.neighbors.insert(next_hop, mac),
            None => self.neighbors.remove(&next_hop),
        };
    }

    /// What the MAC writer does after every publication: entries of retired numbers go, and the
    /// numbers are released.
    fn sweep(&mut self) {
        let members = self.numbering.retired();
        let fids = self.numbering.retired_fids();
        self.learned.retain(|(fid, _), (member, _)| {
            !fids.contains(fid) && !members.contains(&(*fid, *member))
        });
        self.numbering.release(&members, &fids);
        for (fid, _, mac) in &self.compiled.static_macs {
            self.learned.remove(&(*fid, *mac));
        }
    }

    pub(crate) fn reconfigure(&mut self, topology: &Topology, view: &HostView) {
        self.topology = topology.clone();
        self.view = view.clone();
        self.recompile();
    }

    fn recompile(&mut self) {
        let next = compile(&self.topology, &self.view, &mut self.numbering, Revision(2));
        self.compiled = next.unwrap();
        self.sweep();
        let ports = &self.compiled.tables.ports;
        self.buckets.retain(|(name, vid, kind, numbers), _| {
            let port = ports.iter().find(|port| port.name == *name);
            let limits =
                port.map(|port| if vid.is_some() { port.storm_per_vid } else { port.storm });
            let rate = limits.and_then(|limits| pick(&limits, *kind));
            rate.map(|rate| (rate.frames_per_second, rate.burst)) == Some(*numbers)
        });
    }

    pub(crate) fn flush(&mut self, scope: &Scope) {
        self.numbering.retire(&self.topology, scope);
        self.recompile();
    }

    pub(crate) fn tick(&mut self, now: Duration) {
        self.now = now;
        let fids = &self.compiled.tables.fids;
        self.learned.retain(|(fid, _), (_, seen)| {
            now.saturating_sub(*seen) <= fids.get(fid.index()).map_or(Duration::ZERO, |f| f.ageing)
        });
    }

    pub(crate) fn learned(&self) -> Vec<Learned> {
        let mut learned: Vec<Learned> = self
            .learned
            .iter()
            .map(|((fid, mac), (member, _))| {
                let at = self.numbering.locate(*fid, *member).unwrap();
                let (domain, payload_vid) = self.numbering.domain_of(*fid).unwrap();
                let domain_vid = match domain {
                    bridge_model::compile::Domain::Transit(_, vid) => Some(*vid),
                    _ => payload_vid,
                };
                let is_trunk = self.topology.trunks.contains_key(&at.port);
                let vid = is_trunk.then(|| (at.vid.unwrap(), at.inner_vid));
                Learned { owner: at.owner, domain_vid, mac: *mac, port: at.port, vid }
            })
            .collect();
        learned.sort();
        learned
    }

    pub(crate) fn frame(&mut self, now: Duration, interface: InterfaceId, frame: &[u8]) -> Outcome {
        self.tick(now);
        self.notices.clear();
        self.decide(interface, frame).unwrap_or_else(Outcome::Dropped)
    }

    fn decide(&mut self, interface: InterfaceId, frame: &[u8]) -> Result<Outcome, DropReason> {
        let header = Header::parse(frame).map_err(|_| DropReason::Malformed)?;
        let source = IndividualMac::try_from(header.source).map_err(|_| DropReason::BadSource)?;
        let tables = &self.compiled.tables;
        let ingress = tables.interfaces.get(interface.index()).ok_or(DropReason::PortUnbound)?;
        if let Some(class) = reserved::classify(frame, &header) {
            let action = ingress.reserved.action(class);
            return self.reserved(interface, class, action, &header, frame);
        }
        let (arrival, popped) = classify(&ingress.tagged, &ingress.untagged, &header)?;
        let priority = header.outer.map(VlanTag::priority).unwrap_or_default();
        let passing = Passing { frame, header, popped, priority };
        match arrival {
            Arrival::Bridge(ingress) => self.bridged(ingress, source, &passing),
            Arrival::Underlay(link) => self.received(link, &passing),
            Arrival::Kernel(link) => Ok(self.to_link(link, &passing)),
        }
    }

    /// Section 4.
    fn bridged(
        &mut self,
        ingress: Ingress,
        source: IndividualMac,
        passing: &Passing<'_>,
    ) -> Result<Outcome, DropReason> {
        let fid = &self.compiled.tables.fids[ingress.fid.index()];
        let port = match fid.members[ingress.member.index()].route {
            MemberRoute::Port { port, vid, .. } => Some((port, vid)),
            MemberRoute::Tunnel { .. } => None,
            MemberRoute::Retired => panic!("a class names a retired member"),
        };
        let destination = passing.header.destination;
        if destination.is_group() {
            self.storm(port, u8::from(!destination.is_broadcast()))?;
        }
        self.learn(ingress, port, source)?;
        self.forward(ingress, port, passing)
    }

    fn reserved(
        &self,
        interface: InterfaceId,
        class: ReservedClass,
        action: ReservedAction,
        header: &Header,
        frame: &[u8],
    ) -> Result<Outcome, DropReason> {
        let tagged = header.outer_vid_raw().filter(|vid| *vid != 0);
        if let ReservedAction::Drop(reason) = action {
            return Err(reason);
        }
        if matches!(class, ReservedClass::LinkLocal(0 | 8)) && tagged.is_some() {
            return Err(DropReason::BpduTagged);
        }
        if let ReservedAction::Consume(reason) = action {
            return Ok(Outcome::Consumed(reason));
        }
        let mut leaving = Leaving::default();
        let passing = Passing { frame, header: *header, popped: 0, priority: Priority::default() };
        for relay in &self.compiled.tables.interfaces[interface.index()].reserved.relay {
            if tagged.is_none_or(|raw| relay.vids.iter().any(|vid| vid.get() == raw)) {
                self.leave_by(relay.interface, &passing, &[], &mut leaving);
            }
        }
        if leaving.is_empty() {
            return Err(DropReason::BpduNoRelay);
        }
        Ok(leaving.outcome())
    }

    fn storm(&mut self, port: PortAndVid, kind: u8) -> Result<(), DropReason> {
        let Some((port, vid)) = port else { return Ok(()) };
        let table = &self.compiled.tables.ports[usize::from(port.0)];
        let reason = match kind {
            0 => DropReason::StormBroadcast,
            1 => DropReason::StormMulticast,
            _ => DropReason::StormUnknown,
        };
        let mut wanted: Vec<(BucketKey, StormRate)> = Vec::new();
        let key = |vid, rate: StormRate| {
            let numbers = (rate.frames_per_second, rate.burst);
            ((table.name.clone(), vid, kind, numbers), rate)
        };
        wanted.extend(pick(&table.storm, kind).map(|rate| key(None, rate)));
        if vid.is_some() {
            wanted.extend(pick(&table.storm_per_vid, kind).map(|rate| key(vid, rate)));
        }
        for (key, rate) in &wanted {
            let full = u128::from(rate.burst) * FRAME;
            let (level, filled) = self.buckets.entry(key.clone()).or_insert((full, self.now));
            let gained =
                self.now.saturating_sub(*filled).as_nanos() * u128::from(rate.frames_per_second);
            *level = (*level + gained).min(full);
            *filled = self.now;
            if *level < FRAME {
                return Err(reason);
            }
        }
        for (key, _) in &wanted {
            self.buckets.get_mut(key).unwrap().0 -= FRAME;
        }
        Ok(())
    }

    fn static_member(&self, fid: Fid, mac: IndividualMac) -> Option<MemberId> {
        let statics = &self.compiled.static_macs;
        statics.iter().find(|(f, _, m)| (*f, *m) == (fid, mac)).map(|(_, member, _)| *member)
    }

    fn learn(
        &mut self,
        arrival: Ingress,
        port: PortAndVid,
        source: IndividualMac,
    ) -> Result<(), DropReason> {
        if let Some(member) = self.static_member(arrival.fid, source) {
            let at_home = member == arrival.member;
            return if at_home { Ok(()) } else { Err(DropReason::StaticMacViolation) };
        }
        let key = (arrival.fid, source);
        let known = self.learned.get(&key).map(|(member, _)| *member);
        if known != Some(arrival.member) {
            let tables = &self.compiled.tables;
            let port = port.map(|(port, _)| port);
            let port_limit = port.and_then(|port| tables.ports[usize::from(port.0)].mac_limit);
            let fid_limit = self.compiled.tables.fids[arrival.fid.index()].mac_limit;
            let on_port = self.learned.iter().filter(|((fid, _), (member, _))| {
                let member = &self.compiled.tables.fids[fid.index()].members[member.index()];
                matches!(member.route, MemberRoute::Port { port: p, .. } if Some(p) == port)
            });
            let in_fid = self.learned.keys().filter(|(fid, _)| *fid == arrival.fid).count();
            let over = |limit: Option<MacLimit>, count: usize| {
                limit.filter(|limit| count >= limit.entries as usize).map(|limit| limit.over)
            };
            let broken = [
                over(port_limit, on_port.count()),
                over(fid_limit, in_fid).filter(|_| known.is_none()),
            ];
            if broken.contains(&Some(OverLimit::Drop)) {
                return Err(DropReason::MacLimit);
            }
            if broken.contains(&Some(OverLimit::Forward)) {
                return Ok(());
            }
        }
        self.learned.insert(key, (arrival.member, self.now));
        Ok(())
    }

    /// Where a station is.
    fn member_of(&self, fid: Fid, mac: MacAddr) -> Option<MemberId> {
        let mac = IndividualMac::try_from(mac).ok()?;
        let learned = self.learned.get(&(fid, mac)).map(|(member, _)| *member);
        self.static_member(fid, mac).or(learned)
    }

    fn forward(
        &mut self,
        ingress: Ingress,
        port: PortAndVid,
        passing: &Passing<'_>,
    ) -> Result<Outcome, DropReason> {
        let header = &passing.header;
        if header.destination == header.source {
            return Err(DropReason::Hairpin);
        }
        let known = self.member_of(ingress.fid, header.destination);
        if known.is_none() && !header.destination.is_group() {
            self.storm(port, 2)?;
        }
        if known.is_none()
            && let Some(answer) = self.answer(ingress, passing)
        {
            return Ok(answer);
        }
        let fid = &self.compiled.tables.fids[ingress.fid.index()];
        let group = fid.members[ingress.member.index()].split_horizon;
        let mut targets = match known {
            Some(member) if member == ingress.member => return Err(DropReason::Hairpin),
            Some(member) => vec![member],
            None => fid.flood.clone(),
        };
        targets.retain(|member| *member != ingress.member);
        if targets.is_empty() {
            return Err(DropReason::NoDestination);
        }
        targets.retain(|member| {
            let other = fid.members[member.index()].split_horizon;
            group == 0 || other != group
        });
        if targets.is_empty() {
            return Err(DropReason::SplitHorizon);
        }
        let mut leaving = Leaving::default();
        for member in targets {
            self.leave(fid, member, passing, &mut leaving);
        }
        // Nobody answers for a station that nobody knows.
        self.notices = leaving.take_notices();
        self.notices.retain(|notice| known.is_some() || !matches!(notice, Notice::TooBig { .. }));
        Ok(leaving.outcome())
    }
}

fn pick(limits: &StormLimits, kind: u8) -> Option<StormRate> {
    match kind {
        0 => limits.broadcast,
        1 => limits.multicast,
        _ => limits.unknown_unicast,
    }
}

/// Where a frame belongs, and how many tags come off.
fn classify(
    tagged: &TaggedClasses,
    untagged: &Class,
    header: &Header,
) -> Result<(Arrival, usize), DropReason> {
    let Some(tag) = header.outer else { return resolve(untagged, None, 0) };
    let raw = tag.vid_raw();
    match tagged {
        TaggedClasses::Trunk { tpid, .. } if *tpid != tag.tpid => Err(DropReason::BadTpid),
        TaggedClasses::Trunk { classes, .. } => match VlanId::new(raw) {
            Ok(vid) => resolve(classes.get(vid), header.inner, 1),
            Err(_) if raw == 0 => resolve(untagged, None, 1),
            Err(_) => Err(DropReason::VlanReserved),
        },
        TaggedClasses::Transparent { .. } if raw == 4095 => Err(DropReason::VlanReserved),
        TaggedClasses::Transparent { base, member } => {
            let fid = Fid(base.0 + raw);
            Ok((Arrival::Bridge(Ingress { fid, member: *member }), 0))
        }
        TaggedClasses::All(Class::Drop(DropReason::TaggedOnAccess)) if raw == 0 => {
            resolve(untagged, None, 1)
        }
        TaggedClasses::All(Class::Drop(DropReason::TaggedOnAccess)) if raw == 4095 => {
            Err(DropReason::VlanReserved)
        }
        TaggedClasses::All(class) => resolve(class, None, 1),
    }
}

fn resolve(
    class: &Class,
    inner: Option<VlanTag>,
    popped: usize,
) -> Result<(Arrival, usize), DropReason> {
    match class {
        Class::Forward { fid, member } => {
            Ok((Arrival::Bridge(Ingress { fid: *fid, member: *member }), popped))
        }
        Class::Underlay(link) => Ok((Arrival::Underlay(*link), popped)),
        Class::Kernel(link) => Ok((Arrival::Kernel(*link), popped)),
        Class::Drop(reason) => Err(*reason),
        Class::Stacked(classes) => {
            let inner = inner.filter(|tag| tag.tpid == Tpid::CTag);
            let vid = inner.and_then(|tag| VlanId::new(tag.vid_raw()).ok());
            resolve(classes.get(vid.ok_or(DropReason::VlanUnknown)?), None, popped + 1)
        }
    }
}
