//! Sets of VIDs, as in a trunk's allowed list.

use std::collections::BTreeSet;
use std::fmt;

use crate::types::VlanId;

/// A set of VIDs. Its text form is a list of numbers and ranges: `10,20-30`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VlanSet(BTreeSet<VlanId>);

impl VlanSet {
    /// Whether `vid` is a member.
    pub fn contains(&self, vid: VlanId) -> bool {
        self.0.contains(&vid)
    }

    /// Adds every VID from `first` to `last`, both included.
    pub fn insert_range(&mut self, first: VlanId, last: VlanId) {
        self.0.extend((first.get()..=last.get()).filter_map(|raw| VlanId::new(raw).ok()));
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = VlanId> + '_ {
        self.0.iter().copied()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members as runs of consecutive VIDs, ascending.
    pub fn ranges(&self) -> Vec<(VlanId, VlanId)> {
        let mut ranges: Vec<(VlanId, VlanId)> = Vec::new();
        for vid in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if last.get() + 1 == vid.get() => *last = vid,
                _ => ranges.push((vid, vid)),
            }
        }
        ranges
    }
}

impl FromIterator<VlanId> for VlanSet {
    fn from_iter<I: IntoIterator<Item = VlanId>>(vids: I) -> Self {
        Self(vids.into_iter().collect())
    }
}

impl fmt::Display for VlanSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges().into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_neighbours() {
        let vids = [10, 11, 12, 20, 4094].map(|raw| VlanId::new(raw).unwrap());
        let set: VlanSet = vids.into_iter().collect();
        assert_eq!(set.to_string(), "10-12,20,4094");
        let mut again = VlanSet::default();
        for (first, last) in set.ranges() {
            again.insert_range(first, last);
        }
        assert_eq!(again, set);
    }
}
