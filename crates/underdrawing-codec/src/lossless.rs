//! The lossless models: each pixel is coded as the repetition of one seen before, or by the errors
//! of predictions of its samples.
//!
//! Flat areas, text and patterns are mostly repetitions. Where the neighbourhood suggests none, no
//! bits are spent on asking. Each stripe starts with fresh models, so stripes do not depend on each
//! other.

mod predict;
mod repeat;

use crate::Picture;
use crate::entropy::RangeCoder;
use crate::simd::with_simd;
use predict::Predictor;
use repeat::Repeater;
use std::ops::Range;

/// A pixel's samples in the order that they are coded: green, red, blue, or grey alone.
type Pixel = [i32; 3];

/// Columns beside a row.
const MARGIN: usize = 3;

/// Pixels around the one being coded.
struct Neighbours {
    west: Pixel,
    west_2: Pixel,
    north: Pixel,
    north_west: Pixel,
    north_east: Pixel,
    north_2: Pixel,
    north_2_east: Pixel,
    /// Further away; only the memory of repetitions uses them.
    far: [Pixel; 6],
}

/// Three rows: the one being coded and those above it.
struct Rows {
    width: usize,
    rows: [Vec<Pixel>; 3],
}

impl Rows {
    fn new(width: usize) -> Self {
        Self {
            width,
            rows: std::array::from_fn(|_| vec![[0; 3]; width + 2 * MARGIN]),
        }
    }

    /// Moves on to the next row; its margins repeat the nearest pixels above.
    fn next(&mut self) {
        self.rows.rotate_right(1);
        let [here, above, _] = &mut self.rows;
        let last = above[MARGIN + self.width - 1];
        above[MARGIN + self.width..].fill(last);
        here[..MARGIN].fill(above[MARGIN]);
    }

    #[inline(always)]
    fn neighbours(&self, x: usize) -> Neighbours {
        let at = x + MARGIN;
        let [here, above, above_2] = &self.rows;
        Neighbours {
            west: here[at - 1],
            west_2: here[at - 2],
            north: above[at],
            north_west: above[at - 1],
            north_east: above[at + 1],
            north_2: above_2[at],
            north_2_east: above_2[at + 1],
            far: [
                here[at - 3],
                above[at - 2],
                above[at + 2],
                above_2[at - 1],
                above_2[at + 2],
                above_2[at - 2],
            ],
        }
    }
}

/// The state of the models after the rows coded so far.
struct Model {
    channels: usize,
    rows: Rows,
    repeater: Repeater,
    predictor: Predictor,
}

impl Model {
    fn new(width: usize, height: usize, channels: usize) -> Self {
        Self {
            channels,
            rows: Rows::new(width),
            repeater: Repeater::new(width * height),
            predictor: Predictor::new(width, channels),
        }
    }

    /// Codes the next row: takes samples from `row` when writing, puts them there when reading.
    fn code_row(&mut self, coder: &mut RangeCoder, row: &mut [u8]) {
        self.rows.next();
        self.predictor.begin_row();
        with_simd(
            #[inline(always)]
            || {
                for (x, samples) in row.chunks_exact_mut(self.channels).enumerate() {
                    self.code_pixel(coder, x, samples);
                }
            },
        );
    }

    #[inline(always)]
    fn code_pixel(&mut self, coder: &mut RangeCoder, x: usize, samples: &mut [u8]) {
        let neighbours = self.rows.neighbours(x);
        let pixel = match *samples {
            [r, g, b] => [g.into(), r.into(), b.into()],
            _ => [samples[0].into(), 0, 0],
        };
        let pixel = match self.repeater.code(coder, &neighbours, pixel) {
            Some(pixel) => {
                self.predictor.pass(x);
                pixel
            }
            None => self.predictor.code(coder, &neighbours, x, pixel),
        };
        self.repeater.learn(pixel);
        self.rows.rows[0][x + MARGIN] = pixel;
        let bytes = pixel.map(|v| v as u8);
        match samples {
            [r, g, b] => [*g, *r, *b] = bytes,
            _ => samples[0] = bytes[0],
        }
    }
}

/// Codes some rows. Gives up as soon as they take more than `budget` bytes.
pub(crate) fn encode_within(
    picture: &Picture,
    rows: Range<usize>,
    budget: usize,
) -> Option<Vec<u8>> {
    let stride = picture.width() * picture.channels();
    let mut samples = picture.samples()[rows.start * stride..rows.end * stride].to_vec();
    let mut model = Model::new(picture.width(), rows.len(), picture.channels());
    let mut coder = RangeCoder::writer();
    for row in samples.chunks_exact_mut(stride) {
        model.code_row(&mut coder, row);
        if coder.len() > budget {
            return None;
        }
    }
    let bytes = coder.finish();
    (bytes.len() <= budget).then_some(bytes)
}

/// Codes some rows.
pub(crate) fn encode(picture: &Picture, rows: Range<usize>) -> Vec<u8> {
    encode_within(picture, rows, usize::MAX).expect("any size is allowed")
}

/// Decodes whole rows of `width` pixels into `samples`. Any bytes decode to something.
pub(crate) fn decode(bytes: &[u8], width: usize, channels: usize, samples: &mut [u8]) {
    let stride = width * channels;
    let mut model = Model::new(width, samples.len() / stride, channels);
    let mut coder = RangeCoder::reader(bytes);
    for row in samples.chunks_exact_mut(stride) {
        model.code_row(&mut coder, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of smooth colours with noise, a flat corner and a pattern.
    fn picture(width: usize, height: usize, channels: usize) -> Picture<'static> {
        let mut state = 1u32;
        let mut samples = Vec::new();
        for y in 0..height {
            for x in 0..width {
                for c in 0..channels {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    samples.push(if x < width / 3 {
                        200
                    } else if y < height / 3 {
                        if (x / 3 + y / 2) % 2 == 0 { 255 } else { 0 }
                    } else {
                        ((3 * x + 2 * y + 40 * c) as u32 + (state >> 29)) as u8
                    });
                }
            }
        }
        Picture::new(width, height, channels, samples).unwrap()
    }

    #[test]
    fn every_size_comes_back() {
        let sizes = (1..=6).flat_map(|w| (1..=6).map(move |h| (w, h)));
        for (width, height) in sizes.chain([(70, 33), (1, 90), (200, 2)]) {
            for channels in [1, 3] {
                let picture = picture(width, height, channels);
                let bytes = encode(&picture, 0..height);
                let mut back = vec![9; picture.samples().len()];
                decode(&bytes, width, channels, &mut back);
                assert!(back == picture.samples(), "{width}x{height}x{channels}");
            }
        }
    }

    #[test]
    fn extremes_come_back() {
        // Noise at full amplitude: the largest possible errors.
        let mut state = 5u32;
        let samples = (0..3 * 40 * 40).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { 0 } else { 255 }
        });
        let picture = Picture::new(40, 40, 3, samples.collect()).unwrap();
        let bytes = encode(&picture, 0..40);
        let mut back = vec![0; picture.samples().len()];
        decode(&bytes, 40, 3, &mut back);
        assert!(back == picture.samples());
    }

    #[test]
    fn flat_pictures_cost_next_to_nothing() {
        let picture = Picture::new(500, 400, 3, vec![77; 600_000]).unwrap();
        let n = encode(&picture, 0..400).len();
        assert!(n < 40, "{n}");
    }

    #[test]
    fn repeated_glyphs_cost_little() {
        // Lines of eight kinds of random glyphs: far fewer bits than pixels.
        let samples = (0..256 * 256).map(|i| {
            let (x, y) = (i % 256, i / 256);
            let glyph = (x / 8 * 7 + y / 12 * 5) % 8;
            let bit = (glyph * 2_654_435_761usize + (x % 8) * 40_503 + (y % 12) * 9973) >> 7 & 1;
            if bit == 1 { 0 } else { 255 }
        });
        let picture = Picture::new(256, 256, 1, samples.collect()).unwrap();
        let n = encode(&picture, 0..256).len();
        assert!(n < 2500, "{n}"); // 8192 at one bit per pixel.
    }

    #[test]
    fn gives_up_over_budget() {
        let picture = picture(90, 60, 3);
        let n = encode(&picture, 0..60).len();
        assert!(encode_within(&picture, 0..60, n - 1).is_none());
        assert_eq!(encode_within(&picture, 0..60, n).map(|b| b.len()), Some(n));
    }

    #[test]
    fn truncated_bytes_decode_to_something() {
        let picture = picture(30, 20, 3);
        let bytes = encode(&picture, 0..20);
        for end in 0..bytes.len() {
            decode(&bytes[..end], 30, 3, &mut vec![0; 1800]);
        }
    }
}
