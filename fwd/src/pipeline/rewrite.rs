//! Taking tags off and putting tags on.

use bridge_model::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, MAX_TAGS, MIN_FRAME_LEN, TAG_LEN};

use crate::frame::Frame;
use crate::image::MemberImage;

/// Whether the frame, with `pop` octets of tags taken off and the member's put on, is within the
/// egress MTU.
#[inline]
pub(crate) fn fits<F: Frame>(frame: &F, pop: usize, to: &MemberImage) -> bool {
    fits_plainly(frame, pop, to) || fits_without_tags(frame.bytes(), pop, after(frame, pop, to), to)
}

/// The same for a frame that fits even if its tags count. Never of a tunnel, whose MTU is 0.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(super) fn fits_plainly<F: Frame>(frame: &F, pop: usize, to: &MemberImage) -> bool {
    after(frame, pop, to) <= to.mtu() + HEADER_LEN
}

/// Octets of the frame with `pop` octets of tags taken off and the member's put on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
fn after<F: Frame>(frame: &F, pop: usize, to: &MemberImage) -> usize {
    frame.octets() + to.push.count() * TAG_LEN - pop
}

#[inline(never)]
fn fits_without_tags(frame: &[u8], pop: usize, after: usize, to: &MemberImage) -> bool {
    // Of the tags that came in two count, those taken off among them.
    let kept = (ADDRESSES_LEN + pop..ADDRESSES_LEN + MAX_TAGS * TAG_LEN)
        .step_by(TAG_LEN)
        .take_while(|at| matches!(frame.get(*at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8])))
        .count();
    let tags = (to.push.count() + kept).min(MAX_TAGS);
    after <= to.mtu() + HEADER_LEN + tags * TAG_LEN
}

/// Replaces `pop` octets of tags by those of `to`, with PCP and DEI from `tci`, and pads a frame
/// that became shorter. False if there is no headroom; the frame is then as it was.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(crate) fn rewrite<F: Frame>(frame: &mut F, pop: usize, tci: u16, to: &MemberImage) -> bool {
    match (pop, to.push.count()) {
        (0, 0) => true,
        (4, 0) => {
            if let Some(head) = frame.bytes_mut().first_chunk_mut::<{ ADDRESSES_LEN + 4 }>() {
                let addresses: [u8; ADDRESSES_LEN] = addresses(head);
                head[4..].copy_from_slice(&addresses);
            }
            frame.trim_front(4);
            pad(frame)
        }
        (0, 1) => {
            if !frame.prepend(4) {
                return false;
            }
            if let Some(head) = frame.bytes_mut().first_chunk_mut::<{ ADDRESSES_LEN + 4 }>() {
                let [_, _, _, _, addresses @ ..] = *head;
                head[..ADDRESSES_LEN].copy_from_slice(&addresses);
                head[ADDRESSES_LEN..].copy_from_slice(&to.push.outer(tci));
            }
            true
        }
        (4, 1) => {
            if let Some(head) = frame.bytes_mut().first_chunk_mut::<{ ADDRESSES_LEN + 4 }>() {
                head[ADDRESSES_LEN..].copy_from_slice(&to.push.outer(tci));
            }
            true
        }
        _ => rewrite_any(frame, pop, tci, to),
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
fn addresses<const N: usize>(head: &[u8; N]) -> [u8; ADDRESSES_LEN] {
    std::array::from_fn(|octet| head[octet])
}

/// Any combination, one step after the other.
#[inline(never)]
fn rewrite_any<F: Frame>(frame: &mut F, pop: usize, tci: u16, to: &MemberImage) -> bool {
    let push = to.push.count() * TAG_LEN;
    if push > pop && !frame.prepend(push - pop) {
        return false;
    }
    // Where the addresses are now.
    let from = push.saturating_sub(pop);
    // Where they have to be.
    let start = pop.saturating_sub(push);
    let bytes = frame.bytes_mut();
    if bytes.len() >= start + ADDRESSES_LEN + push {
        bytes.copy_within(from..from + ADDRESSES_LEN, start);
        let tags = &mut bytes[start + ADDRESSES_LEN..][..push];
        let pair = [to.push.outer(tci), to.push.inner(tci)];
        for (place, tag) in tags.chunks_exact_mut(TAG_LEN).zip(pair) {
            place.copy_from_slice(&tag);
        }
    }
    if start > 0 {
        frame.trim_front(start);
    }
    pop <= push || pad(frame)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
fn pad<F: Frame>(frame: &mut F) -> bool {
    frame.octets() >= MIN_FRAME_LEN || pad_short(frame)
}

/// A driver that gives no tailroom in a buffer that holds less than 60 octets does not exist; the
/// frame goes out short rather than not at all, as it came.
#[cold]
fn pad_short<F: Frame>(frame: &mut F) -> bool {
    frame.pad_to(MIN_FRAME_LEN);
    true
}
