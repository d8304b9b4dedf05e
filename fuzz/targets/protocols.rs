//! See [`fuzz::protocols`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::protocols(input));
