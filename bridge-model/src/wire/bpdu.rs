//! Spanning tree frames: STP, RSTP, MSTP, and PVST+ in both versions.
//!
//! Offsets below count from the first octet after the LLC (and SNAP) header:
//!
//! ```text
//! 0 protocol 0 | 2 version | 3 type | 4 flags | 5 root id 8 | 13 root path cost 4 | 17 bridge id 8
//! 25 port id 2 | 27 message age, max age, hello, forward delay 2 each | 35 version 1 length
//! 36 version 3 length 2 | 38 MST configuration 51 | 89 internal cost 4 | 93 bridge id 8 | 101 hops
//! 102 per-instance records of 16, each with its flags first
//! ```

use super::bytes::{array, u16_at, u32_at};
use super::ethernet::{Header, MIN_ETHER_TYPE};
use super::reserved::{self, ReservedClass};
use crate::types::VlanId;

const LLC: [u8; 3] = [0x42, 0x42, 0x03];
const SNAP_LEN: usize = 8;
const TOPOLOGY_CHANGE: u8 = 0x01;
const CONFIG_LEN: usize = 35;
const MST_FIXED_LEN: usize = 102;
const MST_RECORD_LEN: usize = 16;
const PVID_TLV_OFFSET: usize = 36;

/// Which spanning tree a frame speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The original protocol (IEEE 802.1D-1998): configuration and topology change notification.
    Stp,
    /// Rapid spanning tree.
    Rstp,
    /// Multiple spanning trees, or a later version (such as 4, shortest path bridging) that begins
    /// the same way.
    Mstp,
}

/// The root or the sender of a spanning tree message: priority and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeIdentifier(pub u64);

/// What a configuration message (of any version) says about the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeVector {
    /// The root as the sender believes it.
    pub root: BridgeIdentifier,
    /// The sender's cost to reach it.
    pub root_path_cost: u32,
    /// The sender.
    pub bridge: BridgeIdentifier,
    /// The sender's port.
    pub port: u16,
}

/// A spanning tree message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bpdu {
    /// The protocol.
    pub version: Version,
    /// Whether it is per-VLAN spanning tree (PVST+), and the VLAN it says it is about; a sender may
    /// leave that out.
    pub per_vlan: Option<Option<VlanId>>,
    /// Whether it signals a topology change: the TC flag, also of any instance, or a topology change
    /// notification.
    pub topology_change: bool,
    /// The tree; `None` in a topology change notification.
    pub tree: Option<TreeVector>,
}

/// Why octets to a spanning tree address are no spanning tree message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BpduError {
    /// The destination is none of spanning tree.
    #[error("the destination is no spanning tree address")]
    Destination,
    /// The LLC header is missing or another one.
    #[error("no spanning tree LLC or SNAP header after the addresses")]
    Llc,
    /// It ends too early.
    #[error("the message of {len} octets ends too early")]
    Truncated {
        /// Octets of the message.
        len: usize,
    },
    /// It is of no known protocol or type.
    #[error("unknown protocol {protocol:#06x} or type {kind:#04x}")]
    Unknown {
        /// Protocol identifier.
        protocol: u16,
        /// Message type.
        kind: u8,
    },
}

impl Bpdu {
    /// Reads a frame to a spanning tree address. Padding behind the 802.3 length is ignored.
    pub fn parse(frame: &[u8], header: &Header) -> Result<Self, BpduError> {
        let class = reserved::classify(frame, header).ok_or(BpduError::Destination)?;
        let after_tags = header.payload_offset();
        let length = header.type_or_length;
        let end = after_tags.saturating_add(usize::from(length)).min(frame.len());
        let (start, per_vlan) = match class {
            ReservedClass::Pvst => (after_tags + SNAP_LEN, true),
            ReservedClass::LinkLocal(0x0 | 0x8) => {
                if length >= MIN_ETHER_TYPE || array(frame, after_tags) != Some(LLC) {
                    return Err(BpduError::Llc);
                }
                (after_tags + LLC.len(), false)
            }
            _ => return Err(BpduError::Destination),
        };
        let message = frame.get(start..end).ok_or(BpduError::Truncated { len: 0 })?;
        let mut bpdu = Self::parse_message(message)?;
        if per_vlan {
            bpdu.per_vlan = Some(pvid(message));
        }
        Ok(bpdu)
    }

    fn parse_message(message: &[u8]) -> Result<Self, BpduError> {
        let truncated = BpduError::Truncated { len: message.len() };
        let protocol = u16_at(message, 0).ok_or(truncated)?;
        let [version, kind] = array(message, 2).ok_or(truncated)?;
        if protocol != 0 || !matches!(kind, 0x00 | 0x02 | 0x80) {
            return Err(BpduError::Unknown { protocol, kind });
        }
        if kind == 0x80 {
            let version = Version::Stp;
            return Ok(Self { version, per_vlan: None, topology_change: true, tree: None });
        }
        if message.len() < CONFIG_LEN {
            return Err(truncated);
        }
        let [flags] = array(message, 4).ok_or(truncated)?;
        let identifier = |offset| array(message, offset).map(u64::from_be_bytes);
        let tree = TreeVector {
            root: BridgeIdentifier(identifier(5).ok_or(truncated)?),
            root_path_cost: u32_at(message, 13).ok_or(truncated)?,
            bridge: BridgeIdentifier(identifier(17).ok_or(truncated)?),
            port: u16_at(message, 25).ok_or(truncated)?,
        };
        let version = match (version, kind) {
            (_, 0x00) => Version::Stp,
            (0..=2, _) => Version::Rstp,
            _ => Version::Mstp,
        };
        let in_instance = version == Version::Mstp && instance_changes(message);
        let topology_change = flags & TOPOLOGY_CHANGE != 0 || in_instance;
        Ok(Self { version, per_vlan: None, topology_change, tree: Some(tree) })
    }
}

/// Whether any per-instance record of an MST message has its topology change flag set.
fn instance_changes(message: &[u8]) -> bool {
    // The version 3 length counts from the MST configuration on: 64 octets and the records.
    let length = u16_at(message, 36).map_or(0, usize::from);
    let records = length.saturating_sub(MST_FIXED_LEN - 38);
    let end = (MST_FIXED_LEN + records).min(message.len());
    message
        .get(MST_FIXED_LEN..end)
        .unwrap_or_default()
        .chunks_exact(MST_RECORD_LEN)
        .any(|record| record.first().is_some_and(|flags| flags & TOPOLOGY_CHANGE != 0))
}

/// The VLAN that a per-VLAN message names in the TLV behind it: type 0, length 2, VID. One octet of
/// padding stands before it in both versions.
fn pvid(message: &[u8]) -> Option<VlanId> {
    let kind = u16_at(message, PVID_TLV_OFFSET)?;
    let length = u16_at(message, PVID_TLV_OFFSET + 2)?;
    let vid = u16_at(message, PVID_TLV_OFFSET + 4)?;
    (kind == 0 && length == 2).then(|| VlanId::new(vid).ok()).flatten()
}
