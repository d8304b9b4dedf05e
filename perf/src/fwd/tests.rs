use super::*;

#[test]
fn every_kernel_forwards_every_frame_both_ways_and_says_what_it_cost() {
    let points = measure(200, None, Effort::SMOKE).unwrap();
    assert_eq!(points.len(), 2 * Isa::available().count());
    for point in points {
        assert_eq!(point.macs, 200);
        assert!(point.forward.min > 0.0 && point.empty.min > 0.0, "{point:?}");
        assert!(point.whole.min >= point.forward.min, "{point:?}");
    }
}

#[test]
fn more_stations_than_a_ring_holds_are_all_learned() {
    assert_eq!(Scene::new(40_000, Isa::detect()).unwrap().macs(), 40_000);
}

#[test]
fn every_kind_of_tunnel_takes_and_gives_every_frame() {
    for wrapping in tunnel::Wrapping::ALL {
        for vlans in [1, 30] {
            let points = tunnel::measure(wrapping, (vlans, 20), Isa::detect(), Effort::SMOKE);
            let points = points.unwrap();
            assert_eq!(points.len(), tunnel::Way::ALL.len());
            // Two stations for each VLAN at least.
            assert!(points.iter().all(|point| point.macs == (2 * usize::from(vlans)).max(20)));
        }
    }
}

#[test]
fn a_flood_makes_one_payload_copy_for_every_place_but_the_last() {
    // A scene that made another number is an error.
    for target in flood::Target::ALL {
        for copies in [1, 2, 7] {
            flood::measure(target, (copies, 60), Isa::detect(), Effort::SMOKE).unwrap();
        }
    }
}
