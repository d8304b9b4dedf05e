//! How many stations were learned: per learning domain, per member, per port.
//!
//! Counts are signed: a worker's move is counted when its event arrives, and events of two workers
//! may arrive in either order. Once the event rings are empty the counts are exact, with one
//! exception: while the table grows, a worker on the new table can move a station before the writer
//! has replayed an earlier move from the old table. That earlier move is void (the station's next
//! frame settles the matter) but stays counted. Counts of whole domains are always exact.

use bridge_model::types::{Fid, MemberId, PortId};

#[derive(Debug, Default)]
struct FidCounts {
    learned: i64,
    members: Vec<MemberCount>,
}

#[derive(Clone, Copy, Debug, Default)]
struct MemberCount {
    learned: i64,
    port: Option<PortId>,
}

/// Learned entries; static ones are not counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    fids: Vec<FidCounts>,
    ports: Vec<i64>,
}

fn at<T: Default>(items: &mut Vec<T>, index: usize) -> &mut T {
    if items.len() <= index {
        items.resize_with(index + 1, T::default);
    }
    &mut items[index]
}

impl Counts {
    /// Says which port a member is counted for; its entries so far move along.
    pub(super) fn assign(&mut self, fid: Fid, member: MemberId, port: PortId) {
        let count = at(&mut at(&mut self.fids, fid.index()).members, member.index());
        if count.port == Some(port) {
            return;
        }
        let (learned, before) = (count.learned, count.port.replace(port));
        if let Some(before) = before {
            *at(&mut self.ports, before.index()) -= learned;
        }
        *at(&mut self.ports, port.index()) += learned;
    }

    /// Counts `change` more entries of a member.
    pub(super) fn add(&mut self, fid: Fid, member: MemberId, change: i64) {
        let fid = at(&mut self.fids, fid.index());
        fid.learned += change;
        let count = at(&mut fid.members, member.index());
        count.learned += change;
        if let Some(port) = count.port {
            *at(&mut self.ports, port.index()) += change;
        }
    }

    /// Counts an entry that went from one member to another.
    pub(super) fn transfer(&mut self, fid: Fid, from: MemberId, to: MemberId) {
        self.add(fid, from, -1);
        self.add(fid, to, 1);
    }

    pub(super) fn of_fid(&self, fid: Fid) -> u64 {
        count(self.fids.get(fid.index()).map(|fid| fid.learned))
    }

    pub(super) fn of_member(&self, fid: Fid, member: MemberId) -> u64 {
        let fid = self.fids.get(fid.index());
        count(fid.and_then(|fid| fid.members.get(member.index())).map(|member| member.learned))
    }

    /// The entries of the port that a member is counted for, or of the member if it has none.
    pub(super) fn of_port_behind(&self, fid: Fid, member: MemberId) -> u64 {
        let members = self.fids.get(fid.index()).map(|fid| &fid.members);
        match members.and_then(|members| members.get(member.index())) {
            Some(MemberCount { port: Some(port), .. }) => self.of_port(*port),
            Some(MemberCount { learned, port: None }) => count(Some(*learned)),
            None => 0,
        }
    }

    pub(super) fn of_port(&self, port: PortId) -> u64 {
        count(self.ports.get(port.index()).copied())
    }
}

fn count(learned: Option<i64>) -> u64 {
    learned.and_then(|learned| u64::try_from(learned).ok()).unwrap_or(0)
}
