//! Hides one picture in another with the built-in network and reveals it from the written file:
//! `cargo run --release -p underdrawing --example hide_and_reveal -- COVER SECRET CONTAINER.png REVEALED.png`

use std::error::Error;
use std::{env, fs};

use underdrawing::{
    FileFormat, HideOptions, Limits, NetworkOptions, Picture, Pixels, Progress, RevealOptions,
    hide, reveal,
};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [cover, secret, container, revealed] = paths.as_slice() else {
        return Err("expected four paths: cover, secret, container, revealed".into());
    };
    let options = HideOptions::Network(NetworkOptions::default());
    let ignore = &mut Progress::ignore;

    let hidden = hide(&read(cover)?, &read(secret)?, &options, ignore)?;
    write(container, hidden.container)?;

    let back = reveal(&read(container)?, &RevealOptions::default(), ignore)?;
    write(revealed, back.picture)
}

fn read(path: &str) -> Result<Pixels, Box<dyn Error>> {
    let picture = Picture::decode(&fs::read(path)?, &Limits::default())?;
    Ok(picture.on_white().0)
}

fn write(path: &str, pixels: Pixels) -> Result<(), Box<dyn Error>> {
    let picture = Picture::from(pixels);
    Ok(fs::write(path, picture.encode(FileFormat::Png)?)?)
}
