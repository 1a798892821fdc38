//! The robust method on real files: `--survive`, `--for`, JPEG in and out.

mod common;

use common::Folder;
use image::ImageEncoder;
use underdrawing::{Comparison, FileFormat, Picture, Pixels};

/// A folder with a cover of 200x180 and a secret of 50x60.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.picture("cover.png", 200, 180, 1);
    folder.picture("secret.png", 50, 60, 2);
    folder
}

/// Saves a picture of the folder as JPEG by an encoder that is not the program's.
fn recompress(folder: &Folder, from: &str, to: &str, quality: u8) {
    let pixels = folder.decoded(from).pixels;
    let mut bytes = Vec::new();
    let (width, height) = (pixels.width() as u32, pixels.height() as u32);
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(pixels.data(), width, height, image::ExtendedColorType::Rgb8)
        .expect("a JPEG");
    folder.write(to, bytes);
}

#[test]
fn what_is_hidden_to_survive_comes_back_from_a_recompressed_file() {
    let folder = folder();
    for container in ["c.png", "c.jpg"] {
        let ran = folder
            .run(&format!(
                "hide cover.png secret.png -o {container} --survive 70 --effort fast --json"
            ))
            .done();
        let report = &ran.json()[0];
        assert_eq!(report["method"], "robust");
        assert_eq!(report["survives"], 70);
        folder
            .run(&format!("reveal {container} -o untouched.png --force"))
            .done();
        for quality in [70, 80, 92] {
            recompress(&folder, container, "sent.jpg", quality);
            let ran = folder.run("reveal sent.jpg -o r.png --force --json").done();
            assert_eq!(ran.json()[0]["method"], "robust");
            assert!(folder.decoded("r.png").pixels == folder.decoded("untouched.png").pixels);
        }
    }
    assert_eq!(folder.decoded("c.jpg").format, FileFormat::Jpeg);
    let inspected = folder.run("inspect c.jpg").done();
    assert!(
        inspected.stdout.contains("to survive JPEG of quality 70"),
        "{inspected:?}"
    );
}

#[test]
fn too_much_damage_and_passwords_are_told() {
    let folder = folder();
    folder.write("password.txt", "open");
    folder
        .run("hide cover.png secret.png -o c.png --survive 85 --effort fast --password-file password.txt")
        .done();
    recompress(&folder, "c.png", "sent.jpg", 90);
    let ran = folder.run("reveal sent.jpg -o r.png");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("it takes a password"), "{ran:?}");
    folder
        .run("reveal sent.jpg -o r.png --password-file password.txt")
        .done();
    recompress(&folder, "c.png", "worn.jpg", 80);
    let ran = folder.run("reveal worn.jpg -o w.png --password-file password.txt");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("made for JPEG of quality 85"),
        "{ran:?}"
    );
}

#[test]
fn a_cover_without_alpha_is_what_survives() {
    let folder = folder();
    let cover = folder.decoded("cover.png");
    let alpha: Vec<u8> = (0..200 * 180)
        .map(|i| [0, 130, 255][i % 200 / 67])
        .collect();
    let cover = Picture {
        alpha: Some(alpha),
        ..cover
    };
    folder.png("glass.png", cover.clone());
    let (seen, _) = cover.on_white();
    for container in ["c.jpg", "c.png"] {
        let ran = folder
            .run(&format!(
                "hide glass.png secret.png -o {container} --survive 75 --effort fast --json"
            ))
            .done();
        assert!(ran.stderr.contains("transparency laid on white"), "{ran:?}");
        let written = folder.decoded(container);
        assert_eq!(written.alpha, None);
        let true_db = Comparison::psnr_db_only(&seen, &written.pixels).expect("one size");
        let true_db = true_db.expect("they differ");
        let told_db = ran.json()[0]["container_psnr_db"]
            .as_f64()
            .expect("so is told");
        // Numbers are read from JSON to within their last bit.
        assert!((told_db - true_db).abs() < 1e-9, "{told_db} {true_db}");
        assert!(true_db > 30.0, "{true_db}");
    }
}

#[test]
fn another_password_is_told_from_nothing_hidden() {
    let folder = folder();
    folder.write("password.txt", "open");
    folder.write("other.txt", "sesame");
    folder
        .run("hide cover.png secret.png -o c.png --survive 85 --effort fast --password-file password.txt")
        .done();
    let ran = folder.run("reveal c.png -o r.png --password-file other.txt");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("nothing revealed from c.png"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("this password does not open it"),
        "{ran:?}"
    );
    let inspected = folder.run("inspect c.png --password-file other.txt").done();
    assert!(
        inspected.stdout.contains("this password does not open it"),
        "{inspected:?}"
    );
}

#[test]
fn a_folder_of_containers_can_be_of_jpegs() {
    let folder = folder();
    for of in ["covers", "secrets"] {
        std::fs::create_dir(folder.path(of)).unwrap();
    }
    for name in ["a.png", "b.png"] {
        std::fs::copy(
            folder.path("cover.png"),
            folder.path(&format!("covers/{name}")),
        )
        .unwrap();
        std::fs::copy(
            folder.path("secret.png"),
            folder.path(&format!("secrets/{name}")),
        )
        .unwrap();
    }
    let line = "hide covers secrets -o out --effort fast --jpeg";
    folder.run(line).failed("--jpeg goes with --survive");
    folder.run(&format!("{line} --survive 75")).done();
    for name in ["a.jpg", "b.jpg"] {
        let bytes = std::fs::read(folder.path(&format!("out/{name}"))).unwrap();
        assert_eq!(bytes[..2], [0xFF, 0xD8], "{name}");
    }
    folder.run("reveal out -o back").done();
    folder
        .run("hide cover.png secret.png -o one.jpg --survive 75 --jpeg")
        .failed("--jpeg goes with folders");
}

#[test]
fn a_quality_that_cannot_be_reached_is_refused() {
    let folder = folder();
    let noise = |x: usize, y: usize| [(x * x * 31 + y * y * 57 + x * y * 13) as u8; 3];
    let noise = Pixels::from_fn(200, 180, noise).expect("within the limits");
    folder.png("noise.png", noise.into());
    let line = "hide cover.png noise.png -o c.png -f --survive 75 --effort fast";
    folder
        .run(&format!("{line} --revealed-db 60"))
        .failed("dB can be reached");
    let ran = folder.run(&format!("{line} --revealed-db 14")).done();
    assert!(!ran.stderr.contains("asked for"), "{ran:?}");
    folder
        .run(&format!("{line} --container-db 60"))
        .failed("dB at most, and 60 were asked for");
    let ran = folder
        .run("hide cover.png secret.png -o c.png -f --survive 75 --effort fast --container-db 30")
        .done();
    assert!(!ran.stderr.contains("asked for"), "{ran:?}");
}

#[test]
fn a_channel_sets_size_and_quality() {
    let folder = Folder::new();
    folder.picture("cover.png", 2560, 160, 1);
    folder.picture("secret.png", 30, 20, 2);
    let ran = folder
        .run("hide cover.png secret.png -o c.jpg --for telegram --effort fast --json")
        .done();
    assert!(ran.stderr.contains("reduced to 1280x80"), "{ran:?}");
    assert!(
        ran.stderr
            .contains("note: telegram: phones save by mozjpeg"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("is above the"), "{ran:?}");
    let ran = folder
        .run("hide cover.png secret.png -o d.jpg --for telegram --survive 85 --effort fast -v")
        .done();
    for told in [
        "--survive 85 is above the 70 that is expected of telegram",
        "d.jpg: secret coded as 30x20 in ",
        "d.jpg: secret.png hidden in cover.png by the robust method for JPEG of quality 85",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let folder = folder();
    folder
        .run("hide cover.png secret.png -o c.png --survive 75 --method network")
        .failed("--survive goes with the robust method, and this is the network method");
    folder
        .run("hide cover.png secret.png -o c.png --survive 75 --method coded")
        .failed("goes with the robust method");
    folder
        .run("hide cover.png secret.png -o c.png --survive 30")
        .failed("50..=95");
    folder
        .run("hide cover.png secret.png -o c.png --for pigeon")
        .failed("telegram");
    folder
        .run("hide cover.png secret.png -o c.jpg")
        .failed("--survive 75, which hides so that JPEG keeps it");
    for line in [
        "hide cover.png secret.png -o - --json",
        "reveal cover.png -o - --json",
    ] {
        folder.run(line).failed("both write to standard output");
    }
    folder
        .run("hide cover.png secret.png -o c.ppm")
        .failed("cannot write a container as PNM: the format is only read");
}

#[test]
fn capacity_channels_and_eval_know_the_method() {
    let folder = folder();
    let ran = folder
        .run("capacity cover.png secret.png --survive 75 --json")
        .done();
    let lossless = folder.run("capacity cover.png secret.png --json").done();
    let bytes = |ran: &common::Ran| ran.json()[0]["bytes"].as_u64().expect("a number");
    assert!(bytes(&ran) > 100 && 4 * bytes(&ran) < bytes(&lossless));
    // What hiding then says, of drawings, too.
    let strokes = |x: usize, y: usize| {
        [if (x / 4 + y / 9).is_multiple_of(3) {
            0
        } else {
            255
        }; 3]
    };
    let drawing = Pixels::from_fn(200, 180, strokes).expect("within the limits");
    folder.png("drawing.png", drawing.into());
    for (cover, flags) in [
        ("cover.png", "--survive 75"),
        ("drawing.png", "--survive 75"),
        ("cover.png", "--for wechat"),
        ("cover.png", "--survive 75 --survive-crop 10"),
    ] {
        let told = folder
            .run(&format!("capacity {cover} secret.png {flags} --json"))
            .done();
        let hidden = folder
            .run(&format!(
                "hide {cover} secret.png -o c.png -f {flags} --json"
            ))
            .done();
        let db = |ran: &common::Ran, name| ran.json()[0][name].as_f64().expect("a number");
        for name in ["container_psnr_db", "revealed_psnr_db"] {
            let apart = (db(&told, name) - db(&hidden, name)).abs();
            // Where a container fails its trial, hiding takes a step more of parity: 0.6 dB.
            assert!(apart < 0.8, "{cover} {flags} {name}: {apart}");
        }
    }
    let channels = folder.run("channels --json").done().json();
    let discord = channels.iter().find(|channel| channel["name"] == "discord");
    assert_eq!(discord.expect("it is known")["confidence"], "low");
    let lines = folder.run("channels").done().stdout;
    assert!(lines.contains("previews are WebP"), "{lines}");
    assert!(channels.iter().any(|channel| channel["name"] == "signal"));
    folder.write("pairs/a.png", folder.read("cover.png"));
    folder.write("pairs/b.png", folder.read("secret.png"));
    let ran = folder
        .run("eval pairs --survive 75 --effort fast --through jpeg:75,jpeg:90+jpeg:75,jpeg:30 --json")
        .done();
    let back: Vec<_> = ran
        .json()
        .iter()
        .filter_map(|line| line["back"].as_u64())
        .collect();
    assert_eq!(back, [1, 1, 0]);
}
