//! The coded method on real files: `--method coded`, passwords, damage, `capacity`.

mod common;

use common::{Folder, keys};
use underdrawing::{Comparison, Pixels};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.picture("cover.png", 90, 70, 1);
    folder.picture("secret.png", 61, 83, 2);
    folder
}

#[test]
fn hides_and_reveals_through_a_file() {
    let folder = folder();
    let ran = folder
        .run("hide cover.png secret.png -o c.png --effort fast --json")
        .done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "coded_bytes",
            "coded_height",
            "coded_width",
            "container",
            "container_psnr_db",
            "cover",
            "height",
            "method",
            "password",
            "revealed_psnr_db",
            "secret",
            "secret_height",
            "secret_width",
            "width"
        ]
    );
    assert_eq!(report["method"], "coded");
    assert_eq!(report["password"], false);
    assert!(
        ran.stderr
            .contains("note: without a password anybody with this program can reveal"),
        "{ran:?}"
    );
    let ran = folder.run("reveal c.png -o r.png --json").done();
    assert_eq!(ran.json()[0]["method"], "coded");
    let measured = Comparison::of(
        &folder.decoded("secret.png").pixels,
        &folder.decoded("r.png").pixels,
    );
    let psnr_db = measured.unwrap().psnr_db;
    let stated = report["revealed_psnr_db"].as_f64();
    assert!((psnr_db.unwrap_or(99.0) - stated.unwrap_or(99.0)).abs() < 1e-6);
    folder.run("compare cover.png c.png --min-psnr 49").done();
}

#[test]
fn a_password_opens_and_nothing_else_does() {
    let folder = folder();
    folder.write("word.txt", "correct horse\n");
    folder.write("wrong.txt", "correct mule\n");
    folder
        .run("hide cover.png secret.png -o c.png --password-file word.txt")
        .done();
    for (flags, message) in [
        ("", "hint: --password asks for one"),
        ("--password-file wrong.txt", "the password is wrong"),
    ] {
        let ran = folder.run(&format!("reveal c.png -o r.png {flags}"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(message), "{ran:?}");
        assert!(!folder.path("r.png").exists());
    }
    folder
        .run("reveal c.png -o r.png --password-file word.txt")
        .done();
    let ran = folder.run_with_input("reveal c.png -o r2.png --password-file -", b"correct horse");
    ran.done();
    assert_eq!(
        folder.decoded("r.png").pixels,
        folder.decoded("r2.png").pixels
    );
    let ran = folder.run("inspect c.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("nothing found that opens"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn the_environment_may_hold_the_password() {
    let folder = folder();
    let line = "UNDERDRAWING_PASSWORD=word $U hide cover.png secret.png -o c.png --effort fast && \
                UNDERDRAWING_PASSWORD=word $U reveal c.png -o r.png";
    folder.shell(line).done();
    let ran = folder.run("reveal c.png -o r2.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn unreadable_and_empty_passwords_are_errors() {
    let folder = folder();
    folder.write("empty.txt", "\n");
    folder
        .run("hide cover.png secret.png -o c.png --password-file empty.txt")
        .failed("the password is empty");
    folder
        .run("hide cover.png secret.png -o c.png --password-file none.txt")
        .failed("failed to read the password file none.txt");
}

#[test]
fn methods_keep_their_flags_apart() {
    let folder = folder();
    folder.write("word.txt", "word");
    for (flags, message) in [
        (
            "--method network --password-file word.txt",
            "--password-file gives a password, and the network method has none",
        ),
        (
            "--method network --container-db 50",
            "--container-db goes with the coded method",
        ),
        (
            "--model lifting-1 --balance container",
            "--balance container goes with the coded method",
        ),
        (
            "--method coded --balance 1",
            "--balance with a number goes with the network method",
        ),
        ("--balance 3", "a whole number from -2 to 2"),
        (
            "--method coded --model lifting-1",
            "--model goes with the network method",
        ),
        ("--container-db 45 --balance equal", "cannot be used with"),
        ("--container-db -5", "expected decibels, a number above 0"),
        ("--container-db 0", "expected decibels, a number above 0"),
        ("--survive -1", "-1 is not in 50..=95"),
        ("--threads -1", "expected a whole number from 0 to 1024"),
        ("--container-db 90", "ask for less than 90 dB"),
        (
            "--tile-size 64",
            "--tile-size goes with the network method: the coded method has no tiles",
        ),
        ("--cycle", "--cycle goes with folders"),
    ] {
        folder
            .run(&format!("hide cover.png secret.png -o c.png {flags}"))
            .failed(message);
    }
}

#[test]
fn says_what_quality_can_be_reached() {
    let folder = folder();
    let noise = |x: usize, y: usize| {
        let mixed = (x * 2_654_435_761) ^ (y * 40_503_001);
        [(mixed.wrapping_mul(mixed | 1) >> 13) as u8; 3]
    };
    let noise = Pixels::from_fn(300, 300, noise).unwrap();
    folder.png("noise.png", noise.into());
    folder
        .run("hide cover.png noise.png -o c.png --effort fast --revealed-db 60")
        .failed("dB can be reached");
}

#[test]
fn a_changed_container_is_refused_and_salvaged_when_asked() {
    let folder = Folder::new();
    folder.picture("cover.png", 512, 600, 1);
    folder.picture("secret.png", 512, 600, 2);
    // The stripes come last, and the lower rows' last of all.
    folder
        .run("hide cover.png secret.png -o c.png --effort fast --container-db 45")
        .done();
    let mut container = folder.decoded("c.png");
    let n = container.pixels.data().len();
    container.pixels.data_mut()[n / 10 * 9] ^= 1;
    folder.png("damaged.png", container);
    let ran = folder.run("reveal damaged.png -o r.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was changed after hiding"), "{ran:?}");
    assert!(!folder.path("r.png").exists());
    assert!(ran.stderr.contains("hint: --salvage"), "{ran:?}");
    let ran = folder.run("reveal damaged.png -o r.png --salvage").done();
    assert!(
        ran.stderr.contains("are lost and filled with grey"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("what is left of 512x600"), "{ran:?}");
    assert_eq!(folder.decoded("r.png").pixels.height(), 600);
    // Where every stripe is lost, salvaging would show nothing.
    let mut container = folder.decoded("c.png");
    for sample in &mut container.pixels.data_mut()[n / 20..] {
        *sample ^= 1;
    }
    folder.png("top.png", container);
    for salvage in ["", " --salvage"] {
        let ran = folder.run(&format!("reveal top.png -o none.png{salvage}"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.stderr
                .contains("nothing can be salvaged, since every stripe")
                && !ran.stderr.contains("hint:"),
            "{ran:?}"
        );
    }
}

#[test]
fn a_secret_too_large_is_reduced_with_a_note() {
    let folder = Folder::new();
    folder.picture("cover.png", 24, 24, 1);
    folder.picture("secret.png", 500, 400, 2);
    let ran = folder
        .run("hide cover.png secret.png -o c.png --effort fast")
        .done();
    assert!(
        ran.stderr.contains("too large for this cover, reduced to"),
        "{ran:?}"
    );
    folder.run("reveal c.png -o r.png").done();
    assert_eq!(folder.decoded("r.png").pixels.width(), 500);
    folder.picture("tiny.png", 5, 5, 1);
    folder
        .run("hide tiny.png secret.png -o t.png")
        .failed("a cover of 5x5 is too small for this secret");
}

#[test]
fn capacity_promises_no_more_than_hide_keeps() {
    let folder = folder();
    let expected = folder.run("capacity cover.png secret.png --json").done();
    let expected = &expected.json()[0];
    let hidden = folder
        .run("hide cover.png secret.png -o c.png --json")
        .done();
    let hidden = &hidden.json()[0];
    assert_eq!(hidden["revealed_psnr_db"], expected["revealed_psnr_db"]);
    // This secret needs less than all, and that is foretold.
    let db = |report: &serde_json::Value| report["container_psnr_db"].as_f64().unwrap();
    assert!(db(hidden) > 51.5, "{hidden}");
    assert!(
        (db(hidden) - db(expected)).abs() < 0.2,
        "{hidden} {expected}"
    );
    assert!(hidden["coded_bytes"].as_u64() <= expected["bytes"].as_u64());
    folder.picture("tiny.png", 5, 5, 1);
    assert_eq!(folder.run("capacity tiny.png secret.png").code, Some(1));
    let ran = folder.run("capacity cover.png").done();
    assert!(ran.stdout.contains("bits a pixel"), "{ran:?}");
    assert!(!ran.stdout.contains("secret at"), "{ran:?}");
}

#[test]
fn a_quality_out_of_reach_is_refused_before_the_secret_is_coded() {
    let folder = Folder::new();
    folder.picture("cover.png", 40, 40, 1);
    let mut random = 1_u32;
    let noise = Pixels::from_fn(1300, 1000, |_, _| {
        [(); 3].map(|()| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
    });
    folder.png("secret.png", noise.unwrap().into());
    let started = std::time::Instant::now();
    let ran = folder.run("hide cover.png secret.png -o c.png --revealed-db 60 --effort best");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("and the cover holds"), "{ran:?}");
    // Coding takes several times as long.
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
}
