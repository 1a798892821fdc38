//! Writes a model with its parameters as 16-bit floats: half the file, and a model of its own,
//! with an id of its own. So the built-in models are made.
//!
//! `cargo run --release -p underdrawing --example half_model -- best.safetensors half.safetensors`

use std::error::Error;
use std::fs;

use underdrawing::{Model, Precision};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("expected two paths: a model file, and the one to write".into());
    };
    let model = Model::from_bytes(&fs::read(from)?)?;
    let half = model.to_bytes(Precision::Half);
    let id = Model::from_bytes(&half)?.id();
    println!("model {id}, {} bytes", half.len());
    fs::write(to, half)?;
    Ok(())
}
