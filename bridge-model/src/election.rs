//! Which trunk forwards a VLAN in mode `lease`, a pure function of the candidates.

use crate::types::{Name, VlanId};

/// The candidate with the highest weight for `vid` (rendezvous hashing): when a candidate goes, only
/// the VLANs that it forwarded move. Ties, which a hash of 64 bits makes a curiosity, go to the
/// lesser name.
pub fn forwarder<'a>(
    vid: VlanId,
    candidates: impl IntoIterator<Item = &'a Name>,
) -> Option<&'a Name> {
    candidates.into_iter().max_by_key(|name| (weight(vid, name), std::cmp::Reverse(*name)))
}

/// FNV-1a over VID and name, finished by the mixer of `SplitMix64` so that neighbouring VIDs spread.
fn weight(vid: VlanId, name: &Name) -> u64 {
    let octets = vid.get().to_be_bytes().into_iter().chain(name.as_str().bytes());
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
    }
}
