//! Every size goes through hiding and revealing, every model through its file.

mod common;

use std::sync::LazyLock;

use common::{model, one_of_each, picture};
use proptest::prelude::*;
use underdrawing::{Balance, HideOptions, Model, Precision, RevealOptions, read_mark};

static MODELS: LazyLock<[Model; 3]> = LazyLock::new(one_of_each);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_comes_back_in_its_own_size(
        which in 0usize..3,
        cover in (16usize..=70, 16usize..=70),
        secret in (1usize..=70, 1usize..=70),
        tile_size in 16usize..=80,
        seed in 0usize..100,
    ) {
        let model = &MODELS[which];
        let (cover, secret) = (picture(cover.0, cover.1, seed), picture(secret.0, secret.1, seed + 1));
        let container = model.hide(&cover, &secret, &HideOptions { tile_size, ..HideOptions::default() }).unwrap();
        prop_assert_eq!((container.width(), container.height()), (cover.width(), cover.height()));

        let mark = read_mark(&container).expect("the mark is readable");
        prop_assert_eq!((mark.secret_width, mark.secret_height), (secret.width(), secret.height()));
        prop_assert_eq!(mark.model, model.id());

        let revealed = model.reveal(&container, &RevealOptions { tile_size, size: None }).unwrap();
        prop_assert_eq!((revealed.width(), revealed.height()), (secret.width(), secret.height()));

        let again = model.hide(&cover, &secret, &HideOptions { tile_size, ..HideOptions::default() }).unwrap();
        prop_assert_eq!(again, container, "the same arguments give the same container");

        let pair = model.float_pair(&cover, &secret, Balance::EVEN).unwrap();
        prop_assert_eq!(pair.container.len(), cover.data().len());
        prop_assert_eq!(pair.revealed.len(), secret.data().len());
    }

    #[test]
    fn plain_pictures_reveal_something_at_the_size_asked_for(
        container in (16usize..=70, 16usize..=70),
        size in (1usize..=70, 1usize..=70),
        seed in 0usize..100,
    ) {
        let container = picture(container.0, container.1, seed);
        prop_assert!(MODELS[0].reveal(&container, &RevealOptions::default()).is_err());
        let options = RevealOptions { size: Some(size), ..RevealOptions::default() };
        let revealed = MODELS[0].reveal(&container, &options).unwrap();
        prop_assert_eq!((revealed.width(), revealed.height()), size);
    }

    #[test]
    fn a_model_comes_back_from_its_file(blocks in 1usize..=3, width in 1usize..=6) {
        let original = model(blocks, width);
        let full = original.to_bytes(Precision::Full);
        let read = Model::from_bytes(&full).unwrap();
        prop_assert_eq!(read.id(), original.id());
        prop_assert_eq!(read.to_bytes(Precision::Full), full);

        let half = original.to_bytes(Precision::Half);
        let rounded = Model::from_bytes(&half).unwrap();
        prop_assert_ne!(rounded.id(), original.id(), "a rounded model is another");
        prop_assert_eq!(rounded.to_bytes(Precision::Half), half);
        let widened = Model::from_bytes(&rounded.to_bytes(Precision::Full)).unwrap();
        prop_assert_eq!(widened.id(), rounded.id());
    }
}

#[test]
fn models_of_every_architecture_come_back_from_their_files() {
    for model in MODELS.iter() {
        for precision in [Precision::Full, Precision::Half] {
            let bytes = model.to_bytes(precision);
            let read = Model::from_bytes(&bytes).unwrap();
            assert_eq!(read.architecture(), model.architecture());
            assert_eq!(read.to_bytes(precision), bytes, "{model:?}");
        }
    }
}

#[test]
fn progress_counts_the_tiles() {
    let (cover, secret) = (picture(64, 40, 1), picture(9, 9, 2));
    let mut steps = Vec::new();
    let container = MODELS[0]
        .hide_with_progress(
            &cover,
            &secret,
            &HideOptions {
                tile_size: 32,
                ..HideOptions::default()
            },
            &mut |done, total| {
                steps.push((done, total));
            },
        )
        .unwrap();
    assert_eq!(steps, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    steps.clear();
    MODELS[0]
        .reveal_with_progress(&container, &RevealOptions::default(), &mut |done, total| {
            steps.push((done, total));
        })
        .unwrap();
    assert_eq!(steps, [(1, 1)]);
}
