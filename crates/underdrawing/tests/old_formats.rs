//! Model files and containers of every release stay readable. `testdata/old/README.md` says how
//! the files were made.

use std::fs;
use std::path::PathBuf;

use underdrawing::{
    Balance, Comparison, Inspection, Limits, Model, ModelId, Password, Picture, Pixels, Progress,
    RevealOptions, inspect, reveal,
};
use underdrawing_net::{Architecture, LiftingNetConfig};

fn bytes(release: &str, name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/old");
    fs::read(folder.join(release).join(name)).expect("the file is committed")
}

fn pixels(release: &str, name: &str) -> Pixels {
    Picture::decode(&bytes(release, name), &Limits::default())
        .expect("it is a picture")
        .pixels
}

#[test]
fn files_of_0_1_0_open_and_reveal_the_same() {
    let model = Model::from_bytes(&bytes("0.1.0", "model.safetensors")).unwrap();
    let id: ModelId = "c66a05e6c55b2296".parse().unwrap();
    assert_eq!(model.id(), id, "the id is in every container");
    let architecture = Architecture::Lifting(LiftingNetConfig {
        blocks: 1,
        width: 4,
        shaping: false,
    });
    assert_eq!(model.architecture(), &architecture);
    let training = model.training();
    assert_eq!(training.config["note"], "untrained");
    assert_eq!((training.seed, training.steps), (2018, 0));
    let quality = training.quality.unwrap();
    assert_eq!(
        (quality.container_psnr_db, quality.revealed_psnr_db),
        (34.5, 3.25)
    );

    let container = pixels("0.1.0", "container.png");
    let found = Inspection::Network {
        secret_width: 21,
        secret_height: 33,
        turned: true,
        balance: Balance::EVEN,
        model: id,
    };
    assert_eq!(inspect(&container, None), Ok(found));
    let options = RevealOptions {
        models: vec![model],
        ..RevealOptions::default()
    };
    let revealed = reveal(&container, &options, &mut Progress::ignore).unwrap();
    let comparison = Comparison::of(&revealed.picture, &pixels("0.1.0", "revealed.png")).unwrap();
    assert!(comparison.max_difference <= 1, "{comparison:?}");
}

#[test]
fn coded_containers_reveal_the_same_to_the_last_bit() {
    for (version, effort) in [
        ("0.1.0", "fast"),
        ("0.1.0", "normal"),
        ("0.1.0", "best"),
        ("0.2.0", "best"),
    ] {
        for (name, password) in [
            ("colours", Some(Password::new("correct horse"))),
            ("grey", None),
            ("flat", None),
        ] {
            let options = RevealOptions {
                password,
                ..RevealOptions::default()
            };
            let container = pixels(version, &format!("{effort}_{name}_container.png"));
            let found = reveal(&container, &options, &mut Progress::ignore).unwrap();
            let expected = pixels(version, &format!("{effort}_{name}_revealed.png"));
            assert_eq!(found.picture, expected, "{version} {effort} {name}");
        }
    }
}

#[test]
fn robust_containers_reveal_the_same() {
    for (name, password) in [
        (
            "robust_pixels_container.png",
            Some(Password::new("correct horse")),
        ),
        ("robust_jpeg_container.jpg", None),
    ] {
        let options = RevealOptions {
            password,
            ..RevealOptions::default()
        };
        let found = reveal(&pixels("0.2.0", name), &options, &mut Progress::ignore).unwrap();
        let (kind, _) = name.split_once("_container").unwrap();
        let expected = pixels("0.2.0", &format!("{kind}_revealed.png"));
        let comparison = Comparison::of(&found.picture, &expected).unwrap();
        // The restoring network works in floats.
        assert!(comparison.max_difference <= 1, "{name} {comparison:?}");
    }
}
