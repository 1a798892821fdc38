//! `demo`: the first thing a newcomer runs.

mod common;

use common::{Folder, keys};

const FILES: [&str; 6] = [
    "container.png",
    "cover.png",
    "difference.png",
    "revealed.png",
    "secret.png",
    "sheet.png",
];

#[test]
fn shows_what_arrives_where_it_is_to_survive() {
    let folder = Folder::new();
    let line = "demo -o look --survive 75 --effort fast";
    let text = folder.run(line).done().stdout;
    assert!(text.contains("JPEG of quality 75"), "{text}");
    folder.run("reveal look/sent.jpg -o again.png").done();
    folder.run("compare look/revealed.png again.png").done();
}

#[test]
fn hides_with_the_password_of_the_variable() {
    let folder = Folder::new();
    folder
        .shell("UNDERDRAWING_PASSWORD=word \"$U\" demo -o look --effort fast")
        .done();
    let ran = folder.run("reveal look/container.png -o r.png");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    folder.write("password.txt", "word");
    folder
        .run("reveal look/container.png -o r.png --password-file password.txt")
        .done();
}

#[test]
fn writes_all_pictures_and_says_where_to_look() {
    let (folder, _) = Folder::with_model();
    let line = "demo -o look --model model.safetensors";
    let text = folder.run(line).done().stdout;
    assert!(
        text.contains("container against cover") && text.contains("look/sheet.png"),
        "{text}"
    );
    let mut expected: Vec<_> = FILES.iter().map(|name| format!("look/{name}")).collect();
    expected.extend(["look".to_owned(), "model.safetensors".to_owned()]);
    expected.sort();
    assert_eq!(folder.names(), expected);

    // The figures are those of the written files.
    let ran = folder.run(&format!("{line} --json")).done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "container_psnr_db",
            "container_ssim",
            "folder",
            "method",
            "model",
            "revealed_psnr_db",
            "revealed_ssim",
            "secret_turned"
        ]
    );
    let ran = folder
        .run("compare look/cover.png look/container.png --json")
        .done();
    assert_eq!(ran.json()[0]["psnr_db"], report["container_psnr_db"]);
    let ran = folder
        .run("compare look/secret.png look/revealed.png --json")
        .done();
    assert_eq!(ran.json()[0]["psnr_db"], report["revealed_psnr_db"]);

    // A second run finds its own files; other files are not replaced.
    folder.write("look/sheet.png", "precious");
    folder.run(line).failed("look/sheet.png exists already");
    folder.run(&format!("{line} --force")).done();
}
