//! Decoded secrets, restored: a network takes out of them what coding at few bits a pixel has put
//! in (`docs/format.md`, section 5.7). Nothing is decoded after it, so another machine may differ in
//! a last bit.

use std::ops::Range;
use std::sync::OnceLock;

use underdrawing_codec::Decoded;
use underdrawing_net::{CpuRestorer, Restoring, RestoringNet, RestoringNetConfig};

use crate::coding::rgb;
use crate::network::{ModelFile, rounded};
use crate::picture::{Raster, UnitSample};

/// The network's size, and its weights (`models/README.md`).
const CONFIG: RestoringNetConfig = RestoringNetConfig {
    blocks: 5,
    width: 32,
};
const WEIGHTS: &[u8] = include_bytes!("../models/restoring-1.safetensors");

/// Side of the windows that are restored at a time, which bounds the memory; even.
const WINDOW: usize = 512;

/// The decoded picture restored; one that was coded without loss stays as it is.
pub(crate) fn restored(decoded: Decoded) -> Raster<u8> {
    let step = decoded.step;
    let picture = rgb(decoded.picture);
    match step {
        Some(step) => restored_by(restorer(), &picture, RestoringNet::coarseness(step)),
        None => picture,
    }
}

fn restorer() -> &'static CpuRestorer {
    static RESTORER: OnceLock<CpuRestorer> = OnceLock::new();
    RESTORER.get_or_init(|| {
        let mut file = ModelFile::parse(WEIGHTS).expect("tests load it");
        let network = Restoring::with_values(CONFIG, |param| file.take(&param.name, &param.shape));
        CpuRestorer::new(&network.expect("tests load it"))
    })
}

/// Restores window by window; each is seen with as much around it as reaches it.
fn restored_by(restorer: &CpuRestorer, picture: &Raster<u8>, coarseness: f32) -> Raster<u8> {
    let margin = restorer.config().receptive_radius().next_multiple_of(2);
    let (width, height) = (picture.width, picture.height);
    let mut samples = vec![0; picture.samples.len()];
    let windows = |side: usize| {
        let starts = (0..side).step_by(WINDOW);
        starts.map(move |start| Window {
            seen: start.saturating_sub(margin)..(start + WINDOW + margin).min(side),
            kept: start..(start + WINDOW).min(side),
        })
    };
    for rows in windows(height) {
        for columns in windows(width) {
            let [h, w] = [&rows, &columns].map(|window| window.seen.len().next_multiple_of(2));
            let mut planes = Vec::with_capacity(3 * h * w);
            for channel in 0..3 {
                for y in 0..h {
                    // The last row and column stand twice where sides are odd.
                    let y = (rows.seen.start + y).min(height - 1);
                    planes.extend((0..w).map(|x| {
                        let x = (columns.seen.start + x).min(width - 1);
                        picture.samples[3 * (y * width + x) + channel].unit()
                    }));
                }
            }
            let planes = restorer.restore([h, w], &planes, coarseness);
            for (channel, plane) in planes.chunks_exact(h * w).enumerate() {
                for y in rows.kept.clone() {
                    for x in columns.kept.clone() {
                        let at = (y - rows.seen.start) * w + x - columns.seen.start;
                        samples[3 * (y * width + x) + channel] = rounded(plane[at]);
                    }
                }
            }
        }
    }
    Raster {
        width,
        height,
        samples,
    }
}

/// Rows or columns that the network sees, and those of them that it is asked for.
struct Window {
    seen: Range<usize>,
    kept: Range<usize>,
}

#[cfg(test)]
mod tests {
    use underdrawing_codec::{Effort, Encoder};

    use super::*;
    use crate::coding::coding_picture;
    use crate::picture::{Limits, Picture, Pixels};
    use crate::reduction::{decoded, mse};

    /// A picture of an odd size with structure everywhere.
    fn picture(width: usize, height: usize) -> Raster<u8> {
        let samples = (0..3 * width * height).map(|i| (i * i / 7 + i / 31 % 97) as u8);
        Raster {
            width,
            height,
            samples: samples.collect(),
        }
    }

    #[test]
    fn windows_leave_no_seam() {
        let (width, height) = (WINDOW + 101, 47);
        let picture = picture(width, height);
        let restored = restored_by(restorer(), &picture, 0.0);
        // A part on even positions whose inside is far enough from its edges.
        let left = 416;
        let rows = picture.samples.chunks_exact(3 * width);
        let part = Raster {
            width: width - left,
            height,
            samples: rows.flat_map(|row| row[3 * left..].to_vec()).collect(),
        };
        let part = restored_by(restorer(), &part, 0.0);
        let inside = restorer().config().receptive_radius() + 1;
        for y in 0..height {
            for x in left + inside..width {
                let whole = &restored.samples[3 * (y * width + x)..][..3];
                let part = &part.samples[3 * (y * (width - left) + x - left)..][..3];
                for (a, b) in whole.iter().zip(part) {
                    assert!(a.abs_diff(*b) <= 1, "{x}, {y}: {a}, {b}");
                }
            }
        }
    }

    /// A photograph, part of the program's demonstration.
    const PHOTOGRAPH: &[u8] = include_bytes!("../../underdrawing-cli/demo/secret.png");

    #[test]
    fn photographs_at_few_bits_come_nearer_to_what_they_were() {
        let photograph = Picture::decode(PHOTOGRAPH, &Limits::default())
            .unwrap()
            .pixels;
        let original = photograph.raster().resized(200, 201);
        let pixels = Pixels::from_raster(original.clone());
        let picture = coding_picture(&pixels);
        for (bits, gain) in [(0.2, 1.05), (0.4, 1.05), (0.8, 1.02)] {
            let budget = (bits * f64::from(200 * 201) / 8.0) as usize;
            let encoder = Encoder::new(&picture, Effort::Normal);
            let coded = encoder.encode_to_bytes(budget).unwrap();
            let decoded = decoded(&coded).unwrap();
            let before = mse(&original, &rgb(decoded.picture.clone()));
            let after = mse(&original, &restored(decoded));
            assert!(
                before > gain * after,
                "{bits} bits: {before:.2}, {after:.2}"
            );
        }
    }

    #[test]
    fn what_was_coded_without_loss_stays() {
        let noise = picture(40, 30);
        let coded = Encoder::new(
            &coding_picture(&Pixels::from_raster(noise.clone())),
            Effort::Fast,
        )
        .encode_without_loss(usize::MAX)
        .unwrap();
        assert_eq!(restored(decoded(&coded).unwrap()), noise);
    }

    #[test]
    fn tiny_pictures_are_restored() {
        for (width, height) in [(1, 1), (1, 9), (2, 3)] {
            let restored = restored_by(restorer(), &picture(width, height), 0.0);
            assert_eq!(restored.samples.len(), 3 * width * height);
        }
    }
}
