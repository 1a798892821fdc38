//! A card's work beside the processor's: operations and networks, training runs, whole pictures; and
//! what is said where there is no card.
//!
//! On a machine with a card, `UNDERDRAWING_TEST_CARD=1 cargo test -p underdrawing-cuda`; elsewhere the
//! mock in `mock/` takes its place.

#![allow(unsafe_code, reason = "the variables that find the mock")]
#![allow(clippy::print_stdout, reason = "which card, or why none")]

#[path = "../../../underdrawing-net/agreement/mod.rs"]
mod agreement;
mod common;
mod messages;
mod training;

mod single_precision {
    use crate::{agreement, common};

    agreement::tests!(common::engine(false), 1e-4, 1e-4);
}

/// Operands of convolutions have 10 bits behind the point. The networks here make much of little
/// differences, and of the ways to convolve the fastest is taken, of which some round: by which of
/// them do, gradients differ by up to 1e-2.
mod tf32 {
    use crate::{agreement, common};

    agreement::tests!(common::engine(true), 5e-3, 2e-2);
}
