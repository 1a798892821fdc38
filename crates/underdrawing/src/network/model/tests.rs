//! Models in tiles, and their ids.

use underdrawing_net::{HidingNetConfig, LiftingNetConfig, RevealNetConfig, Triple2017Config};

use super::*;
use crate::network::hide;
use crate::network::reveal::{Found, reveal};
use crate::network::run::{RunOptions, TILE_SIZE};
use crate::picture::{Limits, Pixels};
use crate::progress::Progress;

/// Networks that do much to a picture: in each layer a deviation that keeps a signal's size,
/// less in the last ones.
fn lively(architecture: Architecture) -> Model {
    let networks = Networks::new(architecture, 3).map(|param| {
        let values = &param.values;
        if param.shape.len() < 4 {
            return values.clone();
        }
        let fan_in: usize = param.shape[1..].iter().product();
        let gain = if param.name.ends_with("last.weight") {
            0.4
        } else {
            1.4
        };
        let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        if square == 0.0 {
            return values.clone(); // rounding that has not learned anything
        }
        let factor = gain / (fan_in as f32 * square).sqrt();
        values.iter().map(|v| factor * v).collect()
    });
    Model::new(networks, TrainingRecord::default())
}

fn lifting(blocks: usize) -> Architecture {
    Architecture::Lifting(LiftingNetConfig {
        blocks,
        width: 4,
        ..LiftingNetConfig::default()
    })
}

/// The same networks with another context; one that is blended stays.
struct Within<'a>(&'a Model, Context);

impl Network for Within<'_> {
    fn hiding_context(&self) -> Context {
        match self.0.hiding_context() {
            Context::Radius { .. } => self.1,
            blended => blended,
        }
    }

    fn revealing_context(&self) -> Context {
        self.1
    }

    fn hide(&self, cover: &Window, secret: &Window) -> Window {
        Network::hide(self.0, cover, secret)
    }

    fn reveal(&self, container: &Window) -> Window {
        Network::reveal(self.0, container)
    }

    fn rounding(&self) -> Rounding {
        self.0.rounding()
    }
}

fn picture(width: usize, height: usize, seed: u32) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [1u32, 2, 3].map(|channel| {
            let i = (x as u32 ^ (y as u32) << 8 ^ channel << 16 ^ seed << 20)
                .wrapping_mul(2_654_435_761);
            (i >> 24) as u8
        })
    })
    .unwrap()
}

fn largest_difference(a: &Pixels, b: &Pixels) -> u8 {
    let steps = a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b));
    steps.max().unwrap()
}

/// Container and revealed picture, in tiles of 24 or whole.
fn both(network: &dyn Network, id: ModelId, tile_size: usize) -> (Pixels, Pixels) {
    let (cover, secret) = (picture(90, 74, 1), picture(90, 74, 2));
    let hide = |tile_size| {
        let options = RunOptions {
            tile_size,
            ..RunOptions::default()
        };
        hide::hide(network, id, &cover, &secret, options, &mut Progress::ignore)
            .unwrap()
            .0
    };
    let whole = hide(TILE_SIZE);
    let found = Found::at_size(&whole, (90, 74), &Limits::default()).unwrap();
    let revealed = reveal(network, &whole, &found, tile_size, &mut Progress::ignore);
    (hide(tile_size), revealed.unwrap())
}

#[test]
fn tiles_agree_with_the_whole_picture() {
    struct Case {
        architecture: Architecture,
        too_narrow: usize,
        /// The U-Net's tiles are blended, so they differ.
        hides_exactly: bool,
    }
    for case in [
        Case {
            architecture: lifting(2),
            too_narrow: 8,
            hides_exactly: true,
        },
        Case {
            architecture: Architecture::Unet2018(Pair2018Config {
                hiding: HidingNetConfig { width: 2, depth: 2 },
                reveal: RevealNetConfig { width: 4 },
            }),
            too_narrow: 0,
            hides_exactly: false,
        },
        Case {
            architecture: Architecture::Dense2017(Triple2017Config { width: 4 }),
            too_narrow: 0,
            hides_exactly: true,
        },
    ] {
        let model = lively(case.architecture);
        let whole = both(&model, model.id(), 1024);
        let tiled = both(&model, model.id(), 24);
        let radius = case.too_narrow;
        let narrow = Within(
            &model,
            Context::Radius {
                radius,
                channels: 1,
            },
        );
        let narrow = both(&narrow, model.id(), 24);
        if case.hides_exactly {
            assert!(
                largest_difference(&whole.0, &tiled.0) <= 1,
                "{model:?} hides"
            );
            let narrow = largest_difference(&whole.0, &narrow.0);
            assert!(
                narrow > 1,
                "{model:?} hides: a margin of {radius} must not do"
            );
        }
        assert!(
            largest_difference(&whole.1, &tiled.1) <= 1,
            "{model:?} reveals"
        );
        let narrow = largest_difference(&whole.1, &narrow.1);
        assert!(
            narrow > 1,
            "{model:?} reveals: a margin of {radius} must not do"
        );
    }
}

#[test]
fn the_id_follows_parameters_and_architecture() {
    let model = lively(lifting(1));
    assert_eq!(model.id(), lively(lifting(1)).id());
    assert_ne!(model.id(), lively(lifting(2)).id());
    let mut value = Some(1.0);
    let other = model
        .networks()
        .map(|param| vec![value.take().unwrap_or(0.0); param.len()]);
    let other = Model::new(other, TrainingRecord::default());
    assert_ne!(model.id(), other.id());
}
