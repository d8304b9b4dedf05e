//! Lowering what TCP stations agree on as their segment size, so that segments fit a tunnel.

use bridge_model::wire::inner::{InnerIp, mss_option};

/// Octets of headers in front of a segment: IPv4 or IPv6 without options, and TCP.
const HEADERS: [u16; 2] = [20 + 20, 40 + 20];
/// The offset of the checksum in the TCP header.
const CHECKSUM: usize = 16;

/// Lowers the MSS option (RFC 9293 section 3.7.1) of a TCP SYN segment to what fits packets of `mtu`
/// octets, and adjusts the checksum (RFC 1624). Anything else stays as it is. `frame` is as its bridge
/// sees it. True if something was changed.
#[inline]
pub(crate) fn clamp_mss(frame: &mut [u8], mtu: u16) -> bool {
    // TCP is rare enough where this is asked, and a SYN is rarer.
    lower(frame, mtu).is_some()
}

#[inline(never)]
fn lower(frame: &mut [u8], mtu: u16) -> Option<()> {
    let ip = InnerIp::of(frame)?;
    let (at, announced) = mss_option(frame, &ip)?;
    let [v4, v6] = HEADERS;
    let fits = mtu.saturating_sub(if ip.version == 4 { v4 } else { v6 });
    if announced <= fits {
        return None;
    }
    let tcp = ip.offset + ip.header_len;
    let checksum_at = tcp + CHECKSUM;
    let checksum: [u8; 2] = *frame.get(checksum_at..)?.first_chunk()?;
    let checksum = if (at - tcp).is_multiple_of(2) {
        adjust(u16::from_be_bytes(checksum), announced, fits)
    } else {
        // An option may begin anywhere: at an odd place, it is halves of two words.
        adjust(u16::from_be_bytes(checksum), announced.swap_bytes(), fits.swap_bytes())
    };
    frame.get_mut(at..at + 2)?.copy_from_slice(&fits.to_be_bytes());
    frame.get_mut(checksum_at..checksum_at + 2)?.copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

/// The checksum after one word has changed (RFC 1624 equation 3).
const fn adjust(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = !checksum as u32 + !old as u32 + new as u32;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) as u16)
}

#[cfg(test)]
mod tests;
