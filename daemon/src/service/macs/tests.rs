use super::*;
use crate::testing::shared;

/// Three bridges with a port each; the MACs of the second are numbered before those of the first.
const SITE: &str = "\
hosts: [{name: gw-a}]
bridges: [{name: a}, {name: b}, {name: raw, transparent: true}]
accessPorts:
  - {name: p1, bridge: a, host: gw-a, interface: vm1}
  - {name: p2, bridge: b, host: gw-a, interface: vm2}
  - {name: p3, bridge: raw, host: gw-a, interface: vm3}
staticMacs:
  - {bridge: a, mac: \"52:54:00:00:00:0a\", port: p1}
  - {bridge: a, mac: \"52:54:00:00:00:0b\", port: p1}
  - {bridge: b, mac: \"52:54:00:00:00:01\", port: p2}
  - {bridge: raw, mac: \"52:54:00:00:00:01\", port: p3, payloadVid: 7}
  - {bridge: raw, mac: \"52:54:00:00:00:02\", port: p3}
";

const EXPECTED: [&str; 5] = [
    "a 52:54:00:00:00:0a None",
    "a 52:54:00:00:00:0b None",
    "b 52:54:00:00:00:01 None",
    "raw 52:54:00:00:00:02 None",
    "raw 52:54:00:00:00:01 Some(7)",
];

fn host() -> Shared {
    shared(SITE, &["vm1", "vm2", "vm3"])
}

fn page(shared: &Shared, page_size: i32, page_token: &str) -> (Vec<String>, String) {
    let page_token = page_token.to_owned();
    let request = v1::ListMacsRequest { page_size, page_token, ..Default::default() };
    let page = list(shared, &request).unwrap();
    assert_eq!(page.total_size, 5);
    let line = |mac: &v1::Mac| format!("{} {} {:?}", mac.bridge, mac.mac, mac.payload_vid);
    (page.macs.iter().map(line).collect(), page.next_page_token)
}

#[test]
fn pages_of_any_length_together_are_the_whole_in_order() {
    let shared = host();
    for page_size in 1..=6 {
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let (lines, next) = page(&shared, page_size, &token);
            assert!(lines.len() <= usize::try_from(page_size).unwrap());
            seen.extend(lines);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, EXPECTED, "pages of {page_size}");
    }
}

#[test]
fn a_token_stays_good_when_the_entry_or_the_bridge_that_it_names_is_gone() {
    let shared = host();

    assert_eq!(page(&shared, 9, "macs:a/0/52540000000a").0, EXPECTED[1..]);
    assert_eq!(page(&shared, 9, "macs:a/0/525400000000").0, EXPECTED);
    assert_eq!(page(&shared, 9, "macs:aa/0/ffffffffffff").0, EXPECTED[2..]);
    assert_eq!(page(&shared, 9, "macs:A/0/0").0, EXPECTED);
    assert_eq!(page(&shared, 9, "macs:raw/6/0").0, EXPECTED[4..]);
    assert_eq!(page(&shared, 9, "macs:z/0/0").0, [""; 0]);
}

#[test]
fn a_token_that_no_listing_gave_is_refused() {
    for token in ["x", "macs:", "macs:a", "macs:a/x/0", "macs:a/0/x", "bridges:a/0/0"] {
        let request = v1::ListMacsRequest { page_token: token.into(), ..Default::default() };
        let failure = list(&host(), &request).unwrap_err();
        assert_eq!(failure.fields[0].field, "page_token", "{token}");
    }
}

#[test]
fn an_address_under_several_payload_vids_is_deleted_by_vid() {
    let shared = host();
    let named = |bridge: &str, mac: &str, vid| {
        let (bridge, mac) = (bridge.to_owned(), mac.to_owned());
        let request = v1::DeleteMacRequest { bridge, mac, vid, ..Default::default() };
        doomed(&shared, &request).unwrap().statics.len()
    };

    assert_eq!(named("raw", "52:54:00:00:00:01", Some(7)), 1);
    assert_eq!(named("raw", "52:54:00:00:00:01", Some(8)), 0);
    assert_eq!(named("raw", "52:54:00:00:00:01", None), 1);
    assert_eq!(named("a", "52:54:00:00:00:0a", None), 1);
    assert_eq!(named("b", "52:54:00:00:00:0a", None), 0);
}
