//! What is tried with octets that nobody vouches for. Each function is a fuzz target: it takes any
//! input, and panics where something that always has to hold does not.
//!
//! `./scripts/soak fuzz` runs them under libFuzzer, beginning with the inputs in `corpus/`; the tests
//! of this crate run every one of those inputs once.

#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is how a fuzz target says that something does not hold"
)]

mod pipeline;
mod protocols;
mod scene;
mod wire;

pub use pipeline::pipeline;
pub use protocols::protocols;
pub use wire::wire;

/// A site file is refused or read; what was read is written and read again to the same.
pub fn site(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(topology) = bridge_model::site::parse("fuzz.yaml", text) {
        let written = bridge_model::site::to_yaml(&topology);
        let again = bridge_model::site::parse("written.yaml", &written);
        assert_eq!(again.ok(), Some(topology), "{written}");
    }
}

/// Cuts an input into records: a first octet, then a length of two octets and as many octets of
/// content, or as many as are left.
fn records(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [first, high, low, rest @ ..] = input else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (content, behind) = rest.split_at(length);
        input = behind;
        Some((*first, content))
    })
}
