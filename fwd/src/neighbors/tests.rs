use std::net::Ipv4Addr;

use super::*;

fn table() -> NeighborTable {
    NeighborTable::with_buckets(NeighborTable::SIZE / WIDTH, 7)
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn v6(number: u128) -> IpAddr {
    std::net::Ipv6Addr::from_bits(0xfd00 << 112 | number).into()
}

fn mac(number: u64) -> MacAddr {
    MacAddr::from_u64(0x0200_0000_0000 + number)
}

#[test]
fn an_address_is_known_in_its_domain_until_it_is_removed() {
    let table = table();
    assert!(table.insert(Fid(1), v4(1), mac(1), false));
    assert!(table.insert(Fid(1), v6(1), mac(2), true));
    assert!(table.insert(Fid(2), v4(1), mac(3), false));
    let known = |fid, address| table.lookup(Fid(fid), address).map(|n| (n.mac, n.is_router));
    assert_eq!(known(1, v4(1)), Some((mac(1), false)));
    assert_eq!(known(1, v6(1)), Some((mac(2), true)));
    assert_eq!(known(2, v4(1)), Some((mac(3), false)));
    assert_eq!(known(2, v6(1)), None);
    assert!(table.insert(Fid(1), v4(1), mac(9), true), "replaced");
    assert_eq!((known(1, v4(1)), table.len()), (Some((mac(9), true)), 3));
    assert!(table.remove(Fid(1), v4(1)));
    assert!(!table.remove(Fid(1), v4(1)));
    assert_eq!((known(1, v4(1)), known(2, v4(1))), (None, Some((mac(3), false))));
    assert_eq!(table.len(), 2);
}

#[test]
fn an_ipv4_address_and_the_same_number_in_ipv6_are_two() {
    let table = table();
    let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped();
    assert!(table.insert(Fid(1), v4(1), mac(1), false));
    assert_eq!(table.lookup(Fid(1), mapped.into()), None);
    assert_eq!(table.lookup(Fid(1), std::net::Ipv6Addr::from_bits(0x0a00_0001).into()), None);
}

#[test]
fn most_of_the_table_can_be_used_and_a_full_one_keeps_what_it_has() {
    let table = table();
    let mut taken = Vec::new();
    for number in 0..90_000 {
        let address = if number % 2 == 0 { v4(number) } else { v6(u128::from(number) << 64) };
        if table.insert(Fid(3), address, mac(u64::from(number)), false) {
            taken.push((address, mac(u64::from(number))));
        } else {
            assert!(taken.len() > NeighborTable::SIZE * 3 / 4, "only {}", taken.len());
        }
    }
    assert!(taken.len() < NeighborTable::SIZE, "more than fit were refused");
    assert_eq!(table.len(), taken.len());
    for (address, mac) in &taken {
        assert_eq!(table.lookup(Fid(3), *address).map(|n| n.mac), Some(*mac));
    }
    for (address, _) in &taken {
        assert!(table.remove(Fid(3), *address));
    }
    assert!(table.is_empty());
    assert!(table.insert(Fid(3), v4(1), mac(1), false));
}
