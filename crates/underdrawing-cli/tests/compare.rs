//! `compare`: figures, exit codes and bad input.

mod common;

use common::{Folder, keys, picture};
use underdrawing::{Comparison, Picture};

/// `a.png`, and `b.png` which differs from it by 2 in every sample.
fn two_pictures() -> Folder {
    let folder = Folder::new();
    let mut b = folder.picture("a.png", 24, 20, 1);
    b.data_mut().iter_mut().for_each(|sample| *sample += 2);
    folder.png("b.png", b.into());
    folder
}

#[test]
fn measures_what_the_library_measures() {
    let folder = two_pictures();
    let ran = folder.run("compare a.png b.png --json").done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "a",
            "apd",
            "b",
            "max_difference",
            "psnr_db",
            "rmse",
            "rounded_to_8_bits",
            "ssim"
        ]
    );
    let expected = Comparison::of(&picture(24, 20, 1), &folder.decoded("b.png").pixels).unwrap();
    // The parser of the test may be off by the last digit.
    for (figure, expected) in [("psnr_db", expected.psnr_db), ("ssim", Some(expected.ssim))] {
        let difference = report[figure].as_f64().unwrap() - expected.unwrap();
        assert!(difference.abs() < 1e-12, "{figure}: {report}");
    }
    assert_eq!(report["apd"], 2.0);
    assert_eq!(report["rmse"], 2.0);
    assert_eq!(report["max_difference"], 2);
    // 20 log10(255 / 2)
    let table = folder.run("compare a.png b.png").done().stdout;
    assert!(
        table.starts_with("PSNR                42.11 dB\n"),
        "{table}"
    );
    assert!(table.ends_with("largest difference  2\n"), "{table}");
}

#[test]
fn answers_no_below_the_wanted_psnr() {
    let folder = two_pictures();
    for (arguments, code) in [
        ("compare a.png b.png --min-psnr 42.1", 0),
        ("compare a.png b.png --min-psnr 42.2", 1),
        ("compare a.png a.png --min-psnr 1000", 0),
        ("compare a.png b.png --min-psnr nan", 2),
    ] {
        assert_eq!(folder.run(arguments).code, Some(code), "{arguments}");
    }
    let ran = folder.run("compare a.png b.png --min-psnr 50 --json");
    assert_eq!(ran.json().len(), 1, "the figures are printed all the same");
    assert_eq!(ran.stderr, "PSNR 42.11 dB is below 50 dB\n");
}

#[test]
fn identical_pictures_have_no_psnr() {
    let folder = two_pictures();
    let ran = folder.run("compare a.png a.png --json").done();
    assert!(ran.json()[0]["psnr_db"].is_null());
    assert_eq!(ran.json()[0]["ssim"], 1.0);
    assert!(
        folder
            .run("compare a.png a.png")
            .done()
            .stdout
            .contains("identical")
    );
}

#[test]
fn reads_standard_input_once() {
    let folder = two_pictures();
    let input = folder.read("a.png");
    let ran = folder
        .run_with_input("compare - b.png --json", &input)
        .done();
    assert_eq!(ran.json()[0]["a"], "standard input");
    folder
        .run_with_input("compare - -", &input)
        .failed("standard input can be read once");
}

#[test]
fn lays_transparency_on_white_and_says_so() {
    let folder = Folder::new();
    let pixels = picture(16, 16, 1);
    let alpha = Some(vec![0; 256]);
    folder.png(
        "clear.png",
        Picture {
            alpha,
            ..pixels.into()
        },
    );
    folder.png("white.png", picture(16, 16, 1).into());
    let ran = folder.run("compare clear.png white.png").done();
    assert_eq!(
        ran.stderr,
        "note: picture clear.png: transparency laid on white\n"
    );
    assert!(!ran.stdout.contains("identical"));
    assert_eq!(
        folder.run("compare -q clear.png white.png").done().stderr,
        ""
    );
}

#[test]
fn refuses_pictures_of_different_sizes() {
    let folder = Folder::new();
    folder.picture("a.png", 24, 20, 1);
    folder.picture("b.png", 20, 24, 1);
    folder.run("compare a.png b.png").failed("24x20 and 20x24");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = two_pictures();
    let ran = folder.shell("{ \"$U\" compare a.png b.png; echo $? >&2; } | true");
    assert!(matches!(ran.stderr.as_str(), "0\n"), "{ran:?}");
}
