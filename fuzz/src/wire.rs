//! Every parser of wire formats.

use std::net::IpAddr;

use bridge_model::wire::ethernet::Header;
use bridge_model::wire::inner::{self, InnerIp};
use bridge_model::wire::ip::{self, Datagram, Packet};
use bridge_model::wire::neighbor::{Arp, Discovery, ETHER_TYPE_ARP};
use bridge_model::wire::{bfd, bpdu, icmp, lacpdu, lldp, reserved, text, tunnel};

/// No parser panics on any frame, and what a builder makes of what a parser read is read as the same.
pub fn wire(frame: &[u8]) {
    let _ = text::describe(frame);
    let _ = inner::flow_hash(frame);
    let Ok(header) = Header::parse(frame) else { return };
    let _ = reserved::classify(frame, &header);
    let _ = lldp::Neighbor::parse(frame, &header);
    let _ = bpdu::Bpdu::parse(frame, &header);
    let _ = lacpdu::detect(frame, &header);
    if let Some(found) = InnerIp::of(frame) {
        segment_size(frame, &found);
    }
    too_big(frame);
    let Some(payload) = frame.get(header.payload_offset()..) else { return };
    if header.type_or_length == ETHER_TYPE_ARP
        && let Some(arp) = Arp::parse(payload)
    {
        assert_eq!(Arp::parse(&arp.build()), Some(arp));
    }
    if let Some(Ok(packet)) = Packet::parse(header.type_or_length, payload) {
        datagrams(&packet);
    }
    tunnels(payload);
    control(payload);
}

fn segment_size(frame: &[u8], found: &InnerIp) {
    if let Some((offset, _)) = inner::mss_option(frame, found) {
        assert!(offset + 2 <= frame.len(), "the option lies in the frame");
    }
}

/// The answer to a frame that is too big is a valid packet to its sender, and never begets another.
fn too_big(frame: &[u8]) {
    let Some(answer) = icmp::too_big(frame, 1450) else { return };
    let (asked, told) = (Header::parse(frame), Header::parse(&answer));
    let (Ok(asked), Ok(told)) = (asked, told) else { panic!("an answer without a header") };
    assert_eq!(told.destination, asked.source);
    let packet = answer.get(told.payload_offset()..).unwrap_or_default();
    let packet = match Packet::parse(told.type_or_length, packet) {
        Some(Ok(packet)) => packet,
        other => panic!("an answer that is no packet: {other:?}"),
    };
    assert!(icmp::Message::parse(&packet).is_some(), "the checksum is right");
    assert_eq!(icmp::too_big(&answer, 68), None, "no error about an error");
}

fn datagrams(packet: &Packet<'_>) {
    let _ = icmp::Message::parse(packet);
    if let Some(discovery) = Discovery::parse(packet) {
        let built = discovery.build();
        let again = Packet::parse(ip::ETHER_TYPE_IPV6, &built);
        let again = again.and_then(Result::ok).and_then(|packet| Discovery::parse(&packet));
        assert_eq!(again, Some(discovery));
    }
    let Some(datagram) = Datagram::parse(packet.payload) else { return };
    let _ = Datagram::checksum_is_correct(packet);
    let ends: (IpAddr, IpAddr) = (packet.source, packet.destination);
    let ports = (datagram.source, datagram.destination);
    if let Some(built) = Datagram::build(ends, ports, datagram.payload, true) {
        let rebuilt = Packet { payload: &built, ..*packet };
        assert!(Datagram::checksum_is_correct(&rebuilt), "a computed checksum is right");
    }
    tunnels(datagram.payload);
    control(datagram.payload);
}

fn tunnels(payload: &[u8]) {
    if let Ok(inner) = tunnel::vxlan(payload)
        && let Some(vni) = inner.vni()
    {
        let again = [&tunnel::vxlan_header(vni)[..], inner.frame].concat();
        assert_eq!(tunnel::vxlan(&again), Ok(inner));
    }
    if let Ok(inner) = tunnel::gre(payload)
        && let Some(vni) = inner.vni()
    {
        let again = [&tunnel::gre_header(vni)[..], inner.frame].concat();
        assert_eq!(tunnel::gre(&again), Ok(inner));
    }
}

fn control(payload: &[u8]) {
    if let Some(packet) = bfd::Control::parse(payload) {
        assert_eq!(bfd::Control::parse(&packet.build()), Some(packet));
    }
}
