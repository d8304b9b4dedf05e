//! Buffers: what they hold, and that they come back.

use crate::support::World;
use arrayvec::ArrayVec;
use rte_rs::{HEADROOM, Mbuf, data_room_for_mtu, free_bulk};

#[test]
fn a_buffer_grows_at_both_ends_within_its_room_and_shrinks_at_the_front() {
    let world = World::new(1500);
    let mut mbuf = world.pool.frame(b"frame").unwrap();
    assert_eq!(mbuf.headroom(), HEADROOM);
    assert_eq!(mbuf.tailroom(), 2048 - 5);

    assert!(mbuf.prepend(4));
    mbuf.bytes_mut()[..4].copy_from_slice(b"tag ");
    assert!(mbuf.append_zeros(2));
    assert_eq!(mbuf.bytes(), b"tag frame\0\0");
    mbuf.trim_front(4);
    assert_eq!((mbuf.bytes(), mbuf.frame_len(), mbuf.segments()), (&b"frame\0\0"[..], 7, 1));
    mbuf.truncate(8);
    assert_eq!(mbuf.frame_len(), 7);
    mbuf.truncate(6);
    assert_eq!((mbuf.bytes(), mbuf.frame_len()), (&b"frame\0"[..], 6));
    assert!(mbuf.append_zeros(1));

    assert!(!mbuf.prepend(HEADROOM + 1));
    assert!(!mbuf.append_zeros(2048));
    assert!(!mbuf.append(&[0; 2048]));
    assert_eq!(mbuf.bytes(), b"frame\0\0");
    mbuf.trim_front(100);
    assert_eq!(mbuf.bytes(), b"");
}

#[test]
fn every_buffer_comes_back_however_it_is_freed() {
    let world = World::new(1500);
    let pool = &world.pool;
    let all = pool.available();
    assert_eq!(all, pool.capacity());
    let mut burst: ArrayVec<Mbuf, 32> = ArrayVec::new();

    assert!(pool.allocate_bulk(&mut burst, 32));
    let copy = pool.copy(&burst[0]).unwrap();
    assert_eq!((burst.len(), pool.available()), (32, all - 33));

    drop(copy);
    free_bulk(&mut burst);
    assert_eq!((burst.len(), pool.available()), (0, all));
    assert!(pool.allocate_bulk(&mut burst, 5));
    drop(burst);
    assert_eq!(pool.available(), all);
}

#[test]
fn a_pool_that_runs_dry_says_so_and_allocates_all_or_nothing() {
    let world = World::new(1500);
    let mut held = Vec::new();
    while let Some(mbuf) = world.pool.allocate() {
        held.push(mbuf);
    }
    assert_eq!(u32::try_from(held.len()).unwrap(), world.pool.capacity());
    held.truncate(held.len() - 10);
    let mut burst: ArrayVec<Mbuf, 32> = ArrayVec::new();

    assert!(!world.pool.allocate_bulk(&mut burst, 11));
    assert!(burst.is_empty());
    assert!(world.pool.allocate_bulk(&mut burst, 10));
    assert_eq!(burst.len(), 10);
}

#[test]
fn the_data_room_holds_the_frame_two_tags_and_what_drivers_add() {
    assert_eq!(data_room_for_mtu(1500), 2048);
    assert_eq!(data_room_for_mtu(9600), 9728);
    for mtu in [68, 1500, 1946, 1947, 9600, 65000] {
        assert!(u32::from(data_room_for_mtu(mtu)) >= (u32::from(mtu) + 22).min(65024));
        assert_eq!(data_room_for_mtu(mtu) % 512, 0);
    }
}
