//! Trains the restoring network that the robust method has inside.
//!
//! `cargo run --release -p underdrawing-train --example train_restoring -- TRAIN VALIDATION
//! OUT.safetensors [--from WEIGHTS.safetensors] [--steps 16000] [--blocks 5] [--width 32]`: folders of
//! pictures, and the file for the weights, in 16-bit floats, written anew at every validation.
//! `--from` goes on from such a file. Validation pictures have even sides.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use underdrawing::Pixels;
use underdrawing_net::{Restoring, RestoringNetConfig};
use underdrawing_train::{
    RestoringConfig, RestoringEvent, pictures_in, read_restoring, train_restoring, write_restoring,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|a| a == name);
        let value = at.and_then(|at| arguments.get(at + 1));
        value.map_or(Ok(default), |value| value.parse())
    };
    let [train, validation, out] = arguments.first_chunk().ok_or("expected three paths")?;
    let size = RestoringNetConfig {
        blocks: number("--blocks", 5)?,
        width: number("--width", 32)?,
    };
    let config = RestoringConfig {
        seed: number("--seed", 1)? as u64,
        steps: number("--steps", 16_000)? as u64,
        batch_size: number("--batch", 16)?,
        size: number("--size", 96)?,
        learning_rate: number("--rate-millionths", 1000)? as f64 * 1e-6,
        codings: number("--codings", 2)?,
        bits: 0.1..=0.9,
        validate_every: number("--every", 500)? as u64,
        validation_bits: 0.3,
    };
    let start = Instant::now();
    let most = number("--pictures", usize::MAX)?;
    let mut pictures = pictures_in(Path::new(train))?;
    pictures.truncate(most);
    // The secrets of the pairs, every second of them.
    let validation = pictures_in(Path::new(validation))?.into_iter();
    let validation: Vec<Pixels> = validation.skip(1).step_by(4).take(15).collect();
    println!(
        "{} pictures, {} for validation",
        pictures.len(),
        validation.len()
    );
    let from = arguments.iter().position(|a| a == "--from");
    let network = match from.and_then(|at| arguments.get(at + 1)) {
        Some(path) => read_restoring(Path::new(path), size)?,
        None => Restoring::new(size, config.seed),
    };
    train_restoring(
        &config,
        network,
        &pictures,
        &validation,
        |event: RestoringEvent<'_>| {
            let [decoded, restored] = event.psnr_db;
            let [after, before] = event.training_mse.map(|mse| -10.0 * mse.log10());
            println!(
                "{:.0} s, step {}: {decoded:.3} -> {restored:.3} dB, {:+.3}; in training {:+.3}",
                start.elapsed().as_secs_f64(),
                event.step,
                restored - decoded,
                after - before,
            );
            write_restoring(event.network, Path::new(out)).expect("the file can be written");
        },
    );
    Ok(())
}
