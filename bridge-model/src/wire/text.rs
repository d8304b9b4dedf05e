//! A captured frame as one line of text.
//!
//! Lenient on purpose: a sample is cut after its first octets, and the frames worth looking at are
//! the malformed ones. Whatever can be read is said, and the line ends where the octets do. Nothing
//! is decided by this module, so it errs towards saying less.

mod network;

use std::fmt::Write as _;

use super::ethernet::{HEADER_LEN, MIN_ETHER_TYPE};
use crate::types::MacAddr;

/// Tags that are shown; a deeper stack is called `...`.
const TAGS_MAX: usize = 4;
/// Octets of a frame without an Ethernet header that are shown.
const RAW_MAX: usize = 16;

/// The octets that are left, read from the front; every read may come up short.
#[derive(Clone, Copy, Debug)]
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn skip(&mut self, octets: usize) -> Option<()> {
        self.0 = self.0.get(octets..)?;
        Some(())
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn at(self, index: usize) -> Option<u8> {
        self.0.get(index).copied()
    }
}

/// Describes a frame as `source > destination tags what it carries`: one line of printable ASCII.
///
/// `frame` holds the first octets of it, as many as were captured.
pub fn describe(frame: &[u8]) -> String {
    let mut octets = Octets(frame);
    let (Some(destination), Some(source), true) =
        (octets.take::<6>(), octets.take::<6>(), frame.len() >= HEADER_LEN)
    else {
        return headless(frame);
    };
    let mut line = format!("{} > {}", MacAddr::new(source), MacAddr::new(destination));
    let ethertype = tags(&mut octets, &mut line);
    match ethertype {
        None => line.push_str(" (tag stack cut off)"),
        Some(length) if length < MIN_ETHER_TYPE => llc(octets, length, &mut line),
        Some(ethertype) => {
            line.push(' ');
            line.push_str(&network::describe(ethertype, octets));
        }
    }
    line
}

fn headless(frame: &[u8]) -> String {
    let mut line = format!("{} octets, no Ethernet header", frame.len());
    if !frame.is_empty() {
        line.push(':');
    }
    for octet in frame.iter().take(RAW_MAX) {
        _ = write!(line, " {octet:02x}");
    }
    line
}

/// Writes the tag stack and returns what follows it; `None` when the stack is cut off.
fn tags(octets: &mut Octets<'_>, line: &mut String) -> Option<u16> {
    for depth in 0.. {
        let ethertype = octets.u16()?;
        let name = match ethertype {
            0x8100 => "vlan",
            0x88a8 => "s-vlan",
            0x9100 => "vlan(0x9100)",
            0x9200 => "vlan(0x9200)",
            _ => return Some(ethertype),
        };
        if depth == TAGS_MAX {
            line.push_str(" ...");
            return None;
        }
        let Some(tci) = octets.u16() else {
            _ = write!(line, " {name} ?");
            return None;
        };
        _ = write!(line, " {name} {}", tci & 0x0fff);
        if tci >> 13 != 0 {
            _ = write!(line, " pcp {}", tci >> 13);
        }
        if tci & 0x1000 != 0 {
            line.push_str(" dei");
        }
    }
    None
}

/// What follows a length field: LLC, perhaps with SNAP.
fn llc(mut octets: Octets<'_>, length: u16, line: &mut String) {
    let Some([dsap, ssap, control]) = octets.take::<3>() else {
        _ = write!(line, " length {length} (LLC cut off)");
        return;
    };
    match (dsap, ssap, control) {
        (0x42, 0x42, _) => {
            line.push_str(" BPDU");
            line.push_str(&bpdu(octets));
        }
        (0xaa, 0xaa, 0x03) => snap(octets, line),
        (0xff, 0xff, _) => line.push_str(" IPX (raw 802.3)"),
        (0xfe, 0xfe, _) => line.push_str(" IS-IS"),
        _ => _ = write!(line, " LLC dsap 0x{dsap:02x} ssap 0x{ssap:02x}"),
    }
}

fn snap(mut octets: Octets<'_>, line: &mut String) {
    let (Some(oui), Some(protocol)) = (octets.take::<3>(), octets.u16()) else {
        line.push_str(" SNAP (cut off)");
        return;
    };
    match (oui, protocol) {
        ([0, 0, 0x0c], 0x010b) => {
            line.push_str(" PVST+ BPDU");
            line.push_str(&bpdu(octets));
        }
        ([0, 0, 0x0c], 0x2000) => line.push_str(" CDP"),
        ([0, 0, 0x0c], 0x2003) => line.push_str(" VTP"),
        ([0, 0, 0x0c], 0x2004) => line.push_str(" DTP"),
        ([0, 0, 0x0c], 0x0111) => line.push_str(" UDLD"),
        ([0, 0, 0x0c], 0x0104) => line.push_str(" PAgP"),
        ([0, 0, 0], ethertype) => {
            line.push_str(" SNAP ");
            line.push_str(&network::describe(ethertype, octets));
        }
        ([a, b, c], _) => {
            _ = write!(line, " SNAP oui {a:02x}{b:02x}{c:02x} protocol 0x{protocol:04x}");
        }
    }
}

/// The kind of a BPDU and whether it signals a topology change (IEEE 802.1D, 9.3).
fn bpdu(octets: Octets<'_>) -> String {
    let (Some(version), Some(kind)) = (octets.at(2), octets.at(3)) else {
        return " (cut off)".to_owned();
    };
    let name = match (version, kind) {
        (_, 0x80) => return " TCN".to_owned(),
        (0, 0) => "STP".to_owned(),
        (2, 2) => "RSTP".to_owned(),
        (3, 2) => "MSTP".to_owned(),
        _ => format!("version {version} type 0x{kind:02x}"),
    };
    let change = octets.at(4).is_some_and(|flags| flags & 1 != 0);
    format!(" {name}{}", if change { " topology change" } else { "" })
}

#[cfg(test)]
mod tests;
