//! Link layer discovery (IEEE 802.1AB): who is at the other end of the cable.
//!
//! A message is a list of TLVs: 7 bits type, 9 bits length, value. Type 0 ends it.

use std::time::Duration;

use super::bytes::u16_at;
use super::ethernet::Header;
use super::reserved;

/// The `EtherType` of LLDP.
pub const ETHER_TYPE: u16 = 0x88cc;

/// How a neighbour names itself or its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The subtype octet: which kind of name it is.
    pub subtype: u8,
    /// The name, readable: a MAC address or IP address in the usual form, a text as it is with
    /// anything unprintable replaced.
    pub text: String,
}

/// What a neighbour says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Which machine it is.
    pub chassis: Identifier,
    /// Which of its ports the cable ends in.
    pub port: Identifier,
    /// For how long this holds; 0 withdraws it.
    pub time_to_live: Duration,
    /// The port's description.
    pub port_description: Option<String>,
    /// The machine's name.
    pub system_name: Option<String>,
    /// The machine's description.
    pub system_description: Option<String>,
}

/// Why a frame is no LLDP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LldpError {
    /// The destination or the type is another one.
    #[error("not an LLDP frame")]
    NotLldp,
    /// A TLV is longer than the frame.
    #[error("a TLV of type {kind} is longer than the rest of the frame")]
    Truncated {
        /// The type of the TLV.
        kind: u8,
    },
    /// One of the three mandatory TLVs is missing, out of place or empty.
    #[error("the mandatory TLV {expected} is missing, out of place or empty")]
    Mandatory {
        /// Which one is missing.
        expected: &'static str,
    },
}

impl Neighbor {
    /// Reads an LLDP frame. Unknown and organisation specific TLVs are skipped.
    pub fn parse(frame: &[u8], header: &Header) -> Result<Self, LldpError> {
        if header.destination != reserved::LLDP || header.type_or_length != ETHER_TYPE {
            return Err(LldpError::NotLldp);
        }
        let mut rest = frame.get(header.payload_offset()..).unwrap_or_default();
        let mut next = |expected_kind, expected| {
            let (kind, value) = take_tlv(&mut rest)?;
            if kind == expected_kind { Ok(value) } else { Err(LldpError::Mandatory { expected }) }
        };
        let chassis = identifier(next(1, "chassis id")?, "chassis id", 4, 5)?;
        let port = identifier(next(2, "port id")?, "port id", 3, 4)?;
        let seconds = u16_at(next(3, "time to live")?, 0)
            .ok_or(LldpError::Mandatory { expected: "time to live" })?;
        let mut neighbor = Self {
            chassis,
            port,
            time_to_live: Duration::from_secs(seconds.into()),
            port_description: None,
            system_name: None,
            system_description: None,
        };
        // Some senders leave the end TLV out and rely on the end of the frame.
        while !rest.is_empty() {
            let (kind, value) = take_tlv(&mut rest)?;
            match kind {
                0 => break,
                4 => neighbor.port_description = Some(printable(value)),
                5 => neighbor.system_name = Some(printable(value)),
                6 => neighbor.system_description = Some(printable(value)),
                _ => {}
            }
        }
        Ok(neighbor)
    }
}

fn take_tlv<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), LldpError> {
    let word = u16_at(rest, 0).ok_or(LldpError::Truncated { kind: 0 })?;
    let [high, _] = word.to_be_bytes();
    let kind = high >> 1;
    let end = 2 + usize::from(word & 0x01ff);
    let value = rest.get(2..end).ok_or(LldpError::Truncated { kind })?;
    *rest = rest.get(end..).unwrap_or_default();
    Ok((kind, value))
}

fn identifier(
    value: &[u8],
    expected: &'static str,
    mac_subtype: u8,
    address_subtype: u8,
) -> Result<Identifier, LldpError> {
    let Some((&subtype, name)) = value.split_first().filter(|(_, name)| !name.is_empty()) else {
        return Err(LldpError::Mandatory { expected });
    };
    let text = match name {
        &[a, b, c, d, e, f] if subtype == mac_subtype => {
            crate::types::MacAddr::new([a, b, c, d, e, f]).to_string()
        }
        // The address family number 1 is IPv4 (RFC 3232).
        &[1, a, b, c, d] if subtype == address_subtype => format!("{a}.{b}.{c}.{d}"),
        name => printable(name),
    };
    Ok(Identifier { subtype, text })
}

fn printable(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .trim_end_matches('\0')
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
