//! An estimate of quality against size, from a few small crops and without range coding.

use super::{Quantised, usual_price};
use crate::models::Models;
use crate::part::Cut;
use crate::quantise::Machine;
use crate::{Effort, Picture, parallel, planes};

/// Steps tried, in 1/16384 grey levels: from 0.3 to 39 grey levels.
const STEPS: [u32; 8] = [
    5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000,
];

/// Bytes per pixel of a picture over those of its crops, whose borders cost extra.
const WITHOUT_BORDERS: f64 = 0.965;

/// Side of a crop in pixels.
const SIDE: usize = 80;

/// Crops along each side of the picture.
const GRID: usize = 4;

/// An estimated rate-distortion curve.
///
/// It is a few per cent off in bytes where the crops resemble the rest of the picture. It is
/// computed by plain float arithmetic, so it is the same on every machine.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCurve {
    /// From fine to coarse.
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    bytes: f64,
    /// Root of the mean squared error in grey levels.
    error: f64,
}

impl RateCurve {
    /// Estimates the curve from crops of at most a tenth of a megapixel in total.
    #[must_use]
    pub fn of(picture: &Picture, effort: Effort) -> Self {
        let colour = planes::colour_of(picture);
        let crops = crops(picture);
        let area: usize = crops.iter().map(|c| c.width() * c.height()).sum();
        let measured = parallel::map(&crops, |crop| {
            let cut = Cut::new(crop.width(), crop.height());
            let parts = planes::transform(crop, colour.as_ref(), &cut);
            let all: Vec<usize> = (0..parts.len()).collect();
            let measure = |step| {
                let price = (step, usual_price(step));
                let quantised = Quantised::new(&parts, &all, price, Machine::EIGHT);
                let costs = quantised.fast_costs(&all);
                let bytes: f64 = costs.iter().map(|cost| cost.bytes).sum();
                let parts = &quantised.parts;
                let error = planes::mean_squared_error(crop, parts, colour.as_ref(), step);
                let pixels = (crop.width() * crop.height()) as f64;
                (bytes, error * pixels)
            };
            parallel::map(STEPS, measure)
        });
        let pixels = (picture.width() * picture.height()) as f64;
        let borders = if crops.len() > 1 {
            WITHOUT_BORDERS
        } else {
            1.0
        };
        let scale = borders * pixels / area as f64;
        let n_segments = 1 + Cut::new(picture.width(), picture.height()).n_stripes();
        let fixed = (super::HEADER_BYTES + n_segments) as f64;
        let points = (0..STEPS.len())
            .map(|i| {
                let bytes: f64 = measured.iter().map(|crop| crop[i].0).sum();
                let error: f64 = measured.iter().map(|crop| crop[i].1).sum();
                Point {
                    bytes: fixed + bytes * scale * super::usual_ratio(Models::of(effort)),
                    error: (error / area as f64).sqrt(),
                }
            })
            .collect();
        Self { points }
    }

    /// Mean squared error, in squared grey levels, to expect in `bytes` bytes.
    #[must_use]
    pub fn mse_at(&self, bytes: usize) -> f64 {
        let (a, b, t) = self.between(bytes as f64);
        // Between two points the error is nearly an exponential. The geometric mean of its chord
        // and the reciprocal of its reciprocal's chord approximates it without library functions.
        let chord = a.error + (b.error - a.error) * t;
        let small = 1e-3;
        let (a, b) = (1.0 / a.error.max(small), 1.0 / b.error.max(small));
        chord / (a + (b - a) * t)
    }

    /// Whether the curve reaches down to so few bytes; below, [`RateCurve::mse_at`] says too little.
    #[must_use]
    pub fn reaches(&self, bytes: usize) -> bool {
        self.points.last().is_some_and(|p| p.bytes <= bytes as f64)
    }

    /// Bytes to expect for a mean squared error of `mse` squared grey levels.
    #[must_use]
    pub fn bytes_at(&self, mse: f64) -> usize {
        let (mut low, mut high) = (0, self.points[0].bytes as usize);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.mse_at(middle) <= mse {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// The points on either side of a size, and its place between them, 0 to 1.
    fn between(&self, bytes: f64) -> (Point, Point, f64) {
        let last = self.points.len() - 2;
        let i = self.points[1..].iter().position(|p| p.bytes <= bytes);
        let i = i.unwrap_or(last).min(last);
        let (a, b) = (self.points[i], self.points[i + 1]);
        let width = (a.bytes - b.bytes).max(1.0);
        (a, b, ((a.bytes - bytes) / width).clamp(0.0, 1.0))
    }
}

/// The whole picture if it is small, else crops spread evenly over it.
fn crops<'s>(picture: &Picture<'s>) -> Vec<Picture<'s>> {
    let (width, height) = (picture.width(), picture.height());
    if width * height <= GRID * GRID * SIDE * SIDE {
        return vec![picture.clone()];
    }
    // A narrow picture has fewer crops along its short side.
    let (w, h) = (SIDE.min(width), SIDE.min(height));
    let (across, down) = (GRID.min(width / w), GRID.min(height / h));
    let place = |i: usize, n: usize, room: usize| (2 * i + 1) * room / (2 * n);
    (0..down)
        .flat_map(|j| (0..across).map(move |i| (i, j)))
        .map(|(i, j)| {
            let (x, y) = (place(i, across, width - w), place(j, down, height - h));
            crop(picture, x, y, w, h)
        })
        .collect()
}

fn crop<'s>(picture: &Picture<'_>, x: usize, y: usize, width: usize, height: usize) -> Picture<'s> {
    let (channels, stride) = (picture.channels(), picture.channels() * picture.width());
    let samples = picture
        .samples()
        .chunks_exact(stride)
        .skip(y)
        .take(height)
        .flat_map(|row| &row[x * channels..(x + width) * channels])
        .copied()
        .collect();
    Picture::new(width, height, channels, samples).expect("a crop lies inside its picture")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> RateCurve {
        // An exponential: halving the error costs 1000 bytes.
        let points = (0..5)
            .map(|i| Point {
                bytes: 9000.0 - 1000.0 * f64::from(i),
                error: f64::from(1 << i) / 4.0,
            })
            .collect();
        RateCurve { points }
    }

    #[test]
    fn exponentials_are_interpolated() {
        for bytes in (5000..=9000).step_by(100) {
            let expected = 0.0625 * 4f64.powf((9000.0 - f64::from(bytes)) / 1000.0);
            let found = curve().mse_at(bytes as usize);
            assert!(
                (found / expected - 1.0).abs() < 0.012,
                "{bytes}: {found} {expected}"
            );
        }
    }

    #[test]
    fn the_inverse_is_one() {
        for bytes in [5100, 6250, 7777, 8900] {
            let back = curve().bytes_at(curve().mse_at(bytes));
            assert!(back.abs_diff(bytes) <= 1, "{bytes}: {back}");
        }
        assert_eq!(
            curve().mse_at(100),
            curve().mse_at(5000),
            "as coarse as it gets"
        );
        assert!(curve().reaches(5000) && !curve().reaches(4999));
    }

    #[test]
    fn crops_lie_inside() {
        for (width, height) in [(1, 1), (300, 300), (2000, 1500), (32_768, 20), (50, 9000)] {
            let picture = Picture::new(width, height, 1, vec![0; width * height]).unwrap();
            let crops = crops(&picture);
            let area: usize = crops.iter().map(|c| c.width() * c.height()).sum();
            assert!(area <= width * height && area <= GRID * GRID * SIDE * SIDE);
        }
    }
}
