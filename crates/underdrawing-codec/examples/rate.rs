//! Measures the codec on a folder of pictures: mean PSNR and time at a given number of bits per
//! pixel.
//!
//! `cargo run --release -p underdrawing-codec --example rate -- FOLDER [--bpp 4.75] [--effort fast]
//! [--first 0] [--every 1] [--count 30]`: of the files sorted by name, takes `count`, one in
//! `every`, from number `first` on. A lossless picture counts as 60 dB.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::Instant;
use underdrawing_codec::{Effort, Encoder, MAX_PIXELS, Picture, decode};

/// What a lossless picture counts as in the mean.
const LOSSLESS_DB: f64 = 60.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, default: &str| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|at| arguments.get(at + 1))
            .map_or(default, String::as_str)
            .to_owned()
    };
    let number = |name, default| option(name, default).parse::<f64>().expect("a number");
    let folder = arguments.first().expect("the folder is the first argument");
    let effort = match option("--effort", "best").as_str() {
        "fast" => Effort::Fast,
        "normal" => Effort::Normal,
        _ => Effort::Best,
    };
    let bpp = number("--bpp", "4.75");
    let files = files(Path::new(folder));
    let picked = files
        .iter()
        .skip(number("--first", "0") as usize)
        .step_by(number("--every", "1") as usize)
        .take(number("--count", "30") as usize);
    let (mut n, mut sum, mut bytes, mut pixels) = (0, 0.0, 0, 0);
    let (mut encode_s, mut decode_s, mut estimate_s) = (0.0, 0.0, 0.0);
    for file in picked {
        let picture = open(file);
        let area = picture.width() * picture.height();
        let budget = (bpp * area as f64 / 8.0) as usize;
        let start = Instant::now();
        let encoder = Encoder::new(&picture, effort);
        let coded = encoder
            .encode_to_bytes(budget)
            .expect("the budget is enough");
        encode_s += start.elapsed().as_secs_f64();
        let segments: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
        let start = Instant::now();
        let decoded = decode(&segments, MAX_PIXELS).expect("it was just coded");
        decode_s += start.elapsed().as_secs_f64();
        let psnr = psnr(&picture, &decoded.picture);
        let used = 8.0 * coded.len() as f64 / area as f64;
        let start = Instant::now();
        let estimated = 10.0 * (65025.0 / encoder.estimate().mse_at(budget)).log10();
        estimate_s += start.elapsed().as_secs_f64();
        println!(
            "{} {psnr:.3} dB (estimated {estimated:.2}) {used:.4} bpp",
            file.display()
        );
        (n, sum, bytes, pixels) = (n + 1, sum + psnr, bytes + coded.len(), pixels + area);
    }
    let megapixels = pixels as f64 / 1e6;
    println!(
        "{n} pictures, {:.4} bpp: {:.3} dB; encode {:.3} s/MP, decode {:.3} s/MP, estimate {:.3} s each",
        8.0 * bytes as f64 / pixels as f64,
        sum / f64::from(n),
        encode_s / megapixels,
        decode_s / megapixels,
        estimate_s / f64::from(n),
    );
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder opens");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn open(file: &Path) -> Picture<'static> {
    let image = image::open(file).expect("the picture opens").into_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture::new(width, height, 3, image.into_raw()).expect("it has a size")
}

fn psnr(a: &Picture, b: &Picture) -> f64 {
    let sum: f64 = a
        .samples()
        .iter()
        .zip(b.samples())
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    (10.0 * (255.0f64 * 255.0 * a.samples().len() as f64 / sum).log10()).min(LOSSLESS_DB)
}
