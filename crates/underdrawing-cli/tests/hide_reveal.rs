//! `hide` and `reveal` on real files.

mod common;

use common::{Folder, keys, picture};
use image::{ImageEncoder, codecs::png::PngEncoder};
use underdrawing::{
    BuiltInModel, Comparison, FileFormat, Inspection, Limits, Picture, Pixels, Progress,
    RevealOptions, inspect, reveal,
};

const MODEL: &str = "--model model.safetensors";

#[test]
fn the_best_effort_refines_both_pictures() {
    let folder = Folder::new();
    folder.picture("cover.png", 96, 64, 1);
    folder.picture("secret.png", 96, 64, 2);
    let quality = |flags: &str| {
        let line = format!("hide cover.png secret.png -o c.png --force --json {flags}");
        let report = folder.run(&line).done().json()[0].clone();
        ["container_psnr_db", "revealed_psnr_db"].map(|key| report[key].as_f64().unwrap())
    };
    let plain = quality("--method network");
    let refined = quality("--method network --effort best");
    let container = folder.read("c.png");
    assert!(refined[0] > plain[0] + 0.2, "{refined:?} after {plain:?}");
    assert!(refined[1] > plain[1] + 0.2, "{refined:?} after {plain:?}");
    quality("--method network --effort best --threads 1");
    assert!(folder.read("c.png") == container);
    assert_eq!(quality("--method network --effort fast"), plain);
}

#[test]
fn hides_and_reveals_through_a_file() {
    let (folder, model) = Folder::with_model();
    let cover = folder.picture("cover.png", 40, 30, 1);
    folder.picture("secret.png", 25, 33, 2);
    let ran = folder
        .run(&format!(
            "hide cover.png secret.png -o c.png --json {MODEL}"
        ))
        .done();
    let container = folder.decoded("c.png").pixels;
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "container",
            "container_psnr_db",
            "cover",
            "height",
            "method",
            "model",
            "revealed_psnr_db",
            "secret",
            "secret_height",
            "secret_turned",
            "secret_width",
            "width"
        ]
    );
    assert_eq!(report["model"], model.id().to_string());
    assert_eq!(
        report["secret_turned"], true,
        "an upright secret in a wide cover"
    );
    let psnr_db = Comparison::of(&cover, &container).unwrap().psnr_db;
    assert_eq!(report["container_psnr_db"].as_f64(), psnr_db);
    let told_db = report["revealed_psnr_db"].as_f64();

    let ran = folder
        .run(&format!("reveal c.png -o r.png --json {MODEL}"))
        .done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "balance",
            "container",
            "height",
            "method",
            "model",
            "revealed",
            "secret_height",
            "secret_turned",
            "secret_width",
            "width"
        ]
    );
    let revealed = folder.decoded("r.png").pixels;
    assert_eq!((revealed.width(), revealed.height()), (25, 33));
    let options = RevealOptions {
        models: vec![model],
        ..RevealOptions::default()
    };
    let expected = reveal(&container, &options, &mut Progress::ignore).unwrap();
    assert_eq!(revealed, expected.picture);
    let secret = folder.decoded("secret.png").pixels;
    let psnr_db = Comparison::of(&secret, &revealed).unwrap().psnr_db;
    assert_eq!(told_db, psnr_db);
    assert_eq!(
        folder.names(),
        [
            "c.png",
            "cover.png",
            "model.safetensors",
            "r.png",
            "secret.png"
        ]
    );
}

/// The secret's width that the network method's mark names.
fn marked_width(container: &Pixels) -> usize {
    match inspect(container, None) {
        Ok(Inspection::Network { secret_width, .. }) => secret_width,
        other => panic!("no mark: {other:?}"),
    }
}

#[test]
fn needs_no_model_named_to_reveal_well() {
    let folder = Folder::new();
    folder.picture("cover.png", 96, 64, 1);
    folder.picture("secret.png", 96, 64, 2);
    for (method, flags) in [("coded", ""), ("network", "--method network")] {
        let line = format!("hide cover.png secret.png -o {method}.png --json {flags}");
        assert_eq!(folder.run(&line).done().json()[0]["method"], method);
        let line = format!("reveal {method}.png -o {method}_r.png --json");
        let report = &folder.run(&line).done().json()[0];
        assert_eq!(report["method"], method);
        let by_model = (method == "network").then(|| BuiltInModel::first().id.to_string());
        assert_eq!(report["model"].as_str(), by_model.as_deref());
        for line in [
            format!("compare cover.png {method}.png --min-psnr 25"),
            format!("compare secret.png {method}_r.png --min-psnr 25"),
        ] {
            folder.run(&line).done();
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_file() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = Folder::new();
    // Large enough for seconds of work, of which none is needed.
    folder.picture("cover.png", 1600, 1600, 1);
    folder.picture("secret.png", 1600, 1600, 2);
    let before = folder.names();
    // At once, while files are read, and in the midst of the work.
    for delay in [0, 600] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_underdrawing"))
            .args(["hide", "cover.png", "secret.png", "-o", "c.png"])
            .current_dir(folder.path("."))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first line comes when Ctrl-C is watched for.
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("note: without a password"), "{line}");
        std::thread::sleep(Duration::from_millis(delay));
        let killed = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        let since = std::time::Instant::now();
        let status = child.wait().unwrap();
        // Coding that goes on takes five times as long.
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "{:?}",
            since.elapsed()
        );
        assert_eq!((status.code(), status.signal()), (Some(130), None));
        assert_eq!(folder.names(), before, "after {delay} ms");
    }
}

#[test]
fn json_has_a_line_for_each_picture_of_a_folder() {
    let folder = Folder::new();
    for name in [
        "covers/a.png",
        "covers/b.png",
        "secrets/a.png",
        "secrets/b.png",
    ] {
        folder.picture(name, 40, 40, 1);
    }
    folder.write("covers/b.png", b"no picture");
    let hidden = folder.run("hide covers secrets -o out --json --effort fast");
    let lines = hidden.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 2, "{}", hidden.stdout);
    assert!(
        lines[0].contains(r#""container":"out/a.png""#),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains(r#""container":null,"reason":"failed to read cover covers/b.png"#));
    folder.picture("out/b.png", 40, 40, 3);
    folder.write("out/c.png", b"no picture");
    let revealed = folder.run("reveal out -o back --json");
    let lines = revealed.stdout.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 3, "{}", revealed.stdout);
    assert!(
        lines[0].contains(r#""revealed":"back/a.png","width":40"#),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains(r#""revealed":null,"reason":"nothing in it opens without a password"#),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(r#""revealed":null,"reason":"failed to read container out/c.png"#));
}

#[test]
fn writes_every_lossless_format() {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 20, 20, 1);
    folder.picture("secret.png", 20, 20, 2);
    for (name, format) in [
        ("c.png", FileFormat::Png),
        ("c.bmp", FileFormat::Bmp),
        ("c.TIFF", FileFormat::Tiff),
        ("c.qoi", FileFormat::Qoi),
        ("c.webp", FileFormat::WebP),
    ] {
        folder
            .run(&format!("hide cover.png secret.png -o {name} {MODEL}"))
            .done();
        assert_eq!(FileFormat::of_bytes(&folder.read(name)).unwrap(), format);
        assert_eq!(marked_width(&folder.decoded(name).pixels), 20, "{name}");
        folder
            .run(&format!("reveal {name} -o {name}.png {MODEL}"))
            .done();
    }
}

#[test]
fn refuses_other_formats_of_containers_with_a_hint() {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 20, 20, 1);
    folder.picture("secret.png", 20, 20, 2);
    let before = folder.names();
    let ran = folder
        .run(&format!("hide cover.png secret.png -o c.jpg {MODEL}"))
        .failed("cannot write a container as JPEG");
    assert!(
        ran.stderr
            .contains("\nhint: use a lossless format: c.png, or --survive 75"),
        "{ran:?}"
    );
    for (name, message, hint) in [
        (
            "c",
            "cannot tell the format of c: expected .png",
            "try c.png",
        ),
        (
            "c.heic",
            "cannot tell the format of c.heic: expected .png",
            "try c.png",
        ),
        (
            "c.gif",
            "cannot write a container as GIF",
            "use a lossless format: c.png",
        ),
        (
            "c.ppm",
            "cannot write a container as PNM",
            "use a lossless format: c.png",
        ),
    ] {
        let ran = folder
            .run(&format!("hide cover.png secret.png -o {name} {MODEL}"))
            .failed(message);
        assert!(ran.stderr.contains(&format!("\nhint: {hint}\n")), "{ran:?}");
    }
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .write_image(
            picture(20, 20, 1).data(),
            20,
            20,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    folder.write("photo.png", &jpeg);
    let ran = folder.run(&format!("reveal photo.png -o r.png {MODEL}"));
    assert!(
        ran.stderr
            .contains("keeps only what was hidden with --survive"),
        "{ran:?}"
    );
    std::fs::remove_file(folder.path("photo.png")).unwrap();
    assert_eq!(folder.names(), before);
}

#[test]
fn passes_transparency_and_colour_profile_on() {
    let (folder, _) = Folder::with_model();
    let alpha: Vec<u8> = (0..=255).cycle().take(20 * 30).collect();
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    let cover = Picture {
        alpha: Some(alpha.clone()),
        icc_profile: Some(profile.clone()),
        ..picture(20, 30, 1).into()
    };
    folder.png("cover.png", cover);
    folder.picture("secret.png", 20, 30, 2);
    folder
        .run(&format!("hide cover.png secret.png -o c.png {MODEL}"))
        .done();
    let container = folder.decoded("c.png");
    assert_eq!(container.alpha, Some(alpha.clone()));
    assert_eq!(container.icc_profile, Some(profile));
    let ran = folder
        .run(&format!("hide cover.png secret.png -o c.qoi {MODEL}"))
        .done();
    assert!(
        ran.stderr
            .contains("QOI has no place for its colour profile"),
        "{ran:?}"
    );
    assert_eq!(folder.decoded("c.qoi").alpha, Some(alpha));
}

#[test]
fn says_what_it_changes() {
    let (folder, _) = Folder::with_model();
    let mut grey16 = Vec::new();
    let samples: Vec<u8> = (0..2 * 32 * 24).map(|i| (i * 7 % 251) as u8).collect();
    PngEncoder::new(&mut grey16)
        .write_image(&samples, 32, 24, image::ExtendedColorType::L16)
        .unwrap();
    folder.write("cover.png", &grey16);
    let alpha = Some(vec![100; 24 * 32]);
    folder.png(
        "secret.png",
        Picture {
            alpha,
            ..picture(24, 32, 2).into()
        },
    );
    folder.picture("small.png", 12, 5, 3);
    let ran = folder
        .run(&format!("hide cover.png secret.png -o c.png {MODEL}"))
        .done();
    for note in [
        "note: cover cover.png: 16 bits a sample become 8\n",
        "note: cover cover.png: grey becomes RGB\n",
        "note: secret secret.png: transparency laid on white\n",
        "note: secret secret.png: turned by 90 degrees for hiding; it comes back as 24x32\n",
        "c.png: secret.png hidden in cover.png by the network method with model ",
    ] {
        assert!(ran.stderr.contains(note), "{note}: {ran:?}");
    }
    assert_eq!(ran.stdout, "");
    let ran = folder
        .run(&format!("hide cover.png small.png -o d.png {MODEL}"))
        .done();
    let note = "note: secret small.png: resized to 32x24 for hiding; it comes back as 12x5\n";
    assert!(ran.stderr.contains(note), "{ran:?}");
    let ran = folder
        .run(&format!(
            "hide cover.png secret.png -o e.png --quiet {MODEL}"
        ))
        .done();
    assert_eq!(ran.stderr, "");
}

#[test]
fn says_when_a_network_spoils_a_picture() {
    let folder = Folder::new();
    let drawn = |pixel: fn(usize, usize) -> [u8; 3]| Pixels::from_fn(64, 64, pixel).unwrap();
    folder.png("grey.png", drawn(|_, _| [110; 3]).into());
    let pure = drawn(|x, y| [x / 8 % 2, y / 8 % 2, (x + y) / 16 % 2].map(|v| 255 * v as u8));
    folder.png("pure.png", pure.into());
    let grain = drawn(|x, y| [3, 5, 7].map(|k| (k * x * x + 11 * x * y + k * y * y * y) as u8));
    folder.png("grain.png", grain.into());
    for (line, noted) in [
        ("hide pure.png grain.png -o a.png --method network", true),
        ("hide grey.png grey.png -o b.png --method network", false),
        ("hide pure.png grain.png -o c.png --method coded", false),
    ] {
        let ran = folder.run(line).done();
        let note = ran
            .stderr
            .contains("the changes are visible; networks are for photographs");
        assert_eq!(note, noted, "{line}: {ran:?}");
    }
}

#[test]
fn says_when_the_secret_comes_back_spoiled() {
    let folder = Folder::new();
    let noise = |x: usize, y: usize| {
        let mixed = (x * 2_654_435_761) ^ (y * 40_503_001);
        [255 * (mixed.wrapping_mul(mixed | 1) >> 13 & 1) as u8; 3]
    };
    let noise = Pixels::from_fn(200, 200, noise).unwrap();
    folder.png("noise.png", noise.into());
    folder.picture("small.png", 40, 40, 1);
    folder.picture("large.png", 200, 200, 2);
    let lines = |x: usize, y: usize| [if x % 2 == y / 9 % 2 { 255 } else { 0 }; 3];
    folder.png(
        "lines.png",
        Pixels::from_fn(200, 200, lines).unwrap().into(),
    );
    for (line, help) in [
        (
            "hide small.png noise.png -o a.png --effort fast",
            Some("a larger cover helps, and `underdrawing capacity"),
        ),
        (
            "hide large.png noise.png -o b.png --effort fast --survive 75",
            Some("JPEG of quality 75 has too little room"),
        ),
        (
            "hide noise.png lines.png -o c.png --method network",
            Some("networks are for photographs"),
        ),
        ("hide large.png noise.png -o d.png --effort fast", None),
    ] {
        let ran = folder.run(line).done();
        let note = ran.stderr.lines().find(|line| line.contains("spoiled"));
        assert_eq!(note.is_some(), help.is_some(), "{line}: {ran:?}");
        assert!(
            note.unwrap_or_default().contains(help.unwrap_or_default()),
            "{line}: {ran:?}"
        );
    }
}

#[test]
fn revealing_tells_of_a_model_that_did_not_count_and_of_noise() {
    let (folder, model) = Folder::with_model();
    folder.picture("cover.png", 40, 30, 1);
    folder.picture("secret.png", 40, 30, 2);
    folder
        .run("hide cover.png secret.png -o c.png --method network")
        .done();
    let built_in = BuiltInModel::first().name;
    let ran = folder.run(&format!("reveal c.png -o r.png {MODEL}")).done();
    assert!(
        ran.stderr.contains(&format!(
            "--model was not used: it was hidden by model {built_in}"
        )) && ran.stderr.contains(&model.id().to_string()),
        "{ran:?}"
    );
    let ran = folder
        .run(&format!("reveal c.png -o r.png -f --model {built_in}"))
        .done();
    assert!(!ran.stderr.contains("--model"), "{ran:?}");
    let ran = folder.run("reveal cover.png -o n.png --size 40x30").done();
    assert!(ran.stderr.contains("the result is noise"), "{ran:?}");
}

#[test]
fn reads_and_writes_streams() {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 20, 20, 1);
    folder.picture("secret.png", 20, 20, 2);
    folder
        .run(&format!("hide cover.png secret.png -o c.png {MODEL}"))
        .done();
    let cover = folder.read("cover.png");
    let ran = folder
        .run_with_input(&format!("hide - secret.png -o - {MODEL}"), &cover)
        .done();
    assert_eq!(ran.bytes, folder.read("c.png"));
    folder.run(&format!("reveal c.png -o r.png {MODEL}")).done();
    let revealed = folder
        .run_with_input(&format!("reveal - -o - {MODEL}"), &ran.bytes)
        .done();
    assert_eq!(revealed.bytes, folder.read("r.png"));
    folder
        .run_with_input(&format!("hide - - -o d.png {MODEL}"), &cover)
        .failed("standard input can be read once");
}

#[test]
fn hides_and_reveals_folders() {
    let (folder, _) = Folder::with_model();
    for (i, name) in ["b", "a", "c"].into_iter().enumerate() {
        folder.picture(&format!("covers/{name}.png"), 24, 20, i);
        folder.picture(&format!("secrets/s{name}.png"), 20 + i, 20, 9 + i);
    }
    folder.write("covers/readme.txt", "not a picture");
    let ran = folder
        .run(&format!(
            "hide covers secrets -o out --sheet sheets --json {MODEL}"
        ))
        .done();
    let pairs: Vec<_> = ran
        .json()
        .iter()
        .map(|report| (report["cover"].clone(), report["secret"].clone()))
        .collect();
    let expected = ["a", "b", "c"].map(|name| {
        (
            format!("covers/{name}.png").into(),
            format!("secrets/s{name}.png").into(),
        )
    });
    assert_eq!(pairs, expected);
    let ran = folder
        .run(&format!("reveal out -o back --json {MODEL}"))
        .done();
    assert_eq!(ran.json().len(), 3);
    assert_eq!(folder.decoded("back/b.png").pixels.width(), 20);
    assert_eq!(folder.decoded("back/a.png").pixels.width(), 21);
    for name in ["out/c.png", "sheets/a.png", "back/c.png"] {
        assert!(folder.path(name).is_file(), "{name}");
    }
}

#[test]
fn uses_secrets_again_only_when_asked() {
    let (folder, _) = Folder::with_model();
    for name in ["covers/1.png", "covers/2.png", "covers/3.png"] {
        folder.picture(name, 16, 16, 1);
    }
    folder.picture("secrets/1.png", 16, 16, 2);
    folder.picture("secrets/2.png", 17, 16, 3);
    let before = folder.names();
    let ran = folder
        .run(&format!("hide covers secrets -o out {MODEL}"))
        .failed("3 covers and 2 secrets");
    assert!(ran.stderr.contains("hint: --cycle"), "{ran:?}");
    assert_eq!(folder.names(), before);
    folder
        .run(&format!("hide covers secrets -o out --cycle {MODEL}"))
        .done();
    let width = |name| marked_width(&folder.decoded(name).pixels);
    assert_eq!(
        [width("out/1.png"), width("out/2.png"), width("out/3.png")],
        [16, 17, 16]
    );
    // One secret for all.
    folder
        .run(&format!("hide covers secrets/2.png -o one --cycle {MODEL}"))
        .done();
    folder
        .run(&format!("hide covers/1.png secrets -o two {MODEL}"))
        .failed("2 secrets");
}

#[test]
fn goes_on_after_a_damaged_file_in_a_folder() {
    let (folder, _) = Folder::with_model();
    for name in ["covers/1.png", "covers/3.png", "secret.png"] {
        folder.picture(name, 16, 16, 1);
    }
    folder.write("covers/2.png", "damaged");
    let ran = folder.run(&format!("hide covers secret.png -o out --cycle {MODEL}"));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .contains("error: failed to read cover covers/2.png: "),
        "{ran:?}"
    );
    assert!(ran.stderr.ends_with("1 of 3 failed\n"), "{ran:?}");
    assert!(folder.path("out/1.png").is_file() && folder.path("out/3.png").is_file());
    assert!(!folder.path("out/2.png").exists());
}

#[test]
fn a_plain_picture_is_answered_with_no() {
    let (folder, _) = Folder::with_model();
    folder.picture("plain.png", 24, 20, 1);
    let ran = folder.run(&format!("reveal plain.png -o r.png {MODEL}"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("nothing found in plain.png"), "{ran:?}");
    assert!(
        ran.stderr
            .contains("--size WxH reveals without one (from anything else it makes noise)"),
        "{ran:?}"
    );
    assert!(!folder.path("r.png").exists());
    let ran = folder.run(&format!("reveal plain.png -o r.png --json {MODEL}"));
    assert!(ran.json()[0]["revealed"].is_null());
    folder
        .run(&format!("reveal plain.png -o r.png --size 31x7 {MODEL}"))
        .done();
    let revealed = folder.decoded("r.png").pixels;
    assert_eq!((revealed.width(), revealed.height()), (31, 7));
}

#[test]
fn a_container_of_an_unknown_model_names_it() {
    let (folder, model) = Folder::with_model();
    let other = common::tiny_model(2);
    folder.write("other.safetensors", other.to_bytes(Default::default()));
    folder.picture("cover.png", 20, 20, 1);
    folder
        .run(&format!("hide cover.png cover.png -o c.png {MODEL}"))
        .done();
    for arguments in [
        "reveal c.png -o r.png",
        "reveal c.png -o r.png -m other.safetensors",
    ] {
        let ran = folder.run(arguments).failed(&model.id().to_string());
        assert!(
            ran.stderr
                .contains("hint: give that model's file with --model"),
            "{ran:?}"
        );
    }
    let ran = folder
        .run("reveal c.png -o r.png -m nosuch")
        .failed("no model nosuch");
    assert!(ran.stderr.contains("underdrawing models"), "{ran:?}");
    assert!(!folder.path("r.png").exists());
}

#[test]
fn tiles_change_no_more_than_a_grey_level() {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 70, 50, 1);
    folder.picture("secret.png", 70, 50, 2);
    folder
        .run(&format!("hide cover.png secret.png -o whole.png {MODEL}"))
        .done();
    folder
        .run(&format!(
            "hide cover.png secret.png -o tiled.png --tile-size 16 --threads 1 {MODEL}"
        ))
        .done();
    let ran = folder.run("compare whole.png tiled.png --json").done();
    assert!(
        ran.json()[0]["max_difference"].as_u64().unwrap() <= 1,
        "{ran:?}"
    );
}

#[test]
fn a_sheet_shows_all_pictures() {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 40, 30, 1);
    folder.picture("secret.png", 40, 30, 2);
    folder
        .run(&format!(
            "hide cover.png secret.png -o c.png --sheet sheet.png {MODEL}"
        ))
        .done();
    let sheet = Picture::decode(&folder.read("sheet.png"), &Limits::default())
        .unwrap()
        .pixels;
    assert!(
        sheet.width() > 3 * 40 && sheet.height() > 2 * 30,
        "{sheet:?}"
    );
    folder
        .run(&format!(
            "hide cover.png secret.png -o d.png --sheet d.png {MODEL}"
        ))
        .failed("same path");
}
