//! Whatever is wrong with the input: a clear error, exit code 2, and nothing half-written.

mod common;

use common::{Folder, png_header};

const MODEL: &str = "--model model.safetensors";

/// A folder with what a good run needs, and the damaged files of the tests.
fn folder() -> Folder {
    let (folder, _) = Folder::with_model();
    folder.picture("cover.png", 24, 20, 1);
    folder.picture("secret.png", 24, 20, 2);
    folder
}

/// Runs each command line, expects the error, and expects no file to come or go.
#[track_caller]
fn all_fail(folder: &Folder, cases: &[(&str, &str)]) {
    let before = folder.names();
    for (arguments, expected) in cases {
        folder.run(arguments).failed(expected);
        assert_eq!(folder.names(), before, "{arguments}");
    }
}

#[test]
fn damaged_pictures() {
    let folder = folder();
    let png = folder.read("cover.png");
    folder.write("truncated.png", &png[..png.len() / 2]);
    let mut corrupt = png;
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 40].fill(0x5a);
    folder.write("corrupt.png", &corrupt);
    folder.write("empty.png", "");
    folder.write("text.png", "this is not a picture");
    folder.write("header.png", png_header(60_000, 60_000));
    folder.picture("dot.png", 1, 1, 1);
    folder.write("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1");
    for (name, expected) in [
        ("truncated.png", "PNG file"),
        ("corrupt.png", "PNG file"),
        ("empty.png", "an empty file"),
        ("text.png", "not a picture file"),
        ("header.png", "60000x60000 is too large"),
        ("photo.heic", "HEIC is not supported"),
        ("nosuch.png", "No such file"),
        (".", "it is a folder"),
    ] {
        let name_in_error = format!(" {name}: ");
        let hide_cover = format!("hide {name} secret.png -o out.png {MODEL}");
        let hide_secret = format!("hide cover.png {name} -o out.png {MODEL}");
        let reveal = format!("reveal {name} -o out.png {MODEL}");
        let compare = format!("compare cover.png {name}");
        let mut lines = vec![compare];
        if name != "." {
            lines.extend([hide_cover, hide_secret, reveal]);
        }
        for line in lines {
            all_fail(&folder, &[(&line, expected), (&line, &name_in_error)]);
        }
    }
    all_fail(
        &folder,
        &[(
            &format!("hide dot.png secret.png -o out.png {MODEL}"),
            "a cover of 1x1 is too small",
        )],
    );
    // A secret may be as small as it likes.
    folder
        .run(&format!("hide cover.png dot.png -o out.png {MODEL}"))
        .done();
}

#[test]
fn damaged_models() {
    let folder = folder();
    let model = folder.read("model.safetensors");
    folder.write("truncated.safetensors", &model[..model.len() - 1]);
    folder.write("short.safetensors", &model[..5]);
    folder.write("empty.safetensors", "");
    folder.write("long.safetensors", [&model[..], b"more"].concat());
    let mut huge = model.clone();
    huge[..8].fill(0xff);
    folder.write("huge.safetensors", &huge);
    let mut nan = model;
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    folder.write("nan.safetensors", &nan);
    for (name, expected) in [
        ("truncated.safetensors", "model file is truncated"),
        ("short.safetensors", "model file is truncated"),
        ("empty.safetensors", "model file is truncated"),
        ("long.safetensors", "model file is too long"),
        ("huge.safetensors", "is too long"),
        ("nan.safetensors", "expected a finite number"),
        (
            "cover.png",
            "not a model file: expected safetensors, found a PNG picture",
        ),
        ("nosuch.safetensors", "no model nosuch.safetensors"),
    ] {
        all_fail(
            &folder,
            &[
                (
                    &format!("hide cover.png secret.png -o out.png --model {name}"),
                    expected,
                ),
                (
                    &format!("reveal cover.png -o out.png --size 4x4 --model {name}"),
                    expected,
                ),
            ],
        );
        if name == "empty.safetensors" {
            all_fail(
                &folder,
                &[(&format!("inspect {name}"), "neither a picture nor a model")],
            );
        } else if !matches!(name, "cover.png" | "nosuch.safetensors") {
            all_fail(&folder, &[(&format!("inspect {name}"), expected)]);
        }
    }
}

#[cfg(unix)]
#[test]
fn names_obey_no_terminal() {
    let folder = Folder::new();
    let name = "\u{1b}[31mred\n\u{7f}.png";
    folder.picture(name, 20, 20, 1);
    let ran = folder.shell(&format!("\"$U\" reveal '{name}' -o r.png"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let shown = "\\u{1b}[31mred\\n\\u{7f}.png";
    assert!(
        ran.stderr.contains(&format!("nothing found in {shown}: ")),
        "{ran:?}"
    );
    let ran = folder.shell(&format!("\"$U\" inspect '{name}'"));
    assert!(
        ran.stdout.starts_with(&format!("{shown}: PNG picture")),
        "{ran:?}"
    );
    // A script gets the name as it is.
    let ran = folder.shell(&format!("\"$U\" inspect --json '{name}'"));
    assert_eq!(ran.json()[0]["file"], name);
    folder.write("\u{1b}[31m/notes.txt", "no picture");
    let ran = folder.shell("\"$U\" reveal \"$(printf '\\033[31m')\" -o r");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("\\u{1b}[31m") && !ran.stderr.contains('\u{1b}'),
        "{ran:?}"
    );
}

#[test]
fn impossible_outputs() {
    let folder = folder();
    folder.write("file", "");
    folder.write("folder/inside", "");
    let hide = |output: &str| format!("hide cover.png secret.png -o {output} {MODEL}");
    all_fail(
        &folder,
        &[
            (&hide("file/out.png"), "file is a file, expected a folder"),
            (&hide("nosuch/out.png"), "nosuch does not exist"),
            (&hide("folder.png/"), "folder.png"),
            (
                &hide("cover.png"),
                "cover.png is an input and would be overwritten",
            ),
            (
                &hide("./secret.png"),
                "./secret.png is an input and would be overwritten",
            ),
            (
                &format!("{} --force", hide("cover.png")),
                "is an input and would be overwritten",
            ),
            (
                &format!("reveal cover.png -o cover.png --force {MODEL}"),
                "is an input and would be overwritten",
            ),
            (
                &format!("{} --sheet secret.png --force", hide("out.png")),
                "is an input and would be overwritten",
            ),
            (
                &format!("hide folder . -o file {MODEL}"),
                "holds no pictures",
            ),
            (
                &format!("hide . . -o file {MODEL}"),
                "cannot write into file: it is a file",
            ),
            (
                &format!("hide . . -o . --force {MODEL}"),
                "is an input and would be overwritten",
            ),
        ],
    );
}

#[test]
fn an_existing_file_needs_force() {
    let folder = folder();
    folder.write("out.png", "precious");
    let line = format!("hide cover.png secret.png -o out.png {MODEL}");
    let ran = folder.run(&line).failed("out.png exists already");
    assert!(
        ran.stderr.ends_with("hint: --force replaces it\n"),
        "{ran:?}"
    );
    assert_eq!(folder.read("out.png"), b"precious");
    folder.run(&format!("{line} --force")).done();
    assert!(folder.read("out.png").starts_with(b"\x89PNG"));
    // A failed run with --force leaves what was there.
    let good = folder.read("out.png");
    folder.write("damaged.png", "damaged");
    folder
        .run(&format!(
            "hide damaged.png secret.png -o out.png --force {MODEL}"
        ))
        .failed("damaged.png");
    assert_eq!(folder.read("out.png"), good);
}

#[test]
fn a_gpu_that_is_not_built_in() {
    if cfg!(any(feature = "cuda", feature = "vulkan", feature = "wgpu")) {
        return;
    }
    let folder = folder();
    all_fail(
        &folder,
        &[(
            &format!("hide cover.png secret.png -o out.png --device gpu {MODEL}"),
            "this build has no GPU support",
        )],
    );
}

#[cfg(unix)]
#[test]
fn a_file_size_limit_hit_while_writing() {
    let folder = folder();
    folder.picture("large.png", 200, 200, 1);
    folder.write("old.png", "precious");
    let before = folder.names();
    for output in ["out.png", "old.png --force"] {
        // One block of 512 or 1024 bytes, as the shell has it.
        folder
            .shell(&format!(
                "ulimit -f 1; exec \"$U\" hide large.png secret.png -o {output} {MODEL}"
            ))
            .failed("File too large");
        assert_eq!(folder.names(), before, "{output}");
    }
    assert_eq!(folder.read("old.png"), b"precious");
}

#[cfg(unix)]
#[test]
fn an_endless_input_is_cut_off() {
    let folder = folder();
    let line = format!("hide /dev/zero secret.png -o out.png {MODEL}");
    all_fail(&folder, &[(&line, "not a picture file")]);
}
