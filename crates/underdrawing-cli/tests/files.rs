//! Files as people have them: what the program says of what it changed, lost or did not read.

mod common;

use common::{Folder, with_png_chunk};
use image::{ImageBuffer, ImageFormat, Rgb};
use underdrawing::{Comparison, Picture};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.picture("cover.png", 90, 70, 1);
    folder.picture("secret.png", 20, 15, 2);
    folder
}

/// A PNG of 16 bits a sample, all of them `sample` in grey.
fn wide(folder: &Folder, name: &str, sample: u16) {
    let picture = ImageBuffer::from_pixel(20, 15, Rgb([sample; 3]));
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    folder.write(name, file.into_inner());
}

#[test]
fn a_secret_is_without_loss_only_where_it_is() {
    let folder = folder();
    wide(&folder, "wide.png", 257 * 40 + 90);
    let flat = underdrawing::Pixels::from_fn(20, 15, |_, _| [9, 8, 7]).unwrap();
    folder.png("flat.png", flat.clone().into());
    folder.png(
        "glass.png",
        Picture {
            alpha: Some(vec![100; 300]),
            ..Picture::from(flat)
        },
    );
    for (secret, said) in [
        ("flat.png", "the secret without loss"),
        ("wide.png", "the secret without further loss"),
        ("glass.png", "the secret without further loss"),
    ] {
        let ran = folder
            .run(&format!("hide cover.png {secret} -o c.png -f"))
            .done();
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn pictures_of_16_bits_are_not_called_identical() {
    let folder = folder();
    wide(&folder, "a.png", 257 * 40);
    wide(&folder, "b.png", 257 * 40 + 90);
    let ran = folder.run("compare a.png b.png").done();
    assert!(ran.stdout.contains("identical at 8 bits"), "{ran:?}");
    let report = &folder.run("compare a.png b.png --json").done().json()[0];
    assert_eq!(report["rounded_to_8_bits"], true);
    let ran = folder.run("compare cover.png cover.png").done();
    assert!(ran.stdout.contains("identical\n"), "{ran:?}");
}

#[test]
fn colours_of_a_secret_come_back_as_srgb() {
    const DISPLAY_P3: &[u8] = &[12, 13, 0, 1];
    let folder = folder();
    let secret = folder.read("secret.png");
    folder.write("secret.png", with_png_chunk(&secret, b"cICP", DISPLAY_P3));
    let ran = folder.run("hide cover.png secret.png -o c.png").done();
    assert!(
        ran.stderr
            .contains("secret secret.png: its colours are converted to sRGB"),
        "{ran:?}"
    );
    folder.run("reveal c.png -o r.png").done();
    let mut expected = folder.decoded("secret.png");
    expected.convert_to_srgb();
    let revealed = folder.decoded("r.png");
    let db = Comparison::of(&expected.pixels, &revealed.pixels)
        .unwrap()
        .psnr_db;
    assert!(db.is_none_or(|db| db > 45.0), "{db:?}");
    // Compared as colours; two files that mean the same by their samples, as samples.
    folder.run("compare secret.png r.png --min-psnr 45").done();
    let ran = folder.run("compare secret.png secret.png").done();
    assert!(!ran.stderr.contains("converted"), "{ran:?}");
}

#[test]
fn what_nobody_sees_of_a_cover_is_told() {
    let folder = folder();
    let cover = folder.decoded("cover.png");
    folder.png(
        "glass.png",
        Picture {
            alpha: Some((0..90 * 70).map(|i| (i % 7) as u8).collect()),
            ..cover
        },
    );
    let ran = folder.run("hide glass.png secret.png -o c.png").done();
    assert!(
        ran.stderr.contains("parts of it are fully transparent"),
        "{ran:?}"
    );
}
