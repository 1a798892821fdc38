//! From coefficients to pixels.

use crate::dct;
use crate::jpeg::{Colours, Component, Jpeg};
use crate::upsample::{Plane, upsampled};

impl Jpeg {
    /// The picture as 8-bit RGB, interleaved, as libjpeg-turbo decodes it (its slow transform, its
    /// smooth upsampling). Inks become RGB by multiplication, and are taken as inverted, as Adobe's
    /// programs write them.
    #[must_use]
    pub fn to_rgb(&self) -> Vec<u8> {
        let planes: Vec<Plane> = self
            .components
            .iter()
            .map(|component| self.full_plane(component))
            .collect();
        let n = self.width * self.height;
        let mut rgb = Vec::with_capacity(3 * n);
        match (self.colours, &planes[..]) {
            (Colours::YCbCr, [y, cb, cr]) => {
                for i in 0..n {
                    rgb.extend(rgb_of([y.samples[i], cb.samples[i], cr.samples[i]]));
                }
            }
            (Colours::Rgb, [red, green, blue]) => {
                for i in 0..n {
                    rgb.extend([red.samples[i], green.samples[i], blue.samples[i]]);
                }
            }
            (Colours::Cmyk | Colours::Ycck, [c, m, y, k]) => {
                for i in 0..n {
                    let mut inks = [c.samples[i], m.samples[i], y.samples[i]];
                    if self.colours == Colours::Ycck {
                        inks = rgb_of(inks);
                        inks = inks.map(|ink| 255 - ink);
                    }
                    rgb.extend(inks.map(|ink| times(ink, k.samples[i])));
                }
            }
            _ => {
                for &grey in &planes[0].samples {
                    rgb.extend([grey; 3]);
                }
            }
        }
        rgb
    }

    /// A component in the picture's size.
    fn full_plane(&self, component: &Component) -> Plane {
        let (across, down) = self.most();
        let plane = plane_of(component, self.samples_of(component));
        let (h, v) = (across / component.horizontal, down / component.vertical);
        upsampled(plane, h, v, self.width, self.height)
    }
}

/// A component's samples.
fn plane_of(component: &Component, (width, height): (usize, usize)) -> Plane {
    let mut samples = vec![0; width * height];
    let steps = component.steps.map(i32::from);
    for (number, block) in component.blocks.iter().enumerate() {
        let left = number % component.blocks_wide * 8;
        let top = number / component.blocks_wide * 8;
        if left >= width || top >= height {
            continue;
        }
        let values = std::array::from_fn(|k| i32::from(block[k]) * steps[k]);
        let decoded = dct::inverse(&values);
        let n = (width - left).min(8);
        for (row, decoded) in decoded.chunks_exact(8).enumerate().take(height - top) {
            let start = (top + row) * width + left;
            samples[start..start + n].copy_from_slice(&decoded[..n]);
        }
    }
    Plane {
        width,
        height,
        samples,
    }
}

/// Of brightness and colour differences, with 16 fraction bits.
fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|sample| sample.clamp(0, 255) as u8)
}

fn times(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}
