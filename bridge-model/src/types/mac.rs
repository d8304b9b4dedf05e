//! MAC addresses: any address, and the ones a station may own.

use std::fmt;
use std::str::FromStr;

/// An IEEE 802 MAC address, in the order of transmission.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00, which names nobody.
    pub const ZERO: Self = Self([0; 6]);

    /// An address from its six octets.
    #[inline]
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The address in the low 48 bits of a word, first octet most significant.
    #[inline]
    pub const fn from_u64(word: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = word.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// The octets in transmission order.
    #[inline]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address in the low 48 bits of a word, first octet most significant.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Whether the I/G bit is set: a multicast or the broadcast address.
    #[inline]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether this is ff:ff:ff:ff:ff:ff.
    #[inline]
    pub const fn is_broadcast(self) -> bool {
        self.to_u64() == 0xffff_ffff_ffff
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a MAC address: expected six hexadecimal octets such as 52:54:00:12:34:56")]
pub struct ParseMacError {
    /// What was read.
    pub text: String,
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    /// Reads `aa:bb:cc:dd:ee:ff` or `aa-bb-cc-dd-ee-ff`, in either case.
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let error = || ParseMacError { text: text.to_owned() };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            let part = parts.next().ok_or_else(error)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(error());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        if parts.next().is_some() {
            return Err(error());
        }
        Ok(Self(octets))
    }
}

/// A MAC address that names one station: the only kind that a MAC table may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct IndividualMac(MacAddr);

/// The address is a group address or all-zero, so no station can own it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mac} names no station: expected an individual address (first octet even, not all zero)")]
pub struct NotIndividual {
    /// The refused address.
    pub mac: MacAddr,
}

impl TryFrom<MacAddr> for IndividualMac {
    type Error = NotIndividual;

    fn try_from(mac: MacAddr) -> Result<Self, NotIndividual> {
        if mac.is_group() || mac == MacAddr::ZERO {
            return Err(NotIndividual { mac });
        }
        Ok(Self(mac))
    }
}

impl IndividualMac {
    /// The address as an ordinary one.
    #[inline]
    pub const fn get(self) -> MacAddr {
        self.0
    }
}

impl fmt::Display for IndividualMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_word_round_trip() {
        let mac: MacAddr = "52:54:00:AB:cd:01".parse().unwrap();
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:01");
        assert_eq!(MacAddr::from_u64(mac.to_u64()), mac);
        assert_eq!("52-54-00-ab-cd-01".parse(), Ok(mac));
    }

    #[test]
    fn text_that_is_not_six_octets_is_refused() {
        for text in
            ["", "52:54:00:ab:cd", "52:54:00:ab:cd:01:02", "52:54:00:ab:cd:1", "52:54:00:ab:cd:+1"]
        {
            assert_eq!(text.parse::<MacAddr>(), Err(ParseMacError { text: text.to_owned() }));
        }
    }

    #[test]
    fn only_individual_addresses_name_a_station() {
        assert!(IndividualMac::try_from(MacAddr::new([2, 0, 0, 0, 0, 1])).is_ok());
        assert!(IndividualMac::try_from(MacAddr::BROADCAST).is_err());
        assert!(IndividualMac::try_from(MacAddr::ZERO).is_err());
        assert!(IndividualMac::try_from(MacAddr::new([1, 0, 0x5e, 0, 0, 1])).is_err());
    }
}
