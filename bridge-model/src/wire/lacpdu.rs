//! Slow protocols (IEEE 802.3 annex 57A): telling them apart. The LACP machines come with
//! aggregation; until then a frame is only recognised and consumed.

use super::bytes::array;
use super::ethernet::Header;
use super::reserved;
use crate::types::MacAddr;

/// The `EtherType` of slow protocols.
pub const ETHER_TYPE: u16 = 0x8809;

/// Which slow protocol a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowProtocol {
    /// LACP, with the actor that the sender says it is.
    Lacp {
        /// The sender's system priority.
        system_priority: u16,
        /// The sender's system identifier.
        system: MacAddr,
        /// The sender's port number.
        port: u16,
    },
    /// The marker protocol of aggregations.
    Marker,
    /// Ethernet OAM.
    Oam,
    /// Any other subtype, such as 10 (organisation specific).
    Other {
        /// The subtype octet.
        subtype: u8,
    },
}

/// The slow protocol that a frame belongs to; `None` if it is none, has a tag with a VID, or ends
/// too early.
pub fn detect(frame: &[u8], header: &Header) -> Option<SlowProtocol> {
    let tagged = header.outer_vid_raw().is_some_and(|vid| vid != 0);
    if header.destination != reserved::SLOW_PROTOCOLS
        || header.type_or_length != ETHER_TYPE
        || tagged
    {
        return None;
    }
    let payload = frame.get(header.payload_offset()..)?;
    match *payload.first()? {
        1 => {
            // Subtype, version, then the actor TLV: type 1, length 20.
            let [kind, length] = array(payload, 2)?;
            (kind == 1 && length == 20).then_some(())?;
            Some(SlowProtocol::Lacp {
                system_priority: u16::from_be_bytes(array(payload, 4)?),
                system: MacAddr::new(array(payload, 6)?),
                port: u16::from_be_bytes(array(payload, 16)?),
            })
        }
        2 => Some(SlowProtocol::Marker),
        3 => Some(SlowProtocol::Oam),
        subtype => Some(SlowProtocol::Other { subtype }),
    }
}
