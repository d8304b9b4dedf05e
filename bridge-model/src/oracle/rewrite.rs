//! How a frame looks when it leaves.

use crate::reason::DropReason;
use crate::types::{Priority, VlanTag};
use crate::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, Header, MAX_TAGS, MIN_FRAME_LEN, TAG_LEN};

/// A frame on its way through: how many tags were taken off it, and the priority to give new ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transit<'a> {
    pub(super) frame: &'a [u8],
    pub(super) header: Header,
    pub(super) popped: usize,
}

impl<'a> Transit<'a> {
    /// A frame that leaves exactly as it came.
    pub(super) fn unchanged(frame: &'a [u8], header: Header) -> Self {
        Self { frame, header, popped: 0 }
    }

    /// PCP and DEI of the tag it arrived with, a priority tag included.
    pub(super) fn priority(&self) -> Priority {
        self.header.outer.map(VlanTag::priority).unwrap_or_default()
    }

    /// The frame with `push` in front, for a link that takes layer 3 packets of `mtu` octets.
    pub(super) fn leave(&self, push: &[VlanTag], mtu: u16) -> Result<Vec<u8>, DropReason> {
        let (addresses, rest) = self.frame.split_at(ADDRESSES_LEN);
        let mut bytes = addresses.to_vec();
        for tag in push {
            bytes.extend(tag.tpid.ether_type().to_be_bytes());
            bytes.extend(tag.tci.to_be_bytes());
        }
        bytes.extend(rest.iter().skip(self.popped * TAG_LEN));
        if bytes.len() < self.frame.len() && bytes.len() < MIN_FRAME_LEN {
            bytes.resize(MIN_FRAME_LEN, 0);
        }
        let kept = self.header.tag_count() - self.popped;
        let tags = (push.len() + kept).min(MAX_TAGS);
        if bytes.len() > HEADER_LEN + tags * TAG_LEN + usize::from(mtu) {
            return Err(DropReason::MtuExceeded);
        }
        Ok(bytes)
    }
}
