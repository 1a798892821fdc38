//! Measures what restoring brings at a number of bits a pixel: mean PSNR of the pictures of a folder,
//! decoded and restored.
//!
//! `cargo run --release -p underdrawing-train --example restored_rate -- FOLDER [--bpp 0.3]
//! [--effort best] [--first 0] [--every 1] [--count 15] [--network FILE]`: of the files sorted by
//! name, takes `count`, one in `every`, from number `first` on; they have even sides. The network is
//! the program's, or one that `train_restoring` wrote.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;

use underdrawing::Pixels;
use underdrawing_codec::Effort;
use underdrawing_net::RestoringNetConfig;
use underdrawing_train::{pictures_in, read_restoring, restored_psnr};

/// The program's network, as this crate's sources lie beside it.
const NETWORK: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../underdrawing/models/restoring-1.safetensors"
);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, default: &str| {
        let at = arguments.iter().position(|a| a == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.map_or(default, String::as_str).to_owned()
    };
    let folder = arguments.first().ok_or("expected a folder")?;
    let effort = match option("--effort", "best").as_str() {
        "fast" => Effort::Fast,
        "normal" => Effort::Normal,
        _ => Effort::Best,
    };
    let pictures: Vec<Pixels> = pictures_in(Path::new(folder))?
        .into_iter()
        .skip(option("--first", "0").parse()?)
        .step_by(option("--every", "1").parse()?)
        .take(option("--count", "15").parse()?)
        .collect();
    let size = RestoringNetConfig {
        blocks: 5,
        width: 32,
    };
    let network = read_restoring(Path::new(&option("--network", NETWORK)), size)?;
    let bits = option("--bpp", "0.3").parse()?;
    let figures = restored_psnr(&network, &pictures, bits, effort);
    let mean =
        |of: fn(&[f64; 2]) -> f64| figures.iter().map(of).sum::<f64>() / figures.len() as f64;
    println!(
        "{} pictures at {bits} bits a pixel: {:.2} dB decoded, {:.2} dB restored where that gains, {}",
        figures.len(),
        mean(|[decoded, _]| *decoded),
        mean(|[decoded, restored]| decoded.max(*restored)),
        figures
            .iter()
            .filter(|[decoded, restored]| restored > decoded)
            .count(),
    );
    Ok(())
}
