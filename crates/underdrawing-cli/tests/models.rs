//! `models`, `inspect`, `import` and `export`.

mod common;

use common::{Folder, keys};

#[test]
fn inspects_a_model() {
    let (folder, model) = Folder::with_model();
    let ran = folder.run("inspect model.safetensors --json").done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "architecture",
            "bytes",
            "file",
            "id",
            "kind",
            "parameters",
            "training"
        ]
    );
    assert_eq!(report["kind"], "model");
    assert_eq!(report["id"], model.id().to_string());
    assert_eq!(report["parameters"], model.n_parameters());
    assert_eq!(report["architecture"]["kind"], "lifting");
    let text = folder.run("inspect model.safetensors").done().stdout;
    assert!(text.contains(&model.id().to_string()), "{text}");
}

#[test]
fn inspects_a_picture_and_a_container() {
    let (folder, model) = Folder::with_model();
    folder.picture("cover.png", 40, 20, 1);
    folder.picture("secret.png", 10, 20, 2);
    let ran = folder.run("inspect cover.png --json").done();
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "alpha",
            "conversions",
            "file",
            "format",
            "height",
            "icc_profile",
            "kind",
            "lossy",
            "mark",
            "width"
        ]
    );
    assert_eq!(
        (&report["format"], &report["width"]),
        (&"PNG".into(), &40.into())
    );
    assert!(report["mark"].is_null());
    folder
        .run("hide cover.png secret.png -o c.png --model model.safetensors")
        .done();
    let ran = folder.run("inspect c.png --json").done();
    let mark = &ran.json()[0]["mark"];
    assert_eq!(
        keys(mark),
        ["model", "secret_height", "secret_turned", "secret_width"]
    );
    assert_eq!(mark["model"], model.id().to_string());
    assert_eq!(
        (&mark["secret_width"], &mark["secret_turned"]),
        (&10.into(), &true.into())
    );
    let text = folder.run("inspect c.png").done().stdout;
    assert!(
        text.contains("hidden in it: a picture of 10x20, turned by 90 degrees"),
        "{text}"
    );
}

#[test]
fn refuses_to_inspect_what_is_neither() {
    let folder = Folder::new();
    folder.write("notes.txt", "neither");
    folder
        .run("inspect notes.txt")
        .failed("notes.txt is no picture, and cannot be read as a model");
}

#[test]
fn lists_models_one_a_line() {
    let folder = Folder::new();
    let ran = folder.run("models --json").done();
    for model in ran.json() {
        assert_eq!(
            keys(&model),
            [
                "architecture",
                "bytes",
                "description",
                "id",
                "name",
                "parameters"
            ]
        );
        let text = folder.run("models").done().stdout;
        assert!(text.contains(model["id"].as_str().unwrap()), "{text}");
    }
}
