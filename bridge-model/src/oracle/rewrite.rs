//! How a frame looks when it leaves.

use crate::reason::DropReason;
use crate::types::{Priority, VlanTag};
use crate::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, Header, MAX_TAGS, MIN_FRAME_LEN, TAG_LEN};

/// A frame on its way through: how many tags were taken off it, and the priority to give new ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transit<'a> {
    pub(super) frame: &'a [u8],
    pub(super) header: Header,
    popped: usize,
    /// PCP and DEI of the tag it arrived with, a priority tag included.
    priority: Priority,
}

impl<'a> Transit<'a> {
    /// A frame that lost its first `popped` tags.
    pub(super) fn new(frame: &'a [u8], header: Header, popped: usize) -> Self {
        let priority = header.outer.map(VlanTag::priority).unwrap_or_default();
        Self { frame, header, popped, priority }
    }

    /// A frame that leaves exactly as it came.
    pub(super) fn unchanged(frame: &'a [u8], header: Header) -> Self {
        Self::new(frame, header, 0)
    }

    /// The same frame with another priority than that of its outer tag.
    pub(super) fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// The priority that new tags get.
    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    /// How many tags are left, of those that count as tags.
    pub(super) fn tags_kept(&self) -> usize {
        self.header.tag_count() - self.popped
    }

    /// The frame as its bridge sees it: without the tags that were taken off, and padded if it became
    /// too short by that.
    pub(super) fn inside(&self) -> Vec<u8> {
        self.with_tags(&[])
    }

    /// The frame with `push` in front, for a link that takes layer 3 packets of `mtu` octets.
    pub(super) fn leave(&self, push: &[VlanTag], mtu: u16) -> Result<Vec<u8>, DropReason> {
        let bytes = self.with_tags(push);
        let tags = (push.len() + self.tags_kept()).min(MAX_TAGS);
        if bytes.len() > HEADER_LEN + tags * TAG_LEN + usize::from(mtu) {
            return Err(DropReason::MtuExceeded);
        }
        Ok(bytes)
    }

    fn with_tags(&self, push: &[VlanTag]) -> Vec<u8> {
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
        bytes
    }
}
