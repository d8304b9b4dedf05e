//! Fields of requests as values of the model: a value, or the path of the field that has none.

use std::net::IpAddr;

use bridge_model::types::{IndividualMac, MacAddr, Name, VlanId};

use crate::failure::BadField;

/// The most entries on one page of a listing.
pub const PAGE_LIMIT: usize = 10_000;

/// The entries on one page if the request does not say.
pub const PAGE_DEFAULT: usize = 1000;

/// The longest request id, in characters.
pub const REQUEST_ID_LIMIT: usize = 64;

/// `path` has no acceptable value, because of `why`.
pub fn bad(path: &str, why: &impl ToString) -> BadField {
    BadField { field: path.to_owned(), description: why.to_string() }
}

/// The name in `text`.
pub fn name(path: &str, text: &str) -> Result<Name, BadField> {
    text.parse().map_err(|why| bad(path, &why))
}

/// The name in `text`, or `None` if it is empty.
pub fn optional_name(path: &str, text: &str) -> Result<Option<Name>, BadField> {
    if text.is_empty() { Ok(None) } else { name(path, text).map(Some) }
}

/// The name of a port, also when it is given as a resource name such as `trunks/t0`. `@gw-b` is the
/// port of the host or tunnel of that name.
pub fn port_name(path: &str, text: &str) -> Result<Name, BadField> {
    if let Some(peer) = text.strip_prefix('@') {
        return name(path, peer).map(|peer| Name::of_peer(&peer));
    }
    let last = text.strip_prefix("trunks/").or_else(|| text.strip_prefix("accessPorts/"));
    name(path, last.unwrap_or(text))
}

/// The name of the far end of a tunnel: a host's or a tunnel's, as such, as a resource name such as
/// `hosts/gw-b`, or as the name of its port.
pub fn peer_name(path: &str, text: &str) -> Result<Name, BadField> {
    let prefixes = ["@", "hosts/", "tunnels/"];
    let last = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    name(path, last.unwrap_or(text))
}

/// The station address in `text`.
pub fn mac(path: &str, text: &str) -> Result<IndividualMac, BadField> {
    let mac: MacAddr = text.parse().map_err(|why| bad(path, &why))?;
    if mac.is_group() {
        let why = format!("{mac} is a group address: expected that of one station");
        return Err(bad(path, &why));
    }
    mac.try_into().map_err(|why| bad(path, &why))
}

/// The IP address in `text`.
pub fn ip(path: &str, text: &str) -> Result<IpAddr, BadField> {
    let expected = "expected an address such as 192.0.2.1 or 2001:db8::1";
    text.parse().map_err(|_| bad(path, &format!("{text:?} is not an IP address: {expected}")))
}

/// The VID `raw`.
pub fn vid(path: &str, raw: u32) -> Result<VlanId, BadField> {
    raw.try_into().map_err(|why| bad(path, &why))
}

/// The VID `raw`, if there is one.
pub fn optional_vid(path: &str, raw: Option<u32>) -> Result<Option<VlanId>, BadField> {
    raw.map(|raw| vid(path, raw)).transpose()
}

/// The number of entries on a page; more than [`PAGE_LIMIT`] is cut to it.
pub fn page_len(path: &str, raw: i32) -> Result<usize, BadField> {
    match usize::try_from(raw) {
        Ok(0) => Ok(PAGE_DEFAULT),
        Ok(wanted) => Ok(wanted.min(PAGE_LIMIT)),
        Err(_) => Err(bad(path, &format!("{raw} is not a page size: expected 0 to {PAGE_LIMIT}"))),
    }
}

/// The request id in `text`, or `None` if it is empty.
pub fn request_id<'a>(path: &str, text: &'a str) -> Result<Option<&'a str>, BadField> {
    if text.chars().count() > REQUEST_ID_LIMIT {
        return Err(bad(path, &format!("longer than {REQUEST_ID_LIMIT} characters")));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug>(result: Result<T, BadField>, field: &str, why: &str) {
        let bad = result.unwrap_err();
        assert_eq!(bad.field, field);
        assert!(bad.description.contains(why), "{}", bad.description);
    }

    #[test]
    fn a_value_outside_the_model_names_its_field_and_what_was_expected() {
        check(name("mac.bridge", "a b"), "mac.bridge", "is not a name");
        check(name("mac.bridge", ""), "mac.bridge", "is not a name");
        check(port_name("port", "bridges/a"), "port", "is not a name");
        check(mac("mac.mac", "52:54"), "mac.mac", "is not a MAC address");
        check(mac("mac.mac", "ff:ff:ff:ff:ff:ff"), "mac.mac", "is a group address");
        check(mac("mac.mac", "00:00:00:00:00:00"), "mac.mac", "names no station");
        check(ip("host.vtep[0]", "192.0.2"), "host.vtep[0]", "is not an IP address");
        check(vid("mac.vid", 0), "mac.vid", "expected 1 to 4094");
        check(vid("mac.vid", 4095), "mac.vid", "expected 1 to 4094");
        check(vid("mac.vid", u32::MAX), "mac.vid", "expected 1 to 4094");
        check(page_len("page_size", -1), "page_size", "expected 0 to 10000");
        check(request_id("request_id", &"x".repeat(65)), "request_id", "64");
    }

    #[test]
    fn absent_values_have_their_documented_meaning() {
        assert_eq!(optional_name("port", ""), Ok(None));
        assert_eq!(optional_vid("vid", None), Ok(None));
        assert_eq!(page_len("page_size", 0), Ok(PAGE_DEFAULT));
        assert_eq!(page_len("page_size", i32::MAX), Ok(PAGE_LIMIT));
        assert_eq!(request_id("request_id", ""), Ok(None));
    }

    #[test]
    fn a_peer_may_be_named_by_its_resource_name_or_its_port() {
        for text in ["gw-b", "hosts/gw-b", "tunnels/gw-b", "@gw-b"] {
            assert_eq!(peer_name("peer", text).unwrap().as_str(), "gw-b");
        }
        check(peer_name("peer", "trunks/t0"), "peer", "is not a name");
    }

    #[test]
    fn a_port_may_be_named_by_its_resource_name() {
        for text in ["t0", "trunks/t0", "accessPorts/t0"] {
            assert_eq!(port_name("port", text).unwrap().as_str(), "t0");
        }
        assert_eq!(port_name("port", "@gw-b").unwrap().peer(), Some("gw-b"));
        check(port_name("port", "@"), "port", "is not a name");
        check(port_name("port", "@trunks/t0"), "port", "is not a name");
    }
}
