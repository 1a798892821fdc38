//! Counts the bytes that the models take at fixed steps, to see what a change of them brings.
//!
//! `cargo run --release -p underdrawing-codec --features fit --example cost -- best 1.6,12,32
//! PICTURES`: the effort, steps in grey levels, files. The same multiples are coded whatever the
//! models are, so bytes of two builds compare; so do times, those of one thread.
#![allow(clippy::print_stdout)]

use std::time::Instant;
use underdrawing_codec::fit::Probe;
use underdrawing_codec::{Effort, Picture};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [effort, steps, files @ ..] = &arguments[..] else {
        panic!("expected an effort, steps and files");
    };
    let effort = match effort.as_str() {
        "fast" => Effort::Fast,
        "normal" => Effort::Normal,
        _ => Effort::Best,
    };
    for step in steps.split(',') {
        let (mut bytes, mut pixels, mut seconds) = (0, 0, 0.0);
        for file in files {
            let image = image::open(file).expect("the picture opens").into_rgb8();
            let (width, height) = (image.width() as usize, image.height() as usize);
            let picture = Picture::new(width, height, 3, image.into_raw()).expect("it has a size");
            let probe = Probe::new(&picture, effort, step.parse().expect("a number"));
            let start = Instant::now();
            bytes += probe.code().iter().map(Vec::len).sum::<usize>();
            seconds += start.elapsed().as_secs_f64();
            pixels += width * height;
        }
        let seconds = 1e6 * seconds / pixels as f64;
        println!("step {step}: {bytes} bytes, {seconds:.2} s/MP");
    }
}
