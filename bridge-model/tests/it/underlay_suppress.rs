//! Learning which station has which IP address, for `neighborSuppression`.

use std::net::Ipv4Addr;
use std::time::Duration;

use bridge_model::types::{Fid, MacAddr, Tpid, VlanTag};
use bridge_model::underlay::{Entry, NeighborLearner};
use bridge_model::wire::ethernet;
use bridge_model::wire::neighbor::{Arp, Discovery};

use crate::underlay_world::{S, ip, mac};

const WEB: Fid = Fid(3);
const DB: Fid = Fid(4);

fn arp(operation: u16, sender_mac: MacAddr, sender: &str, target: &str) -> Vec<u8> {
    let (sender, target) = (sender.parse().unwrap(), target.parse().unwrap());
    let arp = Arp { operation, sender_mac, sender, target_mac: MacAddr::ZERO, target };
    arp.frame(MacAddr::BROADCAST, sender_mac)
}

fn advertisement(mac: MacAddr, target: &str, flags: u8, link_address: Option<MacAddr>) -> Vec<u8> {
    let target = target.parse().unwrap();
    let destination = "ff02::1".parse().unwrap();
    let message = Discovery {
        is_advertisement: true,
        source: target,
        destination,
        target,
        flags,
        link_address,
    };
    message.frame(MacAddr::new([0x33, 0x33, 0, 0, 0, 1]), mac)
}

fn solicitation(source: &str, link_address: Option<MacAddr>) -> Vec<u8> {
    let target = "2001:db8::99".parse().unwrap();
    let message = Discovery {
        is_advertisement: false,
        source: source.parse().unwrap(),
        destination: bridge_model::wire::neighbor::solicited_node(target),
        target,
        flags: 0,
        link_address,
    };
    message.frame(MacAddr::new([0x33, 0x33, 0xff, 0, 0, 0x99]), mac(1))
}

fn entry(text: &str, last: u8, is_router: bool) -> Entry {
    Entry { fid: WEB, ip: ip(text), mac: mac(last), is_router }
}

#[test]
fn a_station_is_believed_what_it_says_about_itself_and_nobody_else() {
    let first = mac(1);
    let cases = [
        (arp(1, first, "10.0.0.1", "10.0.0.9"), Some(entry("10.0.0.1", 1, false))),
        (arp(2, first, "10.0.0.1", "10.0.0.9"), Some(entry("10.0.0.1", 1, false))),
        (arp(1, first, "10.0.0.1", "10.0.0.1"), Some(entry("10.0.0.1", 1, false))),
        // A probe has no address yet, and some addresses are nobody's.
        (arp(1, first, "0.0.0.0", "10.0.0.9"), None),
        (arp(1, first, "224.0.0.1", "10.0.0.9"), None),
        (arp(1, first, "255.255.255.255", "10.0.0.9"), None),
        (arp(1, first, "127.0.0.1", "10.0.0.9"), None),
        (arp(1, MacAddr::BROADCAST, "10.0.0.1", "10.0.0.9"), None),
        (arp(1, MacAddr::ZERO, "10.0.0.1", "10.0.0.9"), None),
        (
            advertisement(first, "2001:db8::1", 0x20, Some(first)),
            Some(entry("2001:db8::1", 1, false)),
        ),
        (advertisement(first, "fe80::1", 0xa0, Some(first)), Some(entry("fe80::1", 1, true))),
        (advertisement(first, "2001:db8::1", 0x20, None), None),
        (advertisement(first, "2001:db8::1", 0x20, Some(MacAddr::BROADCAST)), None),
        (solicitation("2001:db8::1", Some(first)), Some(entry("2001:db8::1", 1, false))),
        (solicitation("2001:db8::1", None), None),
        (solicitation("::", None), None),
        (b"no frame at all".to_vec(), None),
    ];
    for (frame, expected) in cases {
        let mut learner = NeighborLearner::new();
        assert_eq!(learner.frame(S, WEB, &frame), expected, "{frame:02x?}");
        assert_eq!(learner.entries().collect::<Vec<_>>(), Vec::from_iter(expected));
    }
}

#[test]
fn tags_that_are_payload_are_looked_through() {
    let plain = arp(1, mac(1), "10.0.0.1", "10.0.0.9");
    let tags = [VlanTag { tpid: Tpid::CTag, tci: 10 }];
    let tagged = ethernet::build(MacAddr::BROADCAST, mac(1), &tags, 0x0806, &plain[14..]);
    assert_eq!(NeighborLearner::new().frame(S, WEB, &tagged), Some(entry("10.0.0.1", 1, false)));
}

#[test]
fn only_news_are_told() {
    let mut learner = NeighborLearner::new();
    let hello = arp(1, mac(1), "10.0.0.1", "10.0.0.9");
    assert!(learner.frame(S, WEB, &hello).is_some());
    assert_eq!(learner.frame(S, WEB, &hello), None);
    // Another bridge is another world.
    assert!(learner.frame(S, DB, &hello).is_some());
    // The last word counts.
    let moved = arp(2, mac(2), "10.0.0.1", "10.0.0.9");
    assert_eq!(learner.frame(S, WEB, &moved), Some(entry("10.0.0.1", 2, false)));
}

#[test]
fn an_advertisement_without_override_replaces_nobody_else() {
    let mut learner = NeighborLearner::new();
    let mut say = |last, flags| {
        learner.frame(S, WEB, &advertisement(mac(last), "2001:db8::1", flags, Some(mac(last))))
    };
    assert!(say(1, 0x20).is_some());
    assert_eq!(say(2, 0x00), None);
    assert_eq!(say(2, 0x20), Some(entry("2001:db8::1", 2, false)));
    assert_eq!(say(2, 0x80), Some(entry("2001:db8::1", 2, true)), "its own word counts");
}

#[test]
fn a_solicitation_says_nothing_about_being_a_router() {
    let mut learner = NeighborLearner::new();
    learner.frame(S, WEB, &advertisement(mac(1), "2001:db8::1", 0xa0, Some(mac(1))));
    assert_eq!(learner.frame(S, WEB, &solicitation("2001:db8::1", Some(mac(1)))), None);
    assert!(learner.entries().all(|entry| entry.is_router));
}

#[test]
fn an_entry_goes_when_it_was_silent_for_longer_than_its_bridges_ageing_time() {
    let mut learner = NeighborLearner::new();
    let ageing = |fid| Some(if fid == WEB { 300 * S } else { 10 * S });
    let hello = arp(1, mac(1), "10.0.0.1", "10.0.0.9");
    learner.frame(Duration::ZERO, WEB, &hello);
    learner.frame(Duration::ZERO, DB, &hello);
    assert_eq!(learner.expire(10 * S, ageing), []);
    let gone = learner.expire(10 * S + Duration::from_nanos(1), ageing);
    assert_eq!(gone, [Entry { fid: DB, ..entry("10.0.0.1", 1, false) }]);
    // Speaking keeps it.
    learner.frame(200 * S, WEB, &hello);
    assert_eq!(learner.expire(500 * S, ageing), []);
    assert_eq!(learner.expire(501 * S, ageing), [entry("10.0.0.1", 1, false)]);
    assert_eq!(learner.entries().count(), 0);
}

#[test]
fn what_is_flushed_or_withdrawn_is_forgotten() {
    let mut learner = NeighborLearner::new();
    for (fid, last, address) in [(WEB, 1, "10.0.0.1"), (WEB, 2, "10.0.0.2"), (DB, 1, "10.0.0.1")] {
        learner.frame(S, fid, &arp(1, mac(last), address, "10.0.0.9"));
    }
    let flushed = learner.forget(|entry| entry.fid == WEB && entry.mac == mac(1));
    assert_eq!(flushed, [entry("10.0.0.1", 1, false)]);
    assert_eq!(learner.withdraw(WEB), [entry("10.0.0.2", 2, false)]);
    assert_eq!(learner.expire(S, |_| None).len(), 1, "a bridge that is no more");
    assert_eq!(learner.entries().count(), 0);
}

#[test]
fn an_entry_that_found_no_room_in_the_table_is_told_again() {
    let mut learner = NeighborLearner::new();
    let hello = arp(1, mac(1), "10.0.0.1", "10.0.0.9");
    let first = learner.frame(S, WEB, &hello).unwrap();
    learner.refused(&first);
    assert_eq!(learner.frame(S, WEB, &hello), Some(first));
}

/// One of many addresses.
fn station(number: u32) -> String {
    Ipv4Addr::from_bits(0x0a01_0000 | number).to_string()
}

#[test]
fn one_bridge_cannot_take_the_room_of_others() {
    let mut learner = NeighborLearner::new();
    let mut learned = 0;
    for number in 0..20_000_u32 {
        let sender = station(number);
        let told = learner.frame(S, WEB, &arp(1, mac(1), &sender, "10.0.0.9"));
        learned += usize::from(told.is_some());
    }
    assert_eq!(learned, NeighborLearner::CAPACITY_OF_DOMAIN);
    assert!(learner.frame(S, DB, &arp(1, mac(1), "10.0.0.1", "10.0.0.9")).is_some());
    // Room that becomes free is used.
    learner.withdraw(WEB);
    assert!(learner.frame(S, WEB, &arp(1, mac(1), "10.0.0.1", "10.0.0.9")).is_some());
    for fid in 10..20 {
        for number in 0..6000_u32 {
            let sender = station(number);
            learner.frame(S, Fid(fid), &arp(1, mac(1), &sender, "10.0.0.9"));
        }
    }
    assert_eq!(learner.entries().count(), NeighborLearner::CAPACITY);
}
