//! A frame in one line of text.

use std::fmt::Write as _;

use bridge_model::types::{Tpid, VlanTag};
use bridge_model::wire::ethernet::Header;

/// What the frame that begins with `head` and has `octets` octets is: addresses, tags, type, length.
pub fn summary(head: &[u8], octets: usize) -> String {
    let Ok(header) = Header::parse(head) else {
        return format!("{octets} octets, too short for an Ethernet header with its tags");
    };
    let mut text = format!("{} > {}", header.source, header.destination);
    for tag in [header.outer, header.inner].into_iter().flatten() {
        // Writing to a String does not fail.
        let _ = write!(text, ", {}", tag_text(tag));
    }
    let _ = write!(text, ", {}, {octets} octets", type_text(header.type_or_length));
    text
}

fn tag_text(tag: VlanTag) -> String {
    let mut text = match tag.tpid {
        Tpid::CTag => format!("vlan {}", tag.vid_raw()),
        Tpid::STag => format!("service vlan {}", tag.vid_raw()),
    };
    let priority = tag.priority();
    if priority.pcp.get() != 0 {
        let _ = write!(text, " priority {}", priority.pcp.get());
    }
    if priority.dei {
        text.push_str(" drop-eligible");
    }
    text
}

fn type_text(type_or_length: u16) -> String {
    let known = match type_or_length {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x8035 => "RARP",
        0x8100 | 0x88a8 => "a third tag",
        0x86dd => "IPv6",
        0x8808 => "PAUSE",
        0x8809 => "slow protocol",
        0x8863 | 0x8864 => "PPPoE",
        0x8847 | 0x8848 => "MPLS",
        0x888e => "802.1X",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0..0x0600 => return format!("802.3 length {type_or_length}"),
        _ => return format!("type {type_or_length:#06x}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(after_addresses: &[u8], expected: &str) {
        let mut frame = vec![0xff; 6];
        frame.extend([0x52, 0x54, 0, 0, 0, 1]);
        frame.extend(after_addresses);
        let text = summary(&frame, 64);
        assert_eq!(text, format!("52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff, {expected}, 64 octets"));
    }

    #[test]
    fn addresses_tags_and_type_can_be_read() {
        check(&[0x08, 0x06], "ARP");
        check(&[0x81, 0x00, 0x00, 0x0a, 0x08, 0x00], "vlan 10, IPv4");
        check(
            &[0x88, 0xa8, 0x60, 0x05, 0x81, 0x00, 0x10, 0x06, 0x12, 0x34],
            "service vlan 5 priority 3, vlan 6 drop-eligible, type 0x1234",
        );
        check(&[0x00, 0x26], "802.3 length 38");
    }

    #[test]
    fn a_cut_frame_says_so() {
        assert!(summary(&[1, 2, 3], 3).starts_with("3 octets, too short"));
        let cut = [&[0; 12][..], &[0x81, 0x00, 0x00]].concat();
        assert!(summary(&cut, 15).starts_with("15 octets, too short"));
    }
}
