//! Fits the fast model's tables to a folder of pictures and writes `src/fast/tables.rs`.
//!
//! `cargo run --release -p underdrawing-codec --features fit --example fit_tables -- FOLDER
//! [N_PICTURES]`: takes pictures evenly spread over the folder in order of name, 150 by default. Run it
//! twice, since the present tables decide which multiples the new ones are fitted to.

use std::path::{Path, PathBuf};
use underdrawing_codec::Picture;
use underdrawing_codec::fit::{FastFit, QuantisedPicture};

/// Rates that the tables are fitted to, in bits per pixel.
const RATES: [f64; 4] = [2.0, 3.5, 4.75, 6.5];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("the folder is the first argument");
    let n = arguments
        .next()
        .map_or(150, |n| n.parse().expect("a number"));
    let entries = std::fs::read_dir(folder).expect("the folder opens");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let every = (files.len() / n).max(1);
    let samples: Vec<QuantisedPicture> = files
        .iter()
        .step_by(every)
        .take(n)
        .map(|file| open(file))
        .enumerate()
        .filter_map(|(i, picture)| QuantisedPicture::new(&picture, RATES[i % RATES.len()]))
        .collect();
    let mut fit = FastFit::new();
    for sample in &samples {
        fit.add_to_weights(sample);
    }
    fit.solve();
    for sample in &samples {
        fit.add_to_chances(sample);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fast/tables.rs");
    std::fs::write(path, fit.source()).expect("the tables are written");
}

fn open(file: &Path) -> Picture<'static> {
    let image = image::open(file).expect("the picture opens").into_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture::new(width, height, 3, image.into_raw()).expect("it has a size")
}
