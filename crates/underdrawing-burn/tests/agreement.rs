//! burn's operations, networks and optimisers against those of the processor.
//!
//! They run on burn's processor backend where that is built, otherwise on a graphics card or on what
//! stands for one:
//!
//! ```text
//! cargo test --release -p underdrawing-burn --features flex
//! cargo test --release -p underdrawing-burn --features wgpu
//! ```

#![cfg(any(feature = "vulkan", feature = "wgpu", feature = "flex"))]

use underdrawing_burn::BurnEngine;

#[path = "../../underdrawing-net/agreement/mod.rs"]
mod agreement;

/// What is tested.
fn engine() -> BurnEngine {
    #[cfg(feature = "flex")]
    return BurnEngine::flex();
    #[cfg(not(feature = "flex"))]
    match BurnEngine::gpu() {
        Ok(engine) => engine,
        Err(underdrawing_burn::GpuError::SoftwareOnly) => BurnEngine::software(),
        Err(err) => panic!("{err}"),
    }
}

// Single precision errs by 6e-8; through a dozen layers, each of sums of a hundred terms, and for
// gradients back again, errors grow to a hundred times that.
agreement::tests!(Some(engine()), 2e-5, 2e-5);
