//! IP packets that tests send and look for.

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// An IPv4 packet with DF in an Ethernet frame.
pub(crate) fn ipv4(
    (to, from): ([u8; 6], [u8; 6]),
    (source, destination): ([u8; 4], [u8; 4]),
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let octets = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut ip = vec![0x45, 0, octets[0], octets[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
    ip.extend(source);
    ip.extend(destination);
    let sum = checksum(&ip).to_be_bytes();
    ip[10..12].copy_from_slice(&sum);
    [&to[..], &from, &[0x08, 0x00], &ip, payload].concat()
}

/// A UDP datagram without checksum.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let octets = u16::try_from(8 + payload.len()).unwrap();
    let header = [source, destination, octets, 0].map(u16::to_be_bytes).concat();
    [&header[..], payload].concat()
}

/// The payload of a VXLAN datagram (RFC 7348).
pub(crate) fn vxlan(vni: u32, inner: &[u8]) -> Vec<u8> {
    [&[0x08, 0, 0, 0][..], &(vni << 8).to_be_bytes(), inner].concat()
}

/// An ARP request or reply (RFC 826) in an Ethernet frame of 60 octets. `target` is all zero in a
/// request.
pub(crate) fn arp(
    to: [u8; 6],
    is_reply: bool,
    (mac, ip): ([u8; 6], [u8; 4]),
    (target, target_ip): ([u8; 6], [u8; 4]),
) -> Vec<u8> {
    let mut frame = [&to[..], &mac, &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0]].concat();
    frame.push(if is_reply { 2 } else { 1 });
    frame.extend(mac);
    frame.extend(ip);
    frame.extend(target);
    frame.extend(target_ip);
    frame.resize(60, 0);
    frame
}
