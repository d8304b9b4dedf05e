//! The keyed bijection on 64-bit keys.
//!
//! A four-round Feistel network on two 32-bit halves. The round function is multiply-shift,
//! `(a * x + b) >> 32` in 64-bit arithmetic with secret random `a` and `b`, which is *strongly
//! universal* from 32 bits to 32 bits (Dietzfelbinger 1996): for any two different inputs the two
//! outputs are independent and uniform over the choice of `(a, b)`.
//!
//! Why this one:
//!
//! * A Feistel network is a bijection whatever its round functions are, so bucket number and
//!   remainder together *are* the key, and the key can be computed back for display.
//! * For any two keys chosen without knowledge of the seed, the left halves differ after the first
//!   round with probability at least 1 - 2^-32, and then the second round makes the right halves
//!   independent and uniform. So every pair falls into one of 2^b buckets with probability at most
//!   2^-b + 2^-32: a station that picks addresses cannot make collisions more frequent than chance.
//!   An unkeyed or linear hash (CRC-32C) has no such bound: one colliding set collides for ever.
//! * A pair bound alone would leave room for lumps: one multiply-shift maps a run of consecutive
//!   addresses to an arithmetic progression, which for an unlucky `a` meets few buckets. Rounds three
//!   and four destroy the progression (exclusive-or and addition do not commute). Buckets are
//!   numbered by the low bits, which have passed all four rounds: over many seeds the bucket loads of
//!   structured address sets cannot be told from random ones (see the tests). The high half has
//!   passed one round less and shows faint lumps when only the upper octets of the addresses vary;
//!   it feeds only the alternate bucket, together with bits of the low half, and the ageing phase.
//!
//! It is not a cipher: who can *observe* which addresses share a bucket could in time infer `a` and
//! `b`. Nothing in the forwarder shows that to a station.

/// The secret that a table's permutation is keyed with. Take it from the operating system's random
/// source, one per table.
#[derive(Clone, Copy)]
pub struct Seed([(u64, u64); 4]);

impl Seed {
    /// A seed from 64 random octets.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        let mut words = [0; 8];
        for (word, octets) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
        }
        let [a, b, c, d, e, f, g, h] = words;
        Self([(a, b), (c, d), (e, f), (g, h)])
    }

    /// A seed that anybody can guess: for tests and measurements that must repeat.
    pub fn predictable(number: u64) -> Self {
        let mut state = number;
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        };
        Self(std::array::from_fn(|_| (next(), next())))
    }
}

impl std::fmt::Debug for Seed {
    /// Says nothing: a seed in a log is no secret any more.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "part of the per-packet hash, called in vectorised loops")]
const fn round((a, b): (u64, u64), half: u64) -> u64 {
    a.wrapping_mul(half).wrapping_add(b) >> 32
}

const LOW: u64 = 0xffff_ffff;

/// The image of `key`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the per-packet hash, called in vectorised loops")]
pub(super) const fn permute(seed: &Seed, key: u64) -> u64 {
    let [k1, k2, k3, k4] = seed.0;
    let (left, right) = (key >> 32, key & LOW);
    let left = left ^ round(k1, right);
    let right = right ^ round(k2, left);
    let left = left ^ round(k3, right);
    let right = right ^ round(k4, left);
    left << 32 | right
}

/// The key whose image is `image`.
pub(super) const fn restore(seed: &Seed, image: u64) -> u64 {
    let [k1, k2, k3, k4] = seed.0;
    let (left, right) = (image >> 32, image & LOW);
    let right = right ^ round(k4, left);
    let left = left ^ round(k3, right);
    let right = right ^ round(k2, left);
    let left = left ^ round(k1, right);
    left << 32 | right
}

#[cfg(test)]
mod tests;
