//! Numbers for tests, the same in each run. The tests of the processor's own gradients include this
//! file as well.

use super::{Architecture, Networks};

/// Values in [0, 1), the same in each run.
pub(super) fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| next()).collect()
}

/// Networks that do much to a picture.
pub(super) fn lively(architecture: Architecture) -> Networks {
    let mut seed = 0;
    Networks::new(architecture, 1).map(|param| {
        seed += 1;
        let noise = noise(param.len(), seed).into_iter();
        if param.name.ends_with("running_var") {
            return noise.map(|v| 0.5 + v).collect();
        }
        let fan_in = param.shape[1..].iter().product::<usize>() as f32;
        let size = match param.shape.len() {
            4 => 3.0 / fan_in.sqrt(),
            _ => 1.0,
        };
        noise.map(|v| (v - 0.5) * size).collect()
    })
}
