//! Writes the files that `tests/old_formats.rs` reads, once a release:
//! `cargo run --release -p underdrawing --example old_format -- testdata/old/VERSION`
//! Files that are there stay as they are.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use underdrawing::{
    CodedOptions, Effort, FileFormat, HideOptions, Model, NetworkOptions, Password, Picture,
    Pixels, Precision, Progress, Quality, TrainingRecord, hide, reveal,
};
use underdrawing_net::{Architecture, LiftingNetConfig, Networks};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("expected a folder")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    if !folder.join("model.safetensors").exists() {
        network(folder)?;
    }
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        coded(folder, effort)?;
    }
    robust(folder)
}

/// A container of the robust method as pixels under a password, and one as a JPEG.
fn robust(folder: &Path) -> Result<(), Box<dyn Error>> {
    let cover = Pixels::from_fn(160, 120, |x, y| {
        let grain = (x * 7 + y * 13) % 11;
        [40 + x + grain, 60 + y + grain, 90 + (x + y) / 2 + grain].map(|sample| sample as u8)
    })?;
    let secret = Pixels::from_fn(61, 45, |x, y| {
        [(x * y / 30) as u8, (3 * x) as u8, (x + 4 * y) as u8]
    })?;
    for (name, survive, password) in [
        ("robust_pixels", 75, Some(Password::new("correct horse"))),
        ("robust_jpeg", 90, None),
    ] {
        let jpeg = name == "robust_jpeg";
        let container = if jpeg {
            "container.jpg"
        } else {
            "container.png"
        };
        let path = folder.join(format!("{name}_{container}"));
        if path.exists() {
            continue;
        }
        let coded = CodedOptions {
            password,
            ..CodedOptions::default()
        };
        let options = HideOptions::Robust {
            survive,
            crop: 0,
            jpeg,
            coded,
        };
        let (container, revealed) = there_and_back(&cover, &secret, &options)?;
        let format = if jpeg {
            FileFormat::Jpeg
        } else {
            FileFormat::Png
        };
        fs::write(path, Picture::from(container).encode(format)?)?;
        let path = folder.join(format!("{name}_revealed.png"));
        fs::write(path, Picture::from(revealed).encode(FileFormat::Png)?)?;
    }
    Ok(())
}

/// A container of each kind that the coded method makes: with loss and without, in colour and
/// grey, with a password and without.
fn coded(folder: &Path, effort: Effort) -> Result<(), Box<dyn Error>> {
    let cover = Pixels::from_fn(60, 40, |x, y| [4 * x as u8, 6 * y as u8, (x * y / 9) as u8])?;
    let colours = Pixels::from_fn(61, 45, |x, y| {
        [(x * y / 3) as u8, (11 * x) as u8, (x * x + 7 * y) as u8]
    })?;
    let grey = Pixels::from_fn(50, 60, |x, y| [(x * x / 5 + 3 * y) as u8; 3])?;
    let flat = Pixels::from_fn(30, 20, |x, _| [if x < 9 { 200 } else { 40 }, 50, 60])?;
    let password = Some(Password::new("correct horse"));
    for (name, secret, password) in [
        ("colours", &colours, password),
        ("grey", &grey, None),
        ("flat", &flat, None),
    ] {
        let name = format!("{effort:?}_{name}").to_lowercase();
        if folder.join(format!("{name}_container.png")).exists() {
            continue;
        }
        let options = HideOptions::Coded(CodedOptions {
            password,
            effort: Some(effort),
            ..CodedOptions::default()
        });
        let (container, revealed) = there_and_back(&cover, secret, &options)?;
        for (kind, pixels) in [("container", container), ("revealed", revealed)] {
            let picture = Picture::from(pixels);
            let path = folder.join(format!("{name}_{kind}.png"));
            fs::write(path, picture.encode(FileFormat::Png)?)?;
        }
    }
    Ok(())
}

fn there_and_back(
    cover: &Pixels,
    secret: &Pixels,
    options: &HideOptions,
) -> Result<(Pixels, Pixels), Box<dyn Error>> {
    let ignore = &mut Progress::ignore;
    let container = hide(cover, secret, options, ignore)?.container;
    let revealed = reveal(&container, &options.to_reveal(), ignore)?.picture;
    Ok((container, revealed))
}

/// An untrained model, a container and what it reveals.
fn network(folder: &Path) -> Result<(), Box<dyn Error>> {
    let architecture = Architecture::Lifting(LiftingNetConfig {
        blocks: 1,
        width: 4,
        shaping: false,
    });
    // Fresh networks change next to nothing; stronger last layers make the files worth comparing.
    let networks = Networks::new(architecture, /* seed */ 2018);
    let networks = networks.map(|param| {
        let gain = if param.name.ends_with("last.weight") {
            8.0
        } else {
            1.0
        };
        param.values.iter().map(|value| gain * value).collect()
    });
    let training = TrainingRecord {
        config: serde_json::json!({"note": "untrained"}),
        seed: 2018,
        steps: 0,
        from: None,
        quality: Some(Quality {
            container_psnr_db: 34.5,
            revealed_psnr_db: 3.25,
        }),
    };
    let model = Model::new(networks, training).to_bytes(Precision::Half);
    fs::write(folder.join("model.safetensors"), &model)?;

    let model = Model::from_bytes(&model)?;
    let cover = Pixels::from_fn(45, 32, |x, y| [5 * x as u8, 7 * y as u8, (x * y / 6) as u8])?;
    let secret = Pixels::from_fn(21, 33, |x, y| {
        [(x * y / 3) as u8, 11 * x as u8, 7 * y as u8]
    })?;
    let options = HideOptions::Network(NetworkOptions::new(model));
    let (container, revealed) = there_and_back(&cover, &secret, &options)?;
    for (name, pixels) in [("container.png", container), ("revealed.png", revealed)] {
        let picture = Picture::from(pixels);
        fs::write(folder.join(name), picture.encode(FileFormat::Png)?)?;
    }
    Ok(())
}
