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
    picture
        .write_to(&mut file, ImageFormat::Png)
        .expect("any size fits a PNG");
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
fn passwords_and_models_are_inputs_that_are_not_replaced() {
    let (folder, model) = Folder::with_model();
    folder.picture("cover.png", 90, 70, 1);
    folder.picture("secret.png", 20, 15, 2);
    folder.write("password.png", "open");
    let bytes = model.to_bytes(underdrawing::Precision::Full);
    folder.write("model.png", &bytes);
    for line in [
        "hide cover.png secret.png --password-file password.png -o password.png -f",
        "hide cover.png secret.png --password-file password.png -o o.png --sheet password.png -f",
        "hide cover.png secret.png -m model.png -o model.png -f",
        "reveal cover.png --password-file password.png -o password.png -f",
        "reveal cover.png -m model.png --size 20x15 -o model.png -f",
    ] {
        assert_ne!(folder.run(line).code, Some(0), "{line}");
    }
    assert_eq!(folder.read("password.png"), b"open");
    assert_eq!(folder.read("model.png"), bytes);
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

#[test]
fn a_cropped_container_is_called_so_and_what_is_left_salvaged() {
    let folder = Folder::new();
    folder.picture("cover.png", 512, 600, 1);
    folder.picture("secret.png", 512, 600, 2);
    folder
        .run("hide cover.png secret.png -o c.png --effort fast --container-db 45")
        .done();
    let container = folder.decoded("c.png").pixels;
    let upper = container.data()[..3 * 512 * 500].to_vec();
    let cropped = underdrawing::Pixels::rgb8(upper, 512, 500).expect("500 rows");
    folder.png("c.png", cropped.into());
    let ran = folder.run("reveal c.png -o r.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was cropped after hiding"), "{ran:?}");
    let ran = folder.run("inspect c.png").done();
    assert!(ran.stdout.contains("parts intact, cropped"), "{ran:?}");
    let ran = folder.run("reveal c.png -o r.png --salvage").done();
    assert!(
        ran.stderr.contains("what is left of 512x600 revealed"),
        "{ran:?}"
    );
}

#[test]
fn a_password_that_was_not_needed_is_told_and_inspect_takes_one() {
    let folder = folder();
    folder.write("word", "word");
    folder.run("hide cover.png secret.png -o open.png").done();
    folder
        .run("hide cover.png secret.png -o closed.png --password-file word")
        .done();
    for (container, opens_without) in [("open.png", true), ("closed.png", false)] {
        let ran = folder
            .run(&format!(
                "reveal {container} -o r.png -f --password-file word"
            ))
            .done();
        let told = ran.stderr.contains("opens without the password");
        assert_eq!(told, opens_without, "{ran:?}");
        let line = format!("inspect {container} --json --password-file word");
        let report = &folder.run(&line).done().json()[0];
        assert_eq!(report["hidden"]["password"], !opens_without, "{report}");
        assert_eq!(report["hidden"]["secret_width"], 20);
    }
    let ran = folder.run("inspect closed.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("nothing found"), "{ran:?}");
}

#[test]
fn one_name_for_one_thing_in_json() {
    let folder = folder();
    let hidden = folder
        .run("hide cover.png secret.png -o c.png --json")
        .done();
    let revealed = folder.run("reveal c.png -o r.png --json").done();
    let inspected = folder.run("inspect c.png --json").done();
    let (hidden, revealed) = (&hidden.json()[0], &revealed.json()[0]);
    let inspected = &inspected.json()[0];
    for key in [
        "method",
        "password",
        "secret_width",
        "secret_height",
        "coded_bytes",
    ] {
        assert_eq!(hidden[key], revealed[key], "{key}");
        assert_eq!(hidden[key], inspected["hidden"][key], "{key}");
    }
    for key in ["width", "height"] {
        assert_eq!(hidden[key], revealed[key], "{key}");
        assert_eq!(hidden[key], inspected[key], "{key}");
    }
}

#[test]
fn standard_input_is_read_once() {
    let folder = folder();
    for line in [
        "hide - secret.png -o c.png --password-file -",
        "hide - - -o c.png",
        "reveal - -o r.png --password-file -",
        "inspect - --password-file -",
    ] {
        folder.run(line).failed("standard input can be read once");
    }
}

#[cfg(unix)]
#[test]
fn half_a_picture_on_standard_output_is_no_success() {
    let folder = folder();
    let line = "{ \"$U\" hide cover.png secret.png -o - -q; echo $? >status; } | true";
    folder.shell(line);
    let mut status = String::from_utf8(folder.read("status")).expect("digits");
    // A pipe takes some bytes before its reader is gone.
    if status.trim() == "0" {
        folder.picture("cover.png", 900, 700, 1);
        folder.shell(line);
        status = String::from_utf8(folder.read("status")).expect("digits");
    }
    assert_eq!(status.trim(), "2");
}

#[test]
fn the_picture_that_is_not_there_comes_first() {
    let folder = folder();
    for (line, missing) in [
        ("reveal nofolder -o outfolder", "container nofolder"),
        ("hide nofolder secret.png -o outfolder", "cover nofolder"),
        ("hide cover.png nofile -o outfolder", "secret nofile"),
    ] {
        folder
            .run(line)
            .failed(&format!("failed to read {missing}"));
    }
    folder.write("several/a.png", folder.read("secret.png"));
    folder.write("several/b.png", folder.read("secret.png"));
    let ran = folder
        .run("hide cover.png several -o out")
        .failed("1 cover and 2 secrets: expected at most as many secrets as covers");
    assert!(ran.stderr.contains("hint: a cover is used once"), "{ran:?}");
}

#[test]
fn folders_skip_what_is_not_read_and_count_it() {
    let folder = folder();
    for name in ["covers/a.png", "covers/b.png"] {
        folder.write(name, folder.read("cover.png"));
    }
    for name in ["covers/c.heic", "covers/d.psd"] {
        folder.write(name, "");
    }
    folder.write("secrets/a.png", folder.read("secret.png"));
    folder.write("secrets/b.png", folder.read("secret.png"));
    let ran = folder
        .run("hide covers secrets -o out --effort fast")
        .done();
    let said = "note: covers: 2 files skipped (unsupported extension): 1 .heic, 1 .psd";
    assert!(ran.stderr.contains(said), "{ran:?}");
}

#[test]
fn a_decoder_s_reason_is_not_told_in_its_own_words() {
    let folder = folder();
    let png = folder.read("cover.png");
    folder.write("half.png", &png[..png.len() / 2]);
    let ran = folder
        .run("inspect half.png")
        .failed("failed to read half.png: PNG file is damaged or incomplete\n");
    assert_eq!(ran.stderr.matches("PNG").count(), 1, "{ran:?}");
}

#[test]
fn a_password_is_the_same_from_any_editor_and_keyboard() {
    let folder = folder();
    folder.write("notepad", "\u{feff}M\u{fc}ller\r\n");
    folder.write("mac", "Mu\u{308}ller");
    let utf_16: Vec<u8> = "\u{feff}M\u{fc}ller"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    folder.write("wide", utf_16);
    folder
        .run("hide cover.png secret.png -o c.png --password-file notepad")
        .done();
    for file in ["notepad", "mac", "wide"] {
        folder
            .run(&format!("reveal c.png -o r.png -f --password-file {file}"))
            .done();
    }
}

#[cfg(unix)]
#[test]
fn an_empty_variable_is_named() {
    let folder = folder();
    folder
        .shell("UNDERDRAWING_PASSWORD= \"$U\" reveal cover.png -o r.png")
        .failed("the variable UNDERDRAWING_PASSWORD is empty");
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_closed_is_no_success() {
    let folder = Folder::new();
    folder.picture("cover.png", 30, 30, 1);
    folder.picture("secret.png", 9, 9, 2);
    let line = "$U hide cover.png secret.png --effort fast -o -";
    let closed = folder.shell(&format!("{line} >&-"));
    assert_eq!(closed.code, Some(2), "{closed:?}");
    assert!(
        closed.stderr.contains("standard output is closed"),
        "{closed:?}"
    );
    folder.shell(&format!("{line} > /dev/null")).done();
}
