//! Hides one picture in another with the built-in model and reveals it from the written file:
//! `cargo run --release -p underdrawing --example hide_and_reveal -- COVER SECRET CONTAINER.png REVEALED.png`

use std::error::Error;
use std::{env, fs};

use underdrawing::{
    FileFormat, HideOptions, Limits, Model, Picture, Pixels, RevealOptions, built_in_models,
};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [cover, secret, container, revealed] = paths.as_slice() else {
        return Err("expected four paths: cover, secret, container, revealed".into());
    };
    let built_in = built_in_models().first().ok_or("no built-in model")?;
    let model = Model::from_bytes(built_in.bytes)?;

    let hidden = model.hide(&read(cover)?, &read(secret)?, &HideOptions::default())?;
    write(container, hidden)?;

    let back = model.reveal(&read(container)?, &RevealOptions::default())?;
    write(revealed, back)
}

fn read(path: &str) -> Result<Pixels, Box<dyn Error>> {
    let picture = Picture::decode(&fs::read(path)?, &Limits::default())?;
    Ok(picture.on_white().0)
}

fn write(path: &str, pixels: Pixels) -> Result<(), Box<dyn Error>> {
    let picture = Picture::from(pixels);
    Ok(fs::write(path, picture.encode(FileFormat::Png)?)?)
}
