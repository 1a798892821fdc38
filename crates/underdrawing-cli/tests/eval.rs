//! `eval`: figures through written files, and their exact names.

mod common;

use common::{Folder, keys};

const FIGURES: [&str; 12] = [
    "container_apd",
    "container_psnr_db",
    "container_ssim",
    "float_container_apd",
    "float_container_psnr_db",
    "float_container_ssim",
    "float_revealed_apd",
    "float_revealed_psnr_db",
    "float_revealed_ssim",
    "revealed_apd",
    "revealed_psnr_db",
    "revealed_ssim",
];

fn pairs() -> Folder {
    let (folder, _) = Folder::with_model();
    for (i, name) in ["1a", "1b", "2a", "2b"].into_iter().enumerate() {
        folder.picture(&format!("pairs/{name}.png"), 24 + 2 * i, 20, i);
    }
    folder
}

#[test]
fn prints_one_object_a_pair_and_the_mean() {
    let folder = pairs();
    let ran = folder
        .run("eval pairs --json --model model.safetensors")
        .done();
    let lines = ran.json();
    assert_eq!(lines.len(), 3);
    for line in &lines[..2] {
        let mut expected = FIGURES.to_vec();
        expected.extend(["cover", "secret"]);
        expected.sort_unstable();
        assert_eq!(keys(line), expected);
    }
    assert_eq!(lines[0]["cover"], "pairs/1a.png");
    assert_eq!(lines[1]["secret"], "pairs/2b.png");
    assert_eq!(keys(&lines[2]), ["mean"]);
    let mean = &lines[2]["mean"];
    let mut expected = FIGURES.to_vec();
    expected.extend(["identical", "pairs"]);
    expected.sort_unstable();
    assert_eq!(keys(mean), expected);
    assert_eq!((&mean["identical"], &mean["pairs"]), (&0.into(), &2.into()));
    for figure in FIGURES {
        let value = |line: &serde_json::Value| line[figure].as_f64().unwrap();
        let expected = (value(&lines[0]) + value(&lines[1])) / 2.0;
        assert!((value(mean) - expected).abs() < 1e-9, "{figure}");
    }
}

#[test]
fn measures_what_hide_reveal_and_compare_do() {
    let folder = pairs();
    let ran = folder
        .run("eval pairs --limit 1 --json --model model.safetensors")
        .done();
    let line = &ran.json()[0];
    folder
        .run("hide pairs/1a.png pairs/1b.png -o c.png --model model.safetensors")
        .done();
    folder
        .run("reveal c.png -o r.png --model model.safetensors")
        .done();
    for (a, b, name) in [
        ("pairs/1a.png", "c.png", "container"),
        ("pairs/1b.png", "r.png", "revealed"),
    ] {
        let compared = folder.run(&format!("compare {a} {b} --json")).done();
        let compared = &compared.json()[0];
        for figure in ["psnr_db", "ssim", "apd"] {
            assert_eq!(
                line[format!("{name}_{figure}")],
                compared[figure],
                "{name} {figure}"
            );
        }
    }
}

#[test]
fn pairs_two_folders_by_name() {
    let folder = pairs();
    folder.picture("covers/x.png", 20, 20, 1);
    folder.picture("secrets/y.png", 16, 30, 2);
    let line = "eval --covers covers --secrets secrets --model model.safetensors";
    let ran = folder.run(&format!("{line} --json")).done();
    assert_eq!(ran.json().len(), 2);
    assert_eq!(ran.json()[0]["secret"], "secrets/y.png");
    let table = folder.run(line).done().stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.contains("\nx + y ") && table.contains("\nmean of 1 "),
        "{table}"
    );
}

#[test]
fn refuses_folders_that_do_not_pair() {
    let folder = pairs();
    folder.picture("odd/1.png", 20, 20, 1);
    folder.write("empty/readme.txt", "");
    folder.run("eval --covers pairs").failed("--secrets <DIR>");
    for (arguments, expected) in [
        ("eval", "or --covers DIR and --secrets DIR"),
        ("eval odd", "expected an even number"),
        ("eval empty", "holds no pictures"),
        ("eval nosuch", "nosuch is not a folder"),
        ("eval --covers odd --secrets pairs", "1 cover and 4 secrets"),
        (
            "eval --covers pairs --secrets odd",
            "4 covers and 1 secret:",
        ),
    ] {
        folder
            .run(&format!("{arguments} --model model.safetensors"))
            .failed(expected);
    }
}
