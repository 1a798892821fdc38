//! Fits the initial state of the best models to a folder of pictures and writes
//! `src/best/tables.rs`.
//!
//! `cargo run --release -p underdrawing-codec --features fit --example fit_best -- FOLDER
//! [N_PICTURES]`: takes pictures evenly spread over the folder in order of name, 60 by default.

use std::path::{Path, PathBuf};
use underdrawing_codec::Picture;
use underdrawing_codec::fit::BestFit;

/// Rates that the tables are fitted to, in bits per pixel.
const RATES: [f64; 8] = [3.0, 0.3, 4.75, 1.0, 5.2, 0.5, 6.0, 2.0];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("the folder is the first argument");
    let n = arguments
        .next()
        .map_or(60, |n| n.parse().expect("a number"));
    let entries = std::fs::read_dir(folder).expect("the folder opens");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let every = (files.len() / n).max(1);
    let mut fit = BestFit::new();
    for (i, file) in files.iter().step_by(every).take(n).enumerate() {
        fit.add(&open(file), RATES[i % RATES.len()]);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/best/tables.rs");
    std::fs::write(path, fit.source()).expect("the tables are written");
}

fn open(file: &Path) -> Picture<'static> {
    let image = image::open(file).expect("the picture opens").into_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture::new(width, height, 3, image.into_raw()).expect("it has a size")
}
