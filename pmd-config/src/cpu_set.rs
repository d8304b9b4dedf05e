//! Sets of CPU numbers, read and written as lists such as `2,4-7`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A set of CPU numbers as the kernel counts them.
///
/// Text form: `2,4-7`, which is also what sysfs prints. Masks are not accepted: nobody reads them
/// without an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(into = "String")]
pub struct CpuSet(BTreeSet<u32>);

/// The text is not a list of CPUs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCpuSetError {
    /// A hexadecimal mask.
    #[error("{text:?} is a mask: expected a list of CPU numbers such as \"2,4-7\"")]
    Mask {
        /// What was read.
        text: String,
    },
    /// One element is neither a number nor a range.
    #[error("{part:?} is not a CPU number or a range: expected a list such as \"2,4-7\"")]
    Part {
        /// The element.
        part: String,
    },
    /// A range runs downwards.
    #[error("{first}-{last} is an empty range: write the smaller number first")]
    Reversed {
        /// Left of the dash.
        first: u32,
        /// Right of the dash.
        last: u32,
    },
    /// A number above [`CpuSet::MAX`].
    #[error("{number} is not a CPU number: the largest one that can be named is {max}", max = CpuSet::MAX)]
    TooLarge {
        /// The number.
        number: u32,
    },
    /// A CPU is named twice.
    #[error("CPU {cpu} is named twice")]
    Twice {
        /// The CPU.
        cpu: u32,
    },
    /// Nothing between the quotes.
    #[error("the list is empty: expected CPU numbers such as \"2,4-7\"")]
    Empty,
}

impl CpuSet {
    /// The largest CPU number: Linux supports 8192 CPUs (`NR_CPUS`) in its largest configuration.
    pub const MAX: u32 = 8191;

    /// The set without members.
    pub const fn empty() -> Self {
        Self(BTreeSet::new())
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether `cpu` is a member.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest member.
    pub fn first(&self) -> Option<u32> {
        self.0.first().copied()
    }

    /// The members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    /// The members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// The members of this set that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    /// What sysfs says: as [`FromStr`], but an empty line is the empty set and overlaps are no error.
    pub(crate) fn from_kernel(text: &str) -> Option<Self> {
        let mut set = BTreeSet::new();
        for part in text.trim().split(',').filter(|part| !part.is_empty()) {
            let (first, last) = range(part).ok()?;
            set.extend(first..=last);
        }
        Some(Self(set))
    }
}

fn range(part: &str) -> Result<(u32, u32), ParseCpuSetError> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number: Option<u32> = digits.then(|| text.parse().ok()).flatten();
        number.ok_or_else(|| ParseCpuSetError::Part { part: part.to_owned() })
    };
    let (first, last) = match part.split_once('-') {
        Some((first, last)) => (number(first.trim_end())?, number(last.trim_start())?),
        None => (number(part)?, number(part)?),
    };
    match first.max(last) {
        number if number > CpuSet::MAX => Err(ParseCpuSetError::TooLarge { number }),
        _ if first > last => Err(ParseCpuSetError::Reversed { first, last }),
        _ => Ok((first, last)),
    }
}

impl FromStr for CpuSet {
    type Err = ParseCpuSetError;

    fn from_str(text: &str) -> Result<Self, ParseCpuSetError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(ParseCpuSetError::Empty);
        }
        if trimmed.starts_with("0x") || trimmed.starts_with("0X") {
            return Err(ParseCpuSetError::Mask { text: trimmed.to_owned() });
        }
        let mut set = BTreeSet::new();
        for part in trimmed.split(',') {
            let (first, last) = range(part.trim())?;
            for cpu in first..=last {
                if !set.insert(cpu) {
                    return Err(ParseCpuSetError::Twice { cpu });
                }
            }
        }
        Ok(Self(set))
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> Self {
        set.to_string()
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                1 => write!(f, "{separator}{first},{last}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(text.parse::<CpuSet>().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_list_names_cpus_and_ranges() {
        let set: CpuSet = "2, 4-7".parse().unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [2, 4, 5, 6, 7]);
        assert_eq!(set.to_string(), "2,4-7");
        assert_eq!("0-1".parse::<CpuSet>().unwrap().to_string(), "0,1");
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_reason() {
        refused("0xff", "\"0xff\" is a mask: expected a list of CPU numbers such as \"2,4-7\"");
        refused("", "the list is empty: expected CPU numbers such as \"2,4-7\"");
        refused("2,,3", "\"\" is not a CPU number or a range: expected a list such as \"2,4-7\"");
        refused("-1", "\"-1\" is not a CPU number or a range: expected a list such as \"2,4-7\"");
        refused("+1", "\"+1\" is not a CPU number or a range: expected a list such as \"2,4-7\"");
        refused("7-4", "7-4 is an empty range: write the smaller number first");
        refused("2,1-3", "CPU 2 is named twice");
        refused("0-9999", "9999 is not a CPU number: the largest one that can be named is 8191");
    }

    #[test]
    fn the_kernel_may_say_none() {
        assert_eq!(CpuSet::from_kernel("\n"), Some(CpuSet::empty()));
        assert_eq!(CpuSet::from_kernel("(null)"), None);
    }

    proptest! {
        #[test]
        fn text_round_trips(cpus in prop::collection::btree_set(0u32..200, 1..40)) {
            let set = CpuSet(cpus);
            prop_assert_eq!(set.to_string().parse::<CpuSet>(), Ok(set));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,40}") {
            let _ = text.parse::<CpuSet>();
            let _ = CpuSet::from_kernel(&text);
        }
    }
}
