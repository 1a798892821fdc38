//! One block of pixels: its coefficients, and new pixels that have the coefficients wanted.

use underdrawing_jpeg::{dct, luma};

/// The pixels of a block, row by row.
pub(super) type Rgb = [[u8; 3]; 64];

/// Coefficients in eighths of the brightness that an encoder sees.
pub(super) fn coefficients(pixels: &Rgb) -> [i32; 64] {
    transformed(pixels, dct::forward)
}

/// Coefficients of libjpeg's fast transform, on its own scales.
pub(super) fn fast_coefficients(pixels: &Rgb) -> [i32; 64] {
    transformed(pixels, dct::forward_fast)
}

fn transformed(pixels: &Rgb, transform: fn(&mut [i32; 64])) -> [i32; 64] {
    let mut samples = pixels.map(|pixel| i32::from(luma(pixel)) - 128);
    transform(&mut samples);
    samples
}

/// How far the fast transform's coefficients lie above the others on average, in eighths, where it
/// matters: the first row's, measured on 60 photographs.
const FAST_BIAS: [i32; 8] = [0, -8, -3, 9, 0, -5, 7, 14];

/// What a coefficient has to be off its point, in eighths, so that it lies between both transforms'
/// coefficients.
pub(super) fn between(place: usize) -> i32 {
    FAST_BIAS.get(place).map_or(0, |bias| -bias / 2)
}

/// Rows of the orthonormal transform.
#[rustfmt::skip]
const WAVES: [[f32; 8]; 8] = {
    const A: f32 = 0.353_553_4;
    const B: f32 = 0.490_392_64;
    const C: f32 = 0.461_939_77;
    const D: f32 = 0.415_734_8;
    const E: f32 = 0.277_785_12;
    const F: f32 = 0.191_341_72;
    const G: f32 = 0.097_545_16;
    [
        [A, A, A, A, A, A, A, A],
        [B, D, E, G, -G, -E, -D, -B],
        [C, F, -F, -C, -C, -F, F, C],
        [D, -G, -B, -E, E, B, G, -D],
        [A, -A, -A, A, A, -A, -A, A],
        [E, -B, G, D, -D, -G, B, -E],
        [F, -C, C, -F, -F, C, -C, F],
        [G, -E, D, -B, B, -D, E, -G],
    ]
};

/// Samples of coefficients in eighths.
fn samples(coefficients: &[i32; 64]) -> [f32; 64] {
    let mut rows = [0.0; 64];
    for (row, coefficients) in rows.chunks_exact_mut(8).zip(coefficients.chunks_exact(8)) {
        for (wave, &coefficient) in WAVES.iter().zip(coefficients) {
            if coefficient != 0 {
                let amplitude = coefficient as f32 / 8.0;
                for (sample, wave) in row.iter_mut().zip(wave) {
                    *sample += amplitude * wave;
                }
            }
        }
    }
    let mut out = [0.0; 64];
    for (wave, row) in WAVES.iter().zip(rows.chunks_exact(8)) {
        for (out, wave) in out.chunks_exact_mut(8).zip(wave) {
            for (out, sample) in out.iter_mut().zip(row) {
                *out += sample * wave;
            }
        }
    }
    out
}

/// What a coefficient is to become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) place: usize,
    /// In eighths.
    pub(super) value: i32,
    /// What it may be off by before more is done, in eighths.
    pub(super) tolerance: i32,
    /// What it may be off by before it is read wrong, in eighths.
    pub(super) limit: i32,
    /// Half of the way to another digit, in eighths.
    pub(super) half: i32,
}

/// Rounds of rounding to bytes and putting the coefficients back.
const ROUNDS: usize = 16;

/// Shares of red, green and blue in brightness.
const SHARES: [f32; 3] = [0.299, 0.587, 0.114];

/// The pixels nearest to `cover` that have the targets' coefficients, as far as bytes can; and how
/// many of the targets are missed by more than their limits.
///
/// Projections in turn: onto the pixels that exist, and onto the blocks with those coefficients.
pub(super) fn settle(cover: &Rgb, targets: &[Target]) -> (Rgb, usize) {
    let mut wanted = cover.map(|pixel| pixel.map(f32::from));
    let mut best = (*cover, usize::MAX, i32::MAX);
    for round in 0.. {
        let pixels = wanted.map(|pixel| pixel.map(container_byte));
        let there = coefficients(&pixels);
        let mut missing = [0; 64];
        let (mut missed, mut worst) = (0, 0);
        let mut settled = true;
        for target in targets {
            let off = target.value - there[target.place];
            missing[target.place] = off;
            settled &= off.abs() <= target.tolerance;
            missed += usize::from(off.abs() > target.limit);
            worst = worst.max(1000 * off.abs() / target.limit);
        }
        if (missed, worst) < (best.1, best.2) {
            best = (pixels, missed, worst);
        }
        if settled || round == ROUNDS {
            break;
        }
        for (pixel, change) in wanted.iter_mut().zip(samples(&missing)) {
            brighten(pixel, change);
        }
    }
    (best.0, best.1)
}

/// How many targets are read wrong because a decoder cuts brightness off at black and white, after
/// an encoder with these steps, in eighths.
pub(super) fn cut_off(steps: &[i32; 64], pixels: &Rgb, targets: &[Target]) -> usize {
    let mut rounded = coefficients(pixels);
    for (value, step) in rounded.iter_mut().zip(steps) {
        *value = (value.abs() + step / 2) / step * step * value.signum();
    }
    let mut decoded = samples(&rounded).map(|sample| i32::from(byte(sample + 128.0)) - 128);
    dct::forward(&mut decoded);
    let is_wrong = |target: &Target, value: i32| (target.value - value).abs() > target.half;
    let wrong = |target: &&Target| {
        is_wrong(target, decoded[target.place]) && !is_wrong(target, rounded[target.place])
    };
    targets.iter().filter(wrong).count()
}

/// Changes a pixel's brightness; what a channel cannot change any more, the others do.
fn brighten(pixel: &mut [f32; 3], change: f32) {
    *pixel = pixel.map(|sample| sample.clamp(0.0, LIGHTEST));
    let can = |sample: f32| {
        if change > 0.0 {
            sample < LIGHTEST
        } else {
            sample > 0.0
        }
    };
    let free: f32 = pixel
        .iter()
        .zip(SHARES)
        .map(|(&sample, share)| if can(sample) { share } else { 0.0 })
        .sum();
    // Blue alone would have to change too much.
    let change = change / free.max(0.25);
    *pixel = pixel.map(|sample| sample + change);
}

/// The lightest sample of a container. mozjpeg takes 255 for white that was cut off, and changes what
/// is around it.
const LIGHTEST: f32 = 254.0;

fn container_byte(sample: f32) -> u8 {
    byte(sample.min(LIGHTEST))
}

fn byte(sample: f32) -> u8 {
    // Rounds as a cast after adding a half, which is exact for what is not negative.
    (sample.clamp(0.0, 255.0) + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_reached() {
        let cover: Rgb = std::array::from_fn(|i| [100 + i as u8, 90 + (i % 8) as u8 * 5, 120]);
        let there = coefficients(&cover);
        let targets: Vec<Target> = [0, 1, 8, 9, 18]
            .into_iter()
            .map(|place| Target {
                place,
                value: there[place] + 50 - 10 * place as i32,
                tolerance: 8,
                limit: 16,
                half: 24,
            })
            .collect();
        let (pixels, missed) = settle(&cover, &targets);
        assert_eq!(missed, 0);
        let reached = coefficients(&pixels);
        for target in targets {
            assert!((reached[target.place] - target.value).abs() <= 16);
        }
    }
}
