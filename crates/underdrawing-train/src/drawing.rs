//! Training pictures that are drawn, not read: what users hide besides photographs.
//!
//! A network that has seen photographs alone spoils screenshots, line art and pure colours. So a
//! part of the pictures is invented: a ground (flat, a gradient, patches, noise) with shapes,
//! lines or rows of signs on it, in colours of which many are black, white or saturated.

use rand_chacha::ChaCha8Rng;
use underdrawing::Pixels;

use crate::random::{below, unit};

type Colour = [f32; 3];

/// A drawn picture of `size` by `size`; half of them have soft edges, as drawn pictures do that
/// were made smaller.
pub(crate) fn drawing(size: usize, random: &mut ChaCha8Rng) -> Pixels {
    let mut dice = Dice(random);
    let soft = dice.one_in(2);
    let mut canvas = Canvas::new(if soft { 2 * size } else { size });
    canvas.ground(&mut dice);
    match dice.below(5) {
        0 => {}
        1 => canvas.shapes(&mut dice),
        2 => canvas.lines(&mut dice),
        3 => canvas.signs(&mut dice),
        _ => {
            canvas.shapes(&mut dice);
            canvas.signs(&mut dice);
        }
    }
    let sharp = canvas.pixels();
    if soft {
        let smaller = sharp.resized(size, size);
        smaller.expect("training squares are within the limits")
    } else {
        sharp
    }
}

/// Random numbers of the kinds that drawing needs.
struct Dice<'a>(&'a mut ChaCha8Rng);

impl Dice<'_> {
    /// `0..n`.
    fn below(&mut self, n: usize) -> usize {
        below(self.0, n)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// From `low` up to `high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * unit(self.0)
    }

    /// Black and white, corners of the cube of colours, dark ones, greys, any.
    fn colour(&mut self) -> Colour {
        match self.below(6) {
            0 => [255.0 * self.below(2) as f32; 3],
            1 => [0; 3].map(|_| 255.0 * self.below(2) as f32),
            2 => [0; 3].map(|_| self.between(0.0, 32.0)),
            3 => [self.between(0.0, 255.0); 3],
            _ => [0; 3].map(|_| self.between(0.0, 255.0)),
        }
    }
}

/// A square that is drawn on.
struct Canvas {
    size: usize,
    colours: Vec<Colour>,
}

impl Canvas {
    fn new(size: usize) -> Self {
        Self {
            size,
            colours: vec![[0.0; 3]; size * size],
        }
    }

    fn pixels(&self) -> Pixels {
        Pixels::from_fn(self.size, self.size, |x, y| {
            self.colours[y * self.size + x].map(|v| v.round().clamp(0.0, 255.0) as u8)
        })
        .expect("training squares are within the limits")
    }

    /// Gives pixels the colour that `colour` names for them, if any.
    fn paint(&mut self, mut colour: impl FnMut(f32, f32) -> Option<Colour>) {
        for (i, pixel) in self.colours.iter_mut().enumerate() {
            let (x, y) = (i % self.size, i / self.size);
            *pixel = colour(x as f32, y as f32).unwrap_or(*pixel);
        }
    }

    /// Somewhere on it.
    fn place(&self, dice: &mut Dice<'_>) -> [f32; 2] {
        [0; 2].map(|_| dice.between(0.0, self.size as f32))
    }

    fn ground(&mut self, dice: &mut Dice<'_>) {
        let (first, second) = (dice.colour(), dice.colour());
        let mix = |t: f32| [0, 1, 2].map(|c| first[c] + (second[c] - first[c]) * t);
        let size = self.size as f32;
        match dice.below(7) {
            0..3 => self.paint(|_, _| Some(first)),
            3..5 => {
                let angle = dice.between(0.0, std::f32::consts::TAU);
                let (sin, cos) = angle.sin_cos();
                let reach = size * (sin.abs() + cos.abs());
                let [left, top] = [cos, sin].map(|v| if v < 0.0 { size * v } else { 0.0 });
                self.paint(|x, y| Some(mix((x * cos + y * sin - left - top) / reach)));
            }
            5 => {
                let side = dice.between(size / 24.0, size / 2.0);
                let palette: Vec<Colour> = (0..2 + dice.below(5)).map(|_| dice.colour()).collect();
                let [across, down] = [0; 2].map(|_| 1 + dice.below(5));
                self.paint(|x, y| {
                    let i = (x / side) as usize * across + (y / side) as usize * down;
                    Some(palette[i % palette.len()])
                });
            }
            _ => {
                let grey = dice.one_in(3);
                let spread = dice.between(0.0, 1.0).powi(2) * 255.0;
                self.paint(|_, _| {
                    let noise = [0; 3].map(|_| dice.between(-spread, spread));
                    let noise = if grey { [noise[0]; 3] } else { noise };
                    Some([0, 1, 2].map(|c| first[c] + noise[c]))
                });
            }
        }
    }

    /// Boxes and discs, as windows, buttons and charts have them.
    fn shapes(&mut self, dice: &mut Dice<'_>) {
        for _ in 0..1 + dice.below(6) {
            let colour = dice.colour();
            let [x0, y0] = self.place(dice);
            let [rx, ry] = [0; 2].map(|_| dice.between(1.0, self.size as f32 / 2.5));
            let round = dice.one_in(2);
            self.paint(|x, y| {
                let (dx, dy) = ((x - x0) / rx, (y - y0) / ry);
                let inside = if round {
                    dx * dx + dy * dy < 1.0
                } else {
                    dx.abs().max(dy.abs()) < 1.0
                };
                inside.then_some(colour)
            });
        }
    }

    /// Straight lines or rings of one colour, at even distances.
    fn lines(&mut self, dice: &mut Dice<'_>) {
        let colour = dice.colour();
        let period = dice.between(2.0, self.size as f32 / 3.0);
        let width = dice.between(1.0, 1.0 + period / 3.0);
        let centre = self.place(dice);
        let straight = dice.one_in(2);
        let quarter = std::f32::consts::FRAC_PI_2;
        // Half of the straight ones are upright or level, as rulings and tables are.
        let angle = match dice.below(4) {
            n @ 0..2 => n as f32 * quarter,
            _ => dice.between(0.0, 2.0 * quarter),
        };
        let (sin, cos) = angle.sin_cos();
        self.paint(|x, y| {
            let (dx, dy) = (x - centre[0], y - centre[1]);
            let along = if straight {
                dx * cos + dy * sin
            } else {
                dx.hypot(dy)
            };
            (along.rem_euclid(period) < width).then_some(colour)
        });
    }

    /// Rows of signs: strokes between points of a small grid, each sign by lot.
    fn signs(&mut self, dice: &mut Dice<'_>) {
        let ink = dice.colour();
        let unit = 1 + dice.below(3); // pixels of a grid step
        let [left, top] = self.place(dice).map(|v| v as usize / 2);
        let (across, down) = (6 * unit, 10 * unit);
        for top in (top..self.size.saturating_sub(down)).step_by(down) {
            for left in (left..self.size.saturating_sub(across)).step_by(across) {
                if dice.one_in(6) {
                    continue; // between words
                }
                for _ in 0..2 + dice.below(3) {
                    let [x, y] = [dice.below(5), dice.below(8)];
                    let (right, length) = (dice.one_in(2), 2 + dice.below(4));
                    for i in 0..length {
                        let (x, y) = if right { (x + i, y) } else { (x, y + i) };
                        if x < 5 && y < 8 {
                            self.square(left + x * unit, top + y * unit, unit, ink);
                        }
                    }
                }
            }
        }
    }

    fn square(&mut self, left: usize, top: usize, side: usize, colour: Colour) {
        for y in top..top + side {
            self.colours[y * self.size + left..][..side].fill(colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn drawings(n: u64, size: usize) -> Vec<Pixels> {
        let of = |seed| drawing(size, &mut ChaCha8Rng::seed_from_u64(seed));
        (0..n).map(of).collect()
    }

    /// Mean absolute step from a sample to its right neighbour.
    fn roughness(picture: &Pixels) -> f64 {
        let line = 3 * picture.width();
        let steps = picture.data().chunks_exact(line).flat_map(|row| {
            let pairs = row.iter().zip(&row[3..]);
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b)))
        });
        steps.sum::<f64>() / (picture.data().len() - 3 * picture.height()) as f64
    }

    #[test]
    fn there_are_flat_smooth_busy_dark_and_saturated_ones() {
        let drawings = drawings(300, 48);
        let share = |holds: &dyn Fn(&Pixels) -> bool| {
            drawings.iter().filter(|d| holds(d)).count() as f64 / drawings.len() as f64
        };
        let flat = share(&|d| d.data().chunks(3).all(|p| *p == d.data()[..3]));
        let smooth = share(&|d| (0.01..3.0).contains(&roughness(d)));
        let busy = share(&|d| roughness(d) > 30.0);
        let dark = share(&|d| d.data().iter().all(|v| *v <= 40));
        let ends = |v: &&u8| **v == 0 || **v == 255;
        let saturated = share(&|d| d.data().iter().filter(ends).count() > d.data().len() / 2);
        for (kind, share, range) in [
            ("flat", flat, 0.03..0.3),
            ("smooth", smooth, 0.1..0.6),
            ("busy", busy, 0.05..0.4),
            ("dark", dark, 0.005..0.2),
            ("saturated", saturated, 0.1..0.6),
        ] {
            assert!(range.contains(&share), "{kind}: {share}");
        }
    }

    #[test]
    fn a_seed_gives_one_drawing_of_the_size_asked_for() {
        for size in [8, 31] {
            let once = drawings(40, size);
            assert!(once.iter().all(|d| (d.width(), d.height()) == (size, size)));
            assert!(once == drawings(40, size));
            assert!(once[1..].iter().all(|d| *d != once[0]));
        }
    }
}
