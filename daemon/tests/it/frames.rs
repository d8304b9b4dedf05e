//! The frames that the tests send.

/// The Ethernet type of local experiments (IEEE 802).
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

/// The broadcast address.
pub(crate) const ALL: [u8; 6] = [0xff; 6];

/// The address of station `number`.
pub(crate) const fn station(number: u8) -> [u8; 6] {
    [0x02, b'S', b'l', b'u', b'i', number]
}

/// The text form of an address.
pub(crate) fn text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// An untagged frame of 64 octets that carries `number`.
pub(crate) fn frame(to: [u8; 6], from: [u8; 6], number: u32) -> Vec<u8> {
    let mut frame = [to, from].concat();
    frame.extend(EXPERIMENT);
    frame.extend(number.to_be_bytes());
    frame.resize(64, 0xa5);
    frame
}

/// The same with a tag.
pub(crate) fn tagged(vid: u16, to: [u8; 6], from: [u8; 6], number: u32) -> Vec<u8> {
    let mut frame = frame(to, from, number);
    let [high, low] = vid.to_be_bytes();
    frame.splice(12..12, [0x81, 0x00, high, low]);
    frame
}

/// The number in a frame.
pub(crate) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[14..18].try_into().unwrap())
}

/// Whether a frame is one of ours, not something that a kernel sent by itself.
pub(crate) fn is_ours(frame: &[u8]) -> bool {
    frame.get(6..11) == Some(&station(0)[..5])
}

/// A rapid spanning tree BPDU (802.1D-2004 section 9), with or without the topology change flag.
pub(crate) fn bpdu(topology_change: bool) -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0, 0, 0];
    frame.extend(station(0xee));
    frame.extend([0, 39, 0x42, 0x42, 0x03]);
    let flags = 0x3c | u8::from(topology_change);
    frame.extend([0, 0, 2, 2, flags]);
    frame.extend([0x80, 0, 2, 0, 0, 0, 0, 0xee]); // root
    frame.extend([0, 0, 0, 0]); // cost
    frame.extend([0x80, 0, 2, 0, 0, 0, 0, 0xee]); // bridge
    frame.extend([0x80, 1, 0, 0, 20, 0, 2, 0, 15, 0, 0]); // port, timers, version 1 length
    frame.resize(60, 0);
    frame
}

/// An LLDP frame (802.1AB) of the system `name`, port `eth7`.
pub(crate) fn lldp(name: &str) -> Vec<u8> {
    let mut frame = vec![0x01, 0x80, 0xc2, 0, 0, 0x0e];
    frame.extend(station(0xed));
    frame.extend([0x88, 0xcc]);
    let mut tlv = |kind: u8, value: &[u8]| {
        frame.extend([kind << 1, u8::try_from(value.len()).unwrap()]);
        frame.extend(value);
    };
    tlv(1, b"\x07chassis");
    tlv(2, b"\x05eth7");
    tlv(3, &[0, 120]);
    tlv(5, name.as_bytes());
    tlv(0, &[]);
    frame.resize(frame.len().max(60), 0);
    frame
}
