//! The Internet checksum (RFC 1071).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A sum of 16-bit words that is not folded yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Adds octets; an odd one at the end counts as the upper half of a word, so only the last part
    /// may have an odd length.
    #[must_use]
    pub fn octets(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let words = bytes.chunks_exact(4);
        let rest = words.remainder();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        sum += u64::from(u32::from_be_bytes(last));
        for word in words {
            sum += word.try_into().map_or(0, |word| u64::from(u32::from_be_bytes(word)));
        }
        Self(sum)
    }

    /// Adds one word.
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// Adds the pseudo header of an upper-layer packet of `octets` (RFC 9293 section 3.1, RFC 8200
    /// section 8.1). Two addresses of different families add nothing meaningful.
    #[must_use]
    pub fn pseudo(self, source: IpAddr, destination: IpAddr, protocol: u8, octets: u32) -> Self {
        let address = |sum: Self, address: IpAddr| match address {
            IpAddr::V4(v4) => sum.octets(&Ipv4Addr::octets(&v4)),
            IpAddr::V6(v6) => sum.octets(&Ipv6Addr::octets(&v6)),
        };
        address(address(self, source), destination)
            .word(u16::from(protocol))
            .octets(&octets.to_be_bytes())
    }

    /// What goes into a checksum field that was zero in the sum.
    pub const fn checksum(self) -> u16 {
        !self.folded()
    }

    /// Whether the sum, with the checksum field in it, says that nothing was changed.
    pub const fn is_correct(self) -> bool {
        self.folded() == 0xffff
    }

    const fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        // Below 2^16.
        (sum & 0xffff) as u16
    }
}

/// The checksum of `bytes`, in which the checksum field is zero.
pub fn internet(bytes: &[u8]) -> u16 {
    Sum::default().octets(bytes).checksum()
}
