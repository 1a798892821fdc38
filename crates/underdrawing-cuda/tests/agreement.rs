#![allow(unsafe_code, reason = "the variables that find the mock")]

//! The card's operations, networks and optimisers against those of the processor.

mod common;

#[path = "../../underdrawing-net/agreement/mod.rs"]
mod agreement;

mod single_precision {
    use crate::{agreement, common};

    agreement::tests!(common::engine(false), 1e-4);
}

/// Operands of convolutions have 10 bits behind the point.
mod tf32 {
    use crate::{agreement, common};

    agreement::tests!(common::engine(true), 5e-3);
}
