//! Destinations that are addressed to bridges and not through them (forwarding rules section 5).

use super::bytes::array;
use super::ethernet::Header;
use crate::types::MacAddr;

/// 01:80:c2:00:00:00: IEEE spanning tree of any version.
pub const STP: MacAddr = link_local(0x00);
/// 01:80:c2:00:00:01: PAUSE.
pub const PAUSE: MacAddr = link_local(0x01);
/// 01:80:c2:00:00:02: slow protocols (LACP, marker, OAM).
pub const SLOW_PROTOCOLS: MacAddr = link_local(0x02);
/// 01:80:c2:00:00:08: spanning tree of provider bridges.
pub const PROVIDER_STP: MacAddr = link_local(0x08);
/// 01:80:c2:00:00:0e: LLDP.
pub const LLDP: MacAddr = link_local(0x0e);
/// 01:00:0c:cc:cc:cd: PVST+ and Rapid-PVST+ with SNAP protocol 0x010b.
pub const PVST: MacAddr = MacAddr::new([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd]);
/// 01:00:0c:cc:cc:cc: CDP, VTP, DTP, `PAgP`, UDLD.
pub const CDP: MacAddr = MacAddr::new([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc]);

/// Control addresses of vendors that are dropped: other than [`PVST`], with how many low bits of
/// the address are free. (Addresses as measured and listed in Open vSwitch's
/// `eth_addr_is_reserved`.)
const VENDOR: [(MacAddr, u32); 7] = [
    (MacAddr::new([0x01, 0x00, 0x0c, 0x00, 0x00, 0x00]), 0), // ISL
    (MacAddr::new([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xc0]), 3), // :c0 to :c7
    (CDP, 0),
    (MacAddr::new([0x01, 0x00, 0x0c, 0xcd, 0xcd, 0xcd]), 0), // uplinkfast
    (MacAddr::new([0x00, 0xe0, 0x2b, 0x00, 0x00, 0x00]), 0), // EDP
    (MacAddr::new([0x00, 0xe0, 0x2b, 0x00, 0x00, 0x04]), 0), // EAPS
    (MacAddr::new([0x00, 0xe0, 0x2b, 0x00, 0x00, 0x06]), 0), // EAPS
];

const fn link_local(last: u8) -> MacAddr {
    MacAddr::new([0x01, 0x80, 0xc2, 0x00, 0x00, last])
}

/// Which reserved destination a frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservedClass {
    /// 01:80:c2:00:00:00 to :0f, by last octet.
    LinkLocal(u8),
    /// 01:80:c2:00:00:20 to :2f, by the low half of the last octet.
    Registration(u8),
    /// [`PVST`] with SNAP protocol 0x010b.
    Pvst,
    /// Any other control address of a vendor, and [`PVST`] with anything else inside.
    Vendor,
}

/// The class of a destination, before anything else of the frame is looked at: [`PVST`] is
/// [`ReservedClass::Pvst`] here, whatever it holds. `None` is an ordinary destination.
pub fn classify_destination(destination: MacAddr) -> Option<ReservedClass> {
    let word = destination.to_u64();
    let low = (word & 0x0f) as u8;
    match word >> 4 {
        0x0018_0c20_0000 => Some(ReservedClass::LinkLocal(low)),
        0x0018_0c20_0002 => Some(ReservedClass::Registration(low)),
        _ if destination == PVST => Some(ReservedClass::Pvst),
        _ => VENDOR
            .iter()
            .any(|(address, free)| address.to_u64() >> free == word >> free)
            .then_some(ReservedClass::Vendor),
    }
}

/// Whether the octets after the addresses and at most one tag of either TPID are those of PVST+: an
/// 802.3 length, LLC aa:aa:03 and SNAP 00:00:0c 01:0b.
pub fn is_pvst_payload(frame: &[u8], header: &Header) -> bool {
    header.inner.is_none()
        && header.type_or_length < super::ethernet::MIN_ETHER_TYPE
        && array(frame, header.payload_offset())
            == Some([0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x01, 0x0b])
}

/// The class of a frame. `None` is a frame to an ordinary destination.
pub fn classify(frame: &[u8], header: &Header) -> Option<ReservedClass> {
    match classify_destination(header.destination)? {
        ReservedClass::Pvst if !is_pvst_payload(frame, header) => Some(ReservedClass::Vendor),
        class => Some(class),
    }
}

/// Whether a gateway bridge's policy may pass this address from trunk to trunk: 01:80:c2:00:00:0X
/// and :2X but for spanning tree, PAUSE, slow protocols and LLDP.
pub fn is_policy_address(address: MacAddr) -> bool {
    match classify_destination(address) {
        Some(ReservedClass::LinkLocal(low)) => !matches!(low, 0x0 | 0x1 | 0x2 | 0x8 | 0xe),
        Some(ReservedClass::Registration(_)) => true,
        Some(ReservedClass::Pvst | ReservedClass::Vendor) | None => false,
    }
}
