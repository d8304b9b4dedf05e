//! Amounts of memory, read and written with a binary unit.

use std::fmt;
use std::str::FromStr;

/// An amount of memory in octets; text form `512MiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Octets(pub u64);

/// The text is not an amount of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseOctetsError {
    /// A number alone.
    #[error("{text:?} has no unit: write \"{text}MiB\" or \"{text}GiB\"")]
    NoUnit {
        /// What was read.
        text: String,
    },
    /// Not `KiB`, `MiB` or `GiB`.
    #[error("{unit:?} is not a unit of memory: expected KiB, MiB or GiB")]
    Unit {
        /// What follows the digits.
        unit: String,
    },
    /// Nothing that starts with a digit, or more than 64 bits hold.
    #[error(
        "{text:?} is not an amount of memory: expected a whole number and a unit, such as \"512MiB\""
    )]
    Number {
        /// What was read.
        text: String,
    },
}

impl Octets {
    /// `mib` mebibytes.
    pub const fn mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    /// The amount in mebibytes, rounded up.
    pub const fn to_mib_ceil(self) -> u64 {
        self.0.div_ceil(1024 * 1024)
    }
}

impl FromStr for Octets {
    type Err = ParseOctetsError;

    fn from_str(text: &str) -> Result<Self, ParseOctetsError> {
        let text = text.trim();
        let wrong = || ParseOctetsError::Number { text: text.to_owned() };
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        if digits.is_empty() {
            return Err(wrong());
        }
        let shift = match unit.trim_start() {
            "" => return Err(ParseOctetsError::NoUnit { text: text.to_owned() }),
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            unit => return Err(ParseOctetsError::Unit { unit: unit.to_owned() }),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Octets {
    /// Whole GiB or MiB where exact, else MiB rounded up; below one MiB in KiB, rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            octets if octets < 1 << 20 => write!(f, "{}KiB", octets.div_ceil(1 << 10)),
            octets if octets % (1 << 30) == 0 => write!(f, "{}GiB", octets >> 30),
            _ => write!(f, "{}MiB", self.to_mib_ceil()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(text.parse::<Octets>().unwrap_err().to_string(), message);
    }

    #[test]
    fn an_amount_has_a_binary_unit() {
        assert_eq!("512MiB".parse(), Ok(Octets::mib(512)));
        assert_eq!("2 GiB".parse(), Ok(Octets::mib(2048)));
        assert_eq!("512KiB".parse(), Ok(Octets(512 << 10)));
        refused("512", "\"512\" has no unit: write \"512MiB\" or \"512GiB\"");
        refused("512MB", "\"MB\" is not a unit of memory: expected KiB, MiB or GiB");
        refused("1.5GiB", "\".5GiB\" is not a unit of memory: expected KiB, MiB or GiB");
        let expected =
            "is not an amount of memory: expected a whole number and a unit, such as \"512MiB\"";
        refused("lots", &format!("\"lots\" {expected}"));
        refused("-1MiB", &format!("\"-1MiB\" {expected}"));
        refused("99999999999GiB", &format!("\"99999999999GiB\" {expected}"));
    }

    proptest! {
        #[test]
        fn whole_mebibytes_round_trip(mib in 1u64..1 << 40) {
            prop_assert_eq!(Octets::mib(mib).to_string().parse(), Ok(Octets::mib(mib)));
        }
    }
}
