//! From pixels to coefficients.

use crate::dct;
use crate::jpeg::{Block, Colours, Component, Jpeg};
use crate::quality::Tables;

/// How many samples chroma has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// As many as luma (4:4:4).
    Full,
    /// Half as many across (4:2:2).
    HalfAcross,
    /// Half as many across and down (4:2:0).
    Half,
}

impl Sampling {
    fn factors(self) -> (usize, usize) {
        match self {
            Self::Full => (1, 1),
            Self::HalfAcross => (2, 1),
            Self::Half => (2, 2),
        }
    }
}

impl Jpeg {
    /// The coefficients that libjpeg-turbo writes for 8-bit RGB pixels, interleaved: those of the
    /// slow transform. Below a quality of 25 some differ by one: its division is inexact for large
    /// steps.
    ///
    /// # Panics
    /// When a side is zero or there are not `3 * width * height` samples.
    #[must_use]
    pub fn from_rgb(
        rgb: &[u8],
        width: usize,
        height: usize,
        sampling: Sampling,
        tables: &Tables,
    ) -> Self {
        assert!(
            width > 0 && rgb.len() == 3 * width * height && !rgb.is_empty(),
            "a picture"
        );
        let (h, v) = sampling.factors();
        let padded = Padded {
            rgb,
            width,
            height,
            wide: width.next_multiple_of(8 * h),
            high: height.next_multiple_of(v),
        };
        let components = (0..3)
            .map(|which| {
                let (shrink_h, shrink_v) = if which == 0 { (1, 1) } else { (h, v) };
                let plane = padded.plane(which, shrink_h, shrink_v);
                let factors = if which == 0 { (h, v) } else { (1, 1) };
                let steps = tables[which.min(1)];
                component(&plane, padded.wide / shrink_h, factors, steps)
            })
            .collect();
        Self {
            width,
            height,
            colours: Colours::YCbCr,
            components,
            application: Vec::new(),
        }
    }
}

/// Brightness of a pixel from 0 to 255, as libjpeg rounds it.
#[must_use]
pub fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let (red, green, blue) = (i32::from(red), i32::from(green), i32::from(blue));
    ((19_595 * red + 38_470 * green + 7_471 * blue + (1 << 15)) >> 16) as u8
}

fn chroma([red, green, blue]: [u8; 3], which: usize) -> u8 {
    let (red, green, blue) = (i32::from(red), i32::from(green), i32::from(blue));
    let sum = if which == 1 {
        -11_059 * red - 21_709 * green + 32_768 * blue
    } else {
        32_768 * red - 27_439 * green - 5_329 * blue
    };
    ((sum + (128 << 16) + (1 << 15) - 1) >> 16) as u8
}

/// A picture with its last column and row repeated.
struct Padded<'a> {
    rgb: &'a [u8],
    width: usize,
    height: usize,
    wide: usize,
    high: usize,
}

impl Padded<'_> {
    /// Brightness or a colour difference, with so many samples taken together.
    fn plane(&self, which: usize, shrink_h: usize, shrink_v: usize) -> Vec<u8> {
        let value = |x: usize, y: usize| {
            let at = 3 * (y.min(self.height - 1) * self.width + x.min(self.width - 1));
            let pixel = [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]];
            if which == 0 {
                luma(pixel)
            } else {
                chroma(pixel, which)
            }
        };
        let high = if which == 0 { self.height } else { self.high };
        let mut plane = Vec::with_capacity(self.wide / shrink_h * (high / shrink_v));
        for y in (0..high).step_by(shrink_v) {
            for x in (0..self.wide).step_by(shrink_h) {
                let sample = |dx, dy| u32::from(value(x + dx, y + dy));
                // Halves are rounded down and up in turn.
                let odd = (x / shrink_h % 2) as u32;
                plane.push(match (shrink_h, shrink_v) {
                    (1, 1) => value(x, y),
                    (2, 1) => ((sample(0, 0) + sample(1, 0) + odd) >> 1) as u8,
                    _ => {
                        let sum = sample(0, 0) + sample(1, 0) + sample(0, 1) + sample(1, 1);
                        ((sum + 1 + odd) >> 2) as u8
                    }
                });
            }
        }
        plane
    }
}

/// Transforms and quantises a plane whose rows are whole blocks of the picture's units; its last row
/// is repeated.
fn component(
    plane: &[u8],
    wide: usize,
    (horizontal, vertical): (usize, usize),
    steps: [u16; 64],
) -> Component {
    let high = plane.len() / wide;
    let blocks_wide = wide / 8;
    let blocks_high = high.div_ceil(8).next_multiple_of(vertical);
    let mut blocks = Vec::with_capacity(blocks_wide * blocks_high);
    for number in 0..blocks_wide * blocks_high {
        let (left, top) = (number % blocks_wide * 8, number / blocks_wide * 8);
        let mut samples = std::array::from_fn(|i| {
            let y = (top + i / 8).min(high - 1);
            i32::from(plane[y * wide + left + i % 8]) - 128
        });
        dct::forward(&mut samples);
        blocks.push(quantised(&samples, &steps));
    }
    Component {
        horizontal,
        vertical,
        steps,
        blocks_wide,
        blocks,
    }
}

/// The nearest multiples; halves go away from zero.
fn quantised(coefficients: &[i32; 64], steps: &[u16; 64]) -> Block {
    std::array::from_fn(|k| {
        let step = 8 * i32::from(steps[k]);
        let magnitude = (coefficients[k].abs() + step / 2) / step;
        (magnitude * coefficients[k].signum()) as i16
    })
}
