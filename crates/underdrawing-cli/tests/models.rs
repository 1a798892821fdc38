//! `models`, `inspect`, `import` and `export`.

mod common;

use common::{Folder, keys};
use underdrawing::{Model, Precision, TrainingRecord};
use underdrawing_net::{Architecture, HidingNetConfig, Networks, Pair2018Config, RevealNetConfig};

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
    // Scripts tell by the exit code that nothing is hidden.
    let ran = folder.run("inspect cover.png --json");
    assert_eq!((ran.code, &*ran.stderr), (Some(1), ""), "{ran:?}");
    let report = &ran.json()[0];
    assert_eq!(
        keys(report),
        [
            "alpha",
            "conversions",
            "file",
            "format",
            "height",
            "hidden",
            "icc_profile",
            "kind",
            "lossy",
            "width"
        ]
    );
    assert_eq!(
        (&report["format"], &report["width"]),
        (&"PNG".into(), &40.into())
    );
    assert!(report["hidden"].is_null());
    folder
        .run("hide cover.png secret.png -o c.png --model model.safetensors --balance -2")
        .done();
    let ran = folder.run("inspect c.png --json").done();
    let hidden = &ran.json()[0]["hidden"];
    assert_eq!(
        keys(hidden),
        [
            "balance",
            "method",
            "model",
            "secret_height",
            "secret_turned",
            "secret_width"
        ]
    );
    assert_eq!(hidden["balance"], -2);
    assert_eq!(hidden["model"], model.id().to_string());
    assert_eq!(
        (&hidden["secret_width"], &hidden["secret_turned"]),
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
        .failed("neither a picture nor a model: not a picture file");
}

#[test]
fn lists_models_one_a_line() {
    let folder = Folder::new();
    let ran = folder.run("models --json").done();
    assert!(!ran.json().is_empty(), "a model is built in");
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

/// A 2018 system of the smallest width.
fn small_2018() -> Model {
    let config = Pair2018Config {
        hiding: HidingNetConfig { width: 2, depth: 3 },
        reveal: RevealNetConfig { width: 2 },
    };
    let architecture = Architecture::Unet2018(config);
    let networks = Networks::new(architecture, 3);
    Model::new(networks, TrainingRecord::default())
}

#[test]
fn exports_weights_and_imports_them_again() {
    let folder = Folder::new();
    let model = small_2018();
    folder.write("2018.safetensors", model.to_bytes(Precision::Full));
    folder.run("export 2018.safetensors -o weights").done();
    let line = "import weights/netH.pth weights/netR.pth -o";
    folder.run(&format!("{line} again.safetensors")).done();
    assert_eq!(
        folder.read("again.safetensors"),
        folder.read("2018.safetensors")
    );
    let ran = folder
        .run(&format!("{line} half.safetensors --half"))
        .done();
    let half = folder.read("half.safetensors");
    assert!(half.len() < folder.read("again.safetensors").len() * 2 / 3);
    let id = Model::from_bytes(&half).unwrap().id();
    assert!(
        ran.stderr.contains(&id.to_string()),
        "the id of what was written: {ran:?}"
    );
}

#[test]
fn exports_onnx_beside_pictures_to_test_with() {
    let folder = Folder::new();
    folder.write("2018.safetensors", small_2018().to_bytes(Precision::Full));
    for model in ["2018.safetensors", "lifting-5"] {
        folder
            .run(&format!("export {model} --onnx -o out/{model}"))
            .done();
        for (network, inputs) in [("hiding", 2), ("reveal", 1)] {
            let read = |name: &str| folder.read(&format!("out/{model}/{network}/{name}"));
            // The first field: IR version 8.
            assert_eq!(read("model.onnx")[..2], [0x08, 8]);
            for set in [0, 1] {
                let size = |name: &str| read(&format!("test_data_set_{set}/{name}.pb")).len();
                let output = size("output_0");
                for input in 0..inputs {
                    // As large, but for the names inside.
                    assert!(size(&format!("input_{input}")).abs_diff(output) < 10);
                }
            }
        }
    }
    let again = folder.run("export lifting-5 --onnx -o out/lifting-5");
    again.failed("exists already");
}

#[test]
fn refuses_the_wrong_weights() {
    let (folder, _) = Folder::with_model();
    folder.write("2018.safetensors", small_2018().to_bytes(Precision::Full));
    folder.run("export 2018.safetensors -o w").done();
    let mut truncated = folder.read("w/netR.pth");
    truncated.truncate(truncated.len() / 2);
    folder.write("truncated.pth", truncated);
    let before = folder.names();
    for (arguments, expected) in [
        ("import w/netR.pth w/netH.pth -o out", "netH"),
        ("import w/netH.pth truncated.pth -o out", "netR"),
        ("import model.safetensors w/netR.pth -o out", "netH"),
        (
            "import w/netH.pth w/netR.pth -o w/netR.pth --force",
            "is an input and would be overwritten",
        ),
        (
            "import w/netH.pth w/netR.pth -o 2018.safetensors",
            "exists already",
        ),
        (
            "import w/nosuch.pth w/netR.pth -o out",
            "w/nosuch.pth: No such file",
        ),
        (
            "export model.safetensors -o out",
            "expected a model of the 2018 system",
        ),
        (
            "export w/netH.pth -o out",
            "failed to read model w/netH.pth",
        ),
        ("export 2018.safetensors -o w", "w/netH.pth exists already"),
        (
            "export 2018.safetensors -o 2018.safetensors",
            "it is a file, expected a folder",
        ),
    ] {
        folder.run(arguments).failed(expected);
        assert_eq!(folder.names(), before, "{arguments}");
    }
}
