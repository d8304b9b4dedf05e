//! Every interleaving of the writer and a worker at one entry: `RUSTFLAGS="--cfg loom" cargo test -p
//! fwd --release loom`.

use std::net::Ipv4Addr;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use super::*;

const OLD: u64 = 0x0200_0000_0001;
const NEW: u64 = 0x0400_0000_0002;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn key(fid: u16, number: u32) -> Key {
    Key::new(Fid(fid), Ipv4Addr::from_bits(number).into())
}

fn neighbor(mac: u64, is_router: bool) -> Neighbor {
    Neighbor { mac: MacAddr::from_u64(mac), is_router }
}

#[test]
fn a_reader_sees_the_old_station_or_the_new_one_or_none_but_no_mixture() {
    explore(|| {
        let entry = Arc::new(Entry::default());
        entry.set(key(1, 1), neighbor(OLD, false));
        let reader = {
            let entry = Arc::clone(&entry);
            thread::spawn(move || entry.get(key(1, 1)))
        };
        entry.set(key(1, 1), neighbor(NEW, true));
        let seen = reader.join().unwrap();
        let possible = [None, Some(neighbor(OLD, false)), Some(neighbor(NEW, true))];
        assert!(possible.contains(&seen), "{seen:?}");
        assert_eq!(entry.get(key(1, 1)), Some(neighbor(NEW, true)));
    });
}

#[test]
fn an_address_that_takes_the_place_of_another_never_lends_it_its_station() {
    explore(|| {
        let entry = Arc::new(Entry::default());
        entry.set(key(1, 1), neighbor(OLD, false));
        let reader = {
            let entry = Arc::clone(&entry);
            thread::spawn(move || (entry.get(key(1, 1)), entry.get(key(2, 2))))
        };
        entry.clear();
        entry.set(key(2, 2), neighbor(NEW, false));
        let (first, second) = reader.join().unwrap();
        assert!([None, Some(neighbor(OLD, false))].contains(&first), "{first:?}");
        assert!([None, Some(neighbor(NEW, false))].contains(&second), "{second:?}");
    });
}
