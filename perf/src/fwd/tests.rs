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
