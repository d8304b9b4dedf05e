//! Which trunk forwards a VLAN in mode `lease`, and which host forwards in mode `stp-transparent`: pure
//! functions of the candidates.

use std::cmp::Reverse;

use crate::types::{Name, VlanId};

/// The candidate with the highest weight for `vid` (rendezvous hashing): when a candidate goes, only
/// the VLANs that it forwarded move. Ties, which a hash of 64 bits makes a curiosity, go to the
/// lesser name.
pub fn forwarder<'a>(
    vid: VlanId,
    candidates: impl IntoIterator<Item = &'a Name>,
) -> Option<&'a Name> {
    let key = vid.get().to_be_bytes();
    candidates.into_iter().max_by_key(|name| (weight(key, name), Reverse(*name)))
}

/// Of hosts with trunks of one gateway bridge, each with how many VLANs its trunks carry, the one
/// that forwards for a spanning tree: that with the most VLANs, so that few are left out, of equals
/// that with the highest weight for the gateway bridge.
pub fn host_of_tree<'a>(
    gateway_bridge: &Name,
    candidates: impl IntoIterator<Item = (&'a Name, usize)>,
) -> Option<&'a Name> {
    let rank = |&(host, vlans): &(&'a Name, usize)| {
        (vlans, weight(gateway_bridge.as_str().bytes(), host), Reverse(host))
    };
    candidates.into_iter().max_by_key(rank).map(|(host, _)| host)
}

/// FNV-1a over key and name, finished by the mixer of `SplitMix64` so that neighbouring VIDs spread.
fn weight(key: impl IntoIterator<Item = u8>, name: &Name) -> u64 {
    let octets = key.into_iter().chain(name.as_str().bytes());
    let hash = octets.fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_that_leaves_moves_only_its_own_vlans_and_each_has_a_fair_share() {
        let names = ["t0", "t1", "t2", "t3"].map(|name| name.parse::<Name>().unwrap());
        let mut counts = [0; 4];
        for vid in VlanId::all() {
            let chosen = forwarder(vid, &names).unwrap();
            let without: Vec<&Name> = names.iter().filter(|name| **name != names[3]).collect();
            let next = forwarder(vid, without).unwrap();
            assert!(chosen == next || chosen == &names[3], "{vid}");
            counts[names.iter().position(|name| name == chosen).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn nobody_is_elected_among_nobody() {
        assert_eq!(forwarder(VlanId::MIN, []), None);
        assert_eq!(host_of_tree(&"gw".parse().unwrap(), []), None);
    }

    #[test]
    fn the_host_with_most_vlans_has_the_tree_and_gateway_bridges_spread_over_equals() {
        let hosts = ["a", "b", "c"].map(|name| name.parse::<Name>().unwrap());
        let mut counts = [0; 3];
        for index in 0..300 {
            let gateway: Name = format!("gw{index}").parse().unwrap();
            let elect = |vlans: [usize; 3]| host_of_tree(&gateway, hosts.iter().zip(vlans));
            assert_eq!(elect([1, 2, 1]), Some(&hosts[1]));
            assert_eq!(elect([9, 2, 1]), Some(&hosts[0]));
            let chosen = elect([5, 5, 5]).unwrap();
            assert!(chosen == &hosts[2] || elect([5, 5, 4]) == Some(chosen));
            counts[hosts.iter().position(|host| host == chosen).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}
