use std::collections::BTreeMap;

use super::*;

type Number = (Fid, MemberId);

fn number(index: u16) -> Number {
    (Fid(7), MemberId(index))
}

/// What a numbering and the workers know, in half seconds.
#[derive(Default)]
struct History {
    retired: Vec<Number>,
    retired_at: BTreeMap<Number, u32>,
    quiesced_at: BTreeMap<Number, u32>,
    released_at: BTreeMap<Number, u32>,
    sweep_began: u32,
}

impl History {
    fn publish(&mut self, subject: &mut Retired, new: Number, now: u32) {
        self.retired.push(new);
        self.retired_at.insert(new, now);
        subject.retire(self.retired.clone(), Vec::new());
    }

    fn quiesce(&mut self, subject: &mut Retired, now: u32) {
        subject.quiesced();
        for number in &self.retired {
            self.quiesced_at.entry(*number).or_insert(now);
        }
    }

    fn sweep_completed(&mut self, subject: &mut Retired, now: u32) {
        let released = subject.sweep_completed().unwrap_or_default();
        for member in released.members {
            let quiesced = self.quiesced_at.get(&member);
            assert!(
                quiesced.is_some_and(|at| *at <= self.sweep_began),
                "{member:?} quiesced {quiesced:?}, the sweep began {}",
                self.sweep_began
            );
            assert!(self.released_at.insert(member, now).is_none(), "{member:?} released twice");
            self.retired.retain(|number| *number != member);
        }
        self.sweep_began = now;
    }
}

#[test]
fn numbers_come_back_in_time_although_something_is_retired_every_half_second() {
    // How long workers take to quiesce, in half seconds; at 3 they never do between publications
    // that follow each other, so only every third publication is quiesced on.
    for publications_between in 1..=3 {
        let (mut subject, mut history) = (Retired::default(), History::default());
        for now in 0..200_u32 {
            // The order within the half second differs from one to the next.
            let sweeps_first = now % 4 == 0;
            if now % 2 == 0 && sweeps_first {
                history.sweep_completed(&mut subject, now);
            }
            history.publish(&mut subject, number(u16::try_from(now).unwrap() + 1), now);
            if now % 2 == 0 && !sweeps_first {
                history.sweep_completed(&mut subject, now);
            }
            if now % publications_between == 0 {
                history.quiesce(&mut subject, now);
            }
            // Two sweeps of a second, the wait for the first to begin, and for quiescence.
            let bound = 6 + publications_between;
            for waiting in &history.retired {
                let since = now - history.retired_at[waiting];
                assert!(since <= bound, "{waiting:?} has waited for {since} half seconds");
            }
        }
        assert!(history.released_at.len() > 190, "{}", history.released_at.len());
        assert!(subject.is_waiting());
    }
}

#[test]
fn nothing_is_released_without_quiescence_however_many_sweeps_pass() {
    let mut subject = Retired::default();
    subject.retire(vec![number(1)], vec![Fid(3)]);
    for _ in 0..5 {
        assert_eq!(subject.sweep_completed(), None);
    }
    subject.quiesced();
    assert_eq!(subject.sweep_completed(), None, "this sweep began before");
    // A later publication neither holds the first ones up nor goes along with them.
    subject.retire(vec![number(1), number(2)], vec![Fid(3)]);
    let released = Released { members: vec![number(1)], fids: vec![Fid(3)] };
    assert_eq!(subject.sweep_completed(), Some(released));
    assert_eq!(subject.sweep_completed(), None);
    subject.quiesced();
    assert_eq!(subject.sweep_completed(), None);
    let released = Released { members: vec![number(2)], fids: vec![] };
    assert_eq!(subject.sweep_completed(), Some(released));
    assert!(!subject.is_waiting());
}

#[test]
fn a_member_that_is_no_longer_named_is_forgotten_and_starts_anew_when_it_is_named_again() {
    let mut subject = Retired::default();
    subject.retire(vec![number(1)], vec![]);
    subject.quiesced();
    assert_eq!(subject.sweep_completed(), None);
    // Its whole domain is retired instead.
    subject.retire(vec![], vec![Fid(7)]);
    assert_eq!(subject.sweep_completed(), None, "the domain has not been quiesced on");
    subject.quiesced();
    subject.retire(vec![number(1)], vec![Fid(7)]);
    assert_eq!(subject.sweep_completed(), None);
    let released = Released { members: vec![], fids: vec![Fid(7)] };
    assert_eq!(subject.sweep_completed(), Some(released));
    assert!(subject.is_waiting(), "the member is still in use");
}
