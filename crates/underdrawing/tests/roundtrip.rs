//! Every size goes through hiding and revealing, every model through its file.

mod common;

use std::ops::ControlFlow;
use std::sync::LazyLock;

use common::{model, one_of_each, picture};
use proptest::prelude::*;
use underdrawing::{
    Balance, ErrorKind, HiddenDetails, HideOptions, Inspection, Model, NetworkOptions, Precision,
    Progress, RevealOptions, hide, inspect, reveal,
};

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
        let options = NetworkOptions { tile_size, ..NetworkOptions::new(model.clone()) };
        let options = HideOptions::Network(options);
        let hidden = hide(&cover, &secret, &options, &mut Progress::ignore).unwrap();
        let container = &hidden.container;
        prop_assert_eq!((container.width(), container.height()), (cover.width(), cover.height()));

        let lying = |picture: &underdrawing::Pixels| picture.width().cmp(&picture.height());
        let sides = lying(&cover) as i8 * lying(&secret) as i8;
        let expected = HiddenDetails::Network {
            model: model.id(),
            turned: sides < 0,
            resized: (secret.width(), secret.height()) != (cover.width(), cover.height())
                && (secret.height(), secret.width(), -1) != (cover.width(), cover.height(), sides),
        };
        prop_assert_eq!(&hidden.details, &expected);
        let found = Inspection::Network {
            secret_width: secret.width(),
            secret_height: secret.height(),
            turned: sides < 0,
            balance: Balance::EVEN,
            model: model.id(),
        };
        prop_assert_eq!(inspect(container, None), Ok(found.clone()));

        let revealed = reveal(container, &options.to_reveal(), &mut Progress::ignore).unwrap();
        prop_assert_eq!((revealed.picture.width(), revealed.picture.height()), (secret.width(), secret.height()));
        prop_assert_eq!(revealed.found, found);

        let again = hide(&cover, &secret, &options, &mut Progress::ignore).unwrap();
        prop_assert_eq!(&again, &hidden, "the same arguments give the same container");

        let HideOptions::Network(options) = &options else { unreachable!() };
        let pair = options.float_pair(&cover, &secret).unwrap();
        prop_assert_eq!(pair.0.len(), cover.data().len());
        prop_assert_eq!(pair.1.len(), secret.data().len());
    }

    #[test]
    fn plain_pictures_reveal_something_at_the_size_asked_for(
        container in (16usize..=70, 16usize..=70),
        size in (1usize..=70, 1usize..=70),
        seed in 0usize..100,
    ) {
        let container = picture(container.0, container.1, seed);
        let mut options = RevealOptions { models: vec![MODELS[0].clone()], ..RevealOptions::default() };
        let plain = reveal(&container, &options, &mut Progress::ignore);
        prop_assert_eq!(plain.unwrap_err().kind(), ErrorKind::NothingFound);
        options.size = Some(size);
        let revealed = reveal(&container, &options, &mut Progress::ignore).unwrap();
        prop_assert_eq!((revealed.picture.width(), revealed.picture.height()), size);
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
fn progress_counts_the_tiles_and_stops_where_it_is_told_to() {
    let (cover, secret) = (picture(64, 40, 1), picture(9, 9, 2));
    let options = HideOptions::Network(NetworkOptions {
        tile_size: 32,
        ..NetworkOptions::new(MODELS[0].clone())
    });
    let mut steps = Vec::new();
    let mut count = |Progress { done, total }| {
        steps.push((done, total));
        ControlFlow::Continue(())
    };
    let hidden = hide(&cover, &secret, &options, &mut count).unwrap();
    assert_eq!(steps, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    steps.clear();
    let mut count = |Progress { done, total }| {
        steps.push((done, total));
        ControlFlow::Continue(())
    };
    let revealing = RevealOptions {
        models: vec![MODELS[0].clone()],
        ..RevealOptions::default()
    };
    reveal(&hidden.container, &revealing, &mut count).unwrap();
    assert_eq!(steps, [(1, 1)]);

    let mut calls = 0;
    let mut stop = |_| {
        calls += 1;
        ControlFlow::Break(())
    };
    let stopped = hide(&cover, &secret, &options, &mut stop);
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    let stopped = reveal(&hidden.container, &revealing, &mut stop);
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(calls, 2);
}
