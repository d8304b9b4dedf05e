//! The neighbour table: who announced itself by LLDP, on which trunk.

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_model::types::{InterfaceId, Name};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::lldp::{LldpError, Neighbor};

/// How many neighbours are remembered: a trunk has one, so more than a few per interface are noise
/// or an attack.
const LIMIT: usize = 256;

/// A neighbour and when it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The interface it was heard on.
    pub interface: InterfaceId,
    /// The port it was heard on, if one is known.
    pub port: Option<Name>,
    /// What it said.
    pub neighbor: Neighbor,
    /// When it was last heard.
    pub last_seen: Duration,
}

/// By interface, chassis and port of the neighbour.
type Key = (InterfaceId, String, String);

/// The neighbours whose time to live is not over.
#[derive(Clone, Debug, Default)]
pub struct Neighbors {
    heard: BTreeMap<Key, Heard>,
}

impl Neighbors {
    /// Takes note of an LLDP frame. True if the neighbour was not known.
    ///
    /// # Errors
    /// The frame is no LLDP message.
    pub fn frame(
        &mut self,
        now: Duration,
        (interface, port): (InterfaceId, Option<Name>),
        frame: &[u8],
    ) -> Result<bool, LldpError> {
        let header = Header::parse(frame).map_err(|_| LldpError::NotLldp)?;
        let neighbor = Neighbor::parse(frame, &header)?;
        self.expire(now);
        let key = (interface, neighbor.chassis.text.clone(), neighbor.port.text.clone());
        // A time to live of 0 says good-bye.
        if neighbor.time_to_live.is_zero() {
            self.heard.remove(&key);
            return Ok(false);
        }
        if self.heard.len() >= LIMIT && !self.heard.contains_key(&key) {
            return Ok(false);
        }
        let heard = Heard { interface, port, neighbor, last_seen: now };
        Ok(self.heard.insert(key, heard).is_none())
    }

    /// Forgets neighbours that were silent for longer than they said.
    pub fn expire(&mut self, now: Duration) {
        self.heard
            .retain(|_, heard| now.saturating_sub(heard.last_seen) < heard.neighbor.time_to_live);
    }

    /// In the order of interfaces.
    pub fn iter(&self) -> impl Iterator<Item = &Heard> {
        self.heard.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: InterfaceId = InterfaceId(3);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An LLDP frame of chassis `name`, port `eth0`, as IEEE 802.1AB lays it out.
    fn frame(name: &str, time_to_live: u8) -> Vec<u8> {
        let mut frame = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 9, 0x88, 0xcc];
        let mut tlv = |kind: u8, value: &[u8]| {
            frame.extend([kind << 1, u8::try_from(value.len()).unwrap()]);
            frame.extend(value);
        };
        tlv(1, &[&[7], name.as_bytes()].concat());
        tlv(2, b"\x05eth0");
        tlv(3, &[0, time_to_live]);
        tlv(0, &[]);
        frame
    }

    fn names(neighbors: &Neighbors) -> Vec<&str> {
        neighbors.iter().map(|heard| heard.neighbor.chassis.text.as_str()).collect()
    }

    #[test]
    fn a_neighbour_is_known_exactly_as_long_as_it_said() {
        let mut neighbors = Neighbors::default();
        assert_eq!(neighbors.frame(at(0), (PORT, None), &frame("sw1", 120)), Ok(true));
        assert_eq!(neighbors.frame(at(30), (PORT, None), &frame("sw1", 120)), Ok(false));

        neighbors.expire(at(149));
        assert_eq!(names(&neighbors), ["sw1"]);
        neighbors.expire(at(150));
        assert_eq!(names(&neighbors), [""; 0]);
    }

    #[test]
    fn a_neighbour_that_says_good_bye_is_forgotten_at_once() {
        let mut neighbors = Neighbors::default();
        neighbors.frame(at(0), (PORT, None), &frame("sw1", 120)).unwrap();
        neighbors.frame(at(1), (PORT, None), &frame("sw1", 0)).unwrap();

        assert_eq!(names(&neighbors), [""; 0]);
    }

    #[test]
    fn a_flood_of_neighbours_is_bounded_and_the_known_ones_stay() {
        let mut neighbors = Neighbors::default();
        for index in 0..2 * LIMIT {
            neighbors.frame(at(0), (PORT, None), &frame(&format!("sw{index}"), 120)).unwrap();
        }

        assert_eq!(neighbors.heard.len(), LIMIT);
        assert_eq!(neighbors.frame(at(1), (PORT, None), &frame("sw0", 120)), Ok(false));
        assert!(names(&neighbors).contains(&"sw0"));
    }

    #[test]
    fn garbage_is_an_error_and_changes_nothing() {
        let mut neighbors = Neighbors::default();
        for length in 0..frame("sw1", 120).len() - 2 {
            assert!(neighbors.frame(at(0), (PORT, None), &frame("sw1", 120)[..length]).is_err());
        }

        assert_eq!(names(&neighbors), [""; 0]);
    }
}
