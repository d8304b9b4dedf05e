use super::*;

#[test]
fn steps_are_counted_modulo_eight() {
    assert_eq!(AgeEpoch::new(1).steps_since(AgeEpoch::new(6)), 3);
    assert_eq!(AgeEpoch::new(6).steps_since(AgeEpoch::new(6)), 0);
}
