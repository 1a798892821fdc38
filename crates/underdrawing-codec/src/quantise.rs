//! Dependent (trellis-coded) quantisation: the multiples of the step that stand for a band's
//! coefficients.
//!
//! There are two quantisers, each twice as wide as the step: one of even multiples, one of odd
//! multiples and zero. Which one is in force depends on a state, which the parities of all earlier
//! indices determine. So the encoder chooses among more points than it pays for.

mod lanes;
mod trellis;

pub(crate) use trellis::{Machine, Prices, RATED, Rates, TARGET_BITS, search};

/// The index that is coded for the multiple `n` of the step. It counts the quantiser's points from
/// zero outwards.
#[inline(always)]
pub(crate) fn index(n: i32, odd: bool) -> u32 {
    (n.unsigned_abs() + u32::from(odd)) >> 1
}

/// The multiple of the step, without sign, for index `k`.
#[inline(always)]
pub(crate) fn multiple(k: u32, odd: bool) -> u32 {
    (k << 1) - u32::from(odd && k > 0)
}

/// Largest multiple of the step that is coded.
pub(crate) const MAX_MULTIPLE: u32 = (1 << 22) - 1;
