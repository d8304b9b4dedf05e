//! Values of fields: from what is written to what it means.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error::SiteError;
use super::node::{Node, Value};
use crate::compile::{OverLimit, StormLimits, StormRate};
use crate::topology::{AdminState, Ageing, RedundancyMode, ReservedPolicy, StormControl, VlanSet};
use crate::types::{IndividualMac, MacAddr, Name, Tpid, VlanId, Vni};

use super::object::Object;

/// Errors found so far. Reading goes on after an error, with the value left out.
pub(super) type Errors = Vec<SiteError>;

/// Reads a value, or notes why it cannot be read.
pub(super) type Read<T> = fn(&mut Errors, &Node) -> Option<T>;

/// Notes that the value of `node` cannot be read.
pub(super) fn refuse<T>(
    errors: &mut Errors,
    node: &Node,
    message: impl fmt::Display,
    help: &str,
) -> Option<T> {
    errors.push(SiteError::at(&node.place, "value", message.to_string(), help.to_owned()));
    None
}

pub(super) fn scalar<'n>(errors: &mut Errors, node: &'n Node, expected: &str) -> Option<&'n str> {
    match &node.value {
        Value::Scalar(text) => Some(text),
        other => {
            let message = format!("expected {expected}, found {}", other.what());
            refuse(errors, node, message, &format!("write {expected}"))
        }
    }
}

/// A value whose type knows how to read it and whose error says what is expected.
fn parsed<T: FromStr<Err: fmt::Display>>(
    errors: &mut Errors,
    node: &Node,
    (expected, help): (&str, &str),
) -> Option<T> {
    let text = scalar(errors, node, expected)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => refuse(errors, node, error, help),
    }
}

pub(super) fn word<T: Copy>(errors: &mut Errors, node: &Node, words: &[(&str, T)]) -> Option<T> {
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let expected = all.join(" or ");
    let text = scalar(errors, node, &expected)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    refuse(errors, node, format!("{text:?} is not {expected}"), &format!("write {expected}"))
}

pub(super) fn number(errors: &mut Errors, node: &Node, expected: &str) -> Option<u64> {
    let text = scalar(errors, node, expected)?;
    let read = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match read {
        // `parse` takes a sign, which no number here has.
        Ok(number) if !text.contains('+') => Some(number),
        _ => {
            let message = format!("{text:?} is not {expected}");
            refuse(errors, node, message, &format!("write {expected}"))
        }
    }
}

pub(super) fn name(errors: &mut Errors, node: &Node) -> Option<Name> {
    parsed(errors, node, ("a name", "use letters, digits, '-', '_' and '.'"))
}

pub(super) fn address(errors: &mut Errors, node: &Node) -> Option<IpAddr> {
    let expected = "an IPv4 or IPv6 address";
    let text = scalar(errors, node, expected)?;
    text.parse().ok().or_else(|| {
        let help = "write an address such as 192.0.2.1 or 2001:db8::1";
        refuse(errors, node, format!("{text:?} is not {expected}"), help)
    })
}

pub(super) fn mac(errors: &mut Errors, node: &Node) -> Option<MacAddr> {
    parsed(errors, node, ("a MAC address", "write six octets such as 52:54:00:12:34:56"))
}

pub(super) fn station(errors: &mut Errors, node: &Node) -> Option<IndividualMac> {
    let mac = mac(errors, node)?;
    IndividualMac::try_from(mac).ok().or_else(|| {
        let message = format!("{mac} names no station");
        refuse(errors, node, message, "a station's first octet is even and not all octets are zero")
    })
}

pub(super) fn vid(errors: &mut Errors, node: &Node) -> Option<VlanId> {
    let raw = number(errors, node, "a VLAN id from 1 to 4094")?;
    u32::try_from(raw).ok().and_then(|raw| VlanId::try_from(raw).ok()).or_else(|| {
        refuse(errors, node, format!("{raw} is not a VLAN id"), "a VLAN id is 1 to 4094")
    })
}

pub(super) fn vni(errors: &mut Errors, node: &Node) -> Option<Vni> {
    let raw = number(errors, node, "a VNI from 1 to 16777215")?;
    u32::try_from(raw)
        .ok()
        .and_then(|raw| Vni::new(raw).ok())
        .or_else(|| refuse(errors, node, format!("{raw} is not a VNI"), "a VNI is 1 to 16777215"))
}

pub(super) fn tpid(errors: &mut Errors, node: &Node) -> Option<Tpid> {
    let raw = number(errors, node, "0x8100 or 0x88a8")?;
    u16::try_from(raw).ok().and_then(Tpid::from_ether_type).or_else(|| {
        let message = format!("{raw:#06x} is no tag protocol identifier");
        refuse(errors, node, message, "write 0x8100 (customer tag) or 0x88a8 (service tag)")
    })
}

/// 1 to 4294967295.
pub(super) fn count(errors: &mut Errors, node: &Node) -> Option<u32> {
    let raw = number(errors, node, "a number from 1 to 4294967295")?;
    u32::try_from(raw)
        .ok()
        .filter(|count| *count > 0)
        .or_else(|| refuse(errors, node, format!("{raw} is out of range"), "write 1 to 4294967295"))
}

pub(super) fn truth(errors: &mut Errors, node: &Node) -> Option<bool> {
    word(errors, node, &[("true", true), ("false", false)])
}

pub(super) fn admin(errors: &mut Errors, node: &Node) -> Option<AdminState> {
    word(errors, node, &[("up", AdminState::Up), ("down", AdminState::Down)])
}

pub(super) fn over_limit(errors: &mut Errors, node: &Node) -> Option<OverLimit> {
    word(errors, node, &[("forward", OverLimit::Forward), ("drop", OverLimit::Drop)])
}

pub(super) fn mode(errors: &mut Errors, node: &Node) -> Option<RedundancyMode> {
    let modes = [RedundancyMode::Lease, RedundancyMode::StpTransparent, RedundancyMode::Mlag];
    word(errors, node, &modes.map(|mode| (mode.name(), mode)))
}

pub(super) fn policy(errors: &mut Errors, node: &Node) -> Option<ReservedPolicy> {
    let policies = [ReservedPolicy::Pass, ReservedPolicy::Drop];
    word(errors, node, &policies.map(|policy| (policy.name(), policy)))
}

/// A duration with its unit: `300s`, `5m`, `2h`, `1d`.
pub(super) fn ageing(errors: &mut Errors, node: &Node) -> Option<Ageing> {
    let expected = "a duration such as 300s or 5m";
    let text = scalar(errors, node, expected)?;
    let seconds = duration(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]);
    let help = "write whole seconds, minutes, hours or days with their unit: 300s, 5m, 2h, 1d";
    let Some(seconds) = seconds else {
        return refuse(errors, node, format!("{text:?} is not {expected}"), help);
    };
    match Ageing::from_secs(seconds) {
        Ok(ageing) => Some(ageing),
        Err(error) => refuse(errors, node, error, "choose 10s to 86400s; the default is 300s"),
    }
}

/// A whole number with one of `units`, each with what it stands for.
pub(super) fn duration(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().ok()?.checked_mul(*factor)).flatten()
    })
}

/// A list whose items are read one by one.
pub(super) fn list<T>(errors: &mut Errors, node: &Node, read: Read<T>) -> Option<Vec<T>> {
    let Value::List(items) = &node.value else {
        let message = format!("expected a list, found {}", node.value.what());
        return refuse(
            errors,
            node,
            message,
            "write a list: [a, b], or one item per line after '-'",
        );
    };
    let read: Vec<Option<T>> = items.iter().map(|item| read(errors, item)).collect();
    read.into_iter().collect()
}

pub(super) fn names(errors: &mut Errors, node: &Node) -> Option<Vec<Name>> {
    list(errors, node, name)
}

/// A list of VIDs and ranges: `[10, "20-30"]`.
pub(super) fn vids(errors: &mut Errors, node: &Node) -> Option<VlanSet> {
    let ranges = list(errors, node, vid_range)?;
    let mut set = VlanSet::default();
    for (first, last) in ranges {
        set.insert_range(first, last);
    }
    Some(set)
}

fn vid_range(errors: &mut Errors, node: &Node) -> Option<(VlanId, VlanId)> {
    let Value::Scalar(text) = &node.value else {
        return vid(errors, node).map(|vid| (vid, vid));
    };
    let Some((first, last)) = text.split_once('-') else {
        return vid(errors, node).map(|vid| (vid, vid));
    };
    let read = |text: &str| VlanId::new(text.trim().parse().ok()?).ok();
    match (read(first), read(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        _ => {
            let message = format!("{text:?} is not a range of VLAN ids");
            refuse(errors, node, message, "write a range as \"20-30\", within 1 to 4094")
        }
    }
}

/// Limits of storm control; on a trunk also `perVlan`.
pub(super) fn storm_on_trunk(errors: &mut Errors, node: &Node) -> Option<StormControl> {
    let mut object = Object::open(errors, node, "stormControl")?;
    let port = limits(&mut object);
    let per_vlan = object.optional("perVlan", |errors, node| {
        let mut object = Object::open(errors, node, "perVlan")?;
        let limits = limits(&mut object);
        object.close();
        Some(limits)
    });
    object.close();
    Some(StormControl { port, per_vlan: per_vlan.unwrap_or_default() })
}

pub(super) fn storm_on_access(errors: &mut Errors, node: &Node) -> Option<StormControl> {
    let mut object = Object::open(errors, node, "stormControl")?;
    let port = limits(&mut object);
    object.close();
    Some(StormControl { port, per_vlan: StormLimits::default() })
}

fn limits(object: &mut Object<'_, '_>) -> StormLimits {
    StormLimits {
        broadcast: object.optional("broadcast", rate),
        multicast: object.optional("multicast", rate),
        unknown_unicast: object.optional("unknownUnicast", rate),
    }
}

/// A rate, alone or with its burst. Alone it allows bursts of a tenth of a second.
fn rate(errors: &mut Errors, node: &Node) -> Option<StormRate> {
    let burst_of = |frames_per_second: u32| (frames_per_second / 10).max(1);
    if let Value::Map(_) = node.value {
        let mut object = Object::open(errors, node, "rate")?;
        let frames_per_second = object.required("framesPerSecond", count);
        let burst = object.optional("burst", count);
        object.close();
        let frames_per_second = frames_per_second?;
        let burst = burst.unwrap_or_else(|| burst_of(frames_per_second));
        return Some(StormRate { frames_per_second, burst });
    }
    let frames_per_second = count(errors, node)?;
    Some(StormRate { frames_per_second, burst: burst_of(frames_per_second) })
}
