//! Memory of request ids: a request that is repeated because its answer was lost is not done twice.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How many requests are remembered: a minute of a busy orchestrator, some 100 octets each plus the
/// answers.
const LIMIT: usize = 1024;

/// For how long.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// The id was used before, for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request id was used for another request: use a new id for each")]
pub struct Reused;

#[derive(Debug)]
struct Remembered<A> {
    request: u64,
    answer: A,
}

/// The answers that were given, by request id.
#[derive(Debug)]
pub struct RequestMemory<A> {
    answers: HashMap<String, Remembered<A>>,
    /// In the order of time.
    given: VecDeque<(Duration, String)>,
}

impl<A> Default for RequestMemory<A> {
    fn default() -> Self {
        Self { answers: HashMap::new(), given: VecDeque::new() }
    }
}

impl<A: Clone> RequestMemory<A> {
    /// The answer that was given to `id` if it came with the same `request` (a digest of it).
    pub fn recall(&mut self, now: Duration, id: &str, request: u64) -> Result<Option<A>, Reused> {
        self.forget(now);
        match self.answers.get(id) {
            Some(known) if known.request == request => Ok(Some(known.answer.clone())),
            Some(_) => Err(Reused),
            None => Ok(None),
        }
    }

    /// Notes the answer to `id`.
    pub fn remember(&mut self, now: Duration, id: &str, request: u64, answer: A) {
        let remembered = Remembered { request, answer };
        if self.answers.insert(id.to_owned(), remembered).is_none() {
            self.given.push_back((now, id.to_owned()));
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Duration) {
        while let Some((given, _)) = self.given.front()
            && (self.given.len() > LIMIT || now.saturating_sub(*given) >= LIFE)
        {
            if let Some((_, id)) = self.given.pop_front() {
                self.answers.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Duration = Duration::from_secs(5);

    #[test]
    fn a_repeated_request_gets_the_first_answer_and_another_one_is_refused() {
        let mut memory = RequestMemory::default();
        assert_eq!(memory.recall(T0, "a", 1), Ok(None));

        memory.remember(T0, "a", 1, "first");

        assert_eq!(memory.recall(T0, "a", 1), Ok(Some("first")));
        assert_eq!(memory.recall(T0, "a", 2), Err(Reused));
        assert_eq!(memory.recall(T0, "b", 1), Ok(None));
    }

    #[test]
    fn an_id_is_forgotten_after_a_day() {
        let mut memory = RequestMemory::default();
        memory.remember(T0, "a", 1, ());

        let almost = LIFE.saturating_sub(Duration::from_nanos(1));
        assert_eq!(memory.recall(T0 + almost, "a", 1), Ok(Some(())));
        assert_eq!(memory.recall(T0 + LIFE, "a", 1), Ok(None));
    }

    #[test]
    fn the_oldest_id_makes_room_for_the_newest() {
        let mut memory = RequestMemory::default();
        for id in 0..=LIMIT {
            memory.remember(T0, &id.to_string(), 0, id);
        }

        assert_eq!(memory.recall(T0, "0", 0), Ok(None));
        assert_eq!(memory.recall(T0, "1", 0), Ok(Some(1)));
        assert_eq!(memory.answers.len(), LIMIT);
    }
}
