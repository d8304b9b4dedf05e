//! Ethernet frames and their tags.
//!
//! ```text
//! | destination 6 | source 6 | [TPID 2 | TCI 2]* | EtherType or 802.3 length 2 | ...
//! ```

use super::bytes::{array, u16_at};
use crate::types::{MacAddr, Tpid, VlanTag};

/// Octets of an Ethernet header without tags: the shortest frame that is admitted.
pub const HEADER_LEN: usize = 14;
/// Octets of a tag.
pub const TAG_LEN: usize = 4;
/// Octets before the first tag: both addresses.
pub const ADDRESSES_LEN: usize = 12;
/// Octets (without frame check sequence) to which a frame is padded after tags were taken off.
pub const MIN_FRAME_LEN: usize = 60;
/// Values of the type field below this are a length (IEEE 802.3).
pub const MIN_ETHER_TYPE: u16 = 0x0600;
/// How many tags in front count as tags; further ones are payload.
pub const MAX_TAGS: usize = 2;

/// The frame is too short for its header or for a tag that it announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame of {len} octets is shorter than its Ethernet header and tags")]
pub struct Truncated {
    /// Octets in the frame.
    pub len: usize,
}

/// The header of a frame: addresses, the first two tags, and what follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The destination address.
    pub destination: MacAddr,
    /// The source address.
    pub source: MacAddr,
    /// The outer tag, of either TPID.
    pub outer: Option<VlanTag>,
    /// The tag inside it, of either TPID.
    pub inner: Option<VlanTag>,
    /// The type or length field after these tags. It may announce yet another tag.
    pub type_or_length: u16,
}

impl Header {
    /// Reads the header. Of the tag stack, [`MAX_TAGS`] tags are read and have to be complete, each
    /// with a type field behind it; what lies deeper is payload and is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, Truncated> {
        let error = Truncated { len: frame.len() };
        let destination = MacAddr::new(array(frame, 0).ok_or(error)?);
        let source = MacAddr::new(array(frame, 6).ok_or(error)?);
        let mut type_or_length = u16_at(frame, ADDRESSES_LEN).ok_or(error)?;
        let mut tags = [None; MAX_TAGS];
        for (index, slot) in tags.iter_mut().enumerate() {
            let Some(tpid) = Tpid::from_ether_type(type_or_length) else { break };
            let offset = ADDRESSES_LEN + index * TAG_LEN;
            let tci = u16_at(frame, offset + 2).ok_or(error)?;
            *slot = Some(VlanTag { tpid, tci });
            type_or_length = u16_at(frame, offset + TAG_LEN).ok_or(error)?;
        }
        let [outer, inner] = tags;
        Ok(Self { destination, source, outer, inner, type_or_length })
    }

    /// How many tags were read: 0 to [`MAX_TAGS`].
    pub fn tag_count(&self) -> usize {
        usize::from(self.outer.is_some()) + usize::from(self.inner.is_some())
    }

    /// The offset of what follows the type or length field.
    pub fn payload_offset(&self) -> usize {
        HEADER_LEN + self.tag_count() * TAG_LEN
    }

    /// The VID of the outer tag, unchecked; `None` of an untagged frame.
    pub fn outer_vid_raw(&self) -> Option<u16> {
        self.outer.map(VlanTag::vid_raw)
    }

    /// Octets of the layer 3 packet: what an MTU bounds.
    pub fn layer3_len(&self, frame: &[u8]) -> usize {
        frame.len().saturating_sub(self.payload_offset())
    }
}

/// A frame built from its parts, as tests and generators do it: addresses, tags outside in, type,
/// payload.
pub fn build(
    destination: MacAddr,
    source: MacAddr,
    tags: &[VlanTag],
    type_or_length: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_LEN + tags.len() * TAG_LEN + payload.len());
    frame.extend(destination.octets());
    frame.extend(source.octets());
    for tag in tags {
        frame.extend(tag.tpid.ether_type().to_be_bytes());
        frame.extend(tag.tci.to_be_bytes());
    }
    frame.extend(type_or_length.to_be_bytes());
    frame.extend(payload);
    frame
}
