//! Hiding and revealing by simple functions in place of networks.

use underdrawing_net::Rounding;

use super::*;
use crate::network::reveal::{Found, read_mark, reveal};
use crate::network::run::{Refiner, TILE_SIZE};
use crate::network::tile::Context;
use crate::picture::Limits;

const ID: ModelId = ModelId::from_bytes([9; 8]);

/// Both ways are one function of two windows.
struct Fake {
    hide: fn(Window, Window) -> Window,
    context: Context,
    /// Share of an error that goes to the pixel below; nearest without.
    diffused: f32,
}

impl Network for Fake {
    fn hiding_context(&self) -> Context {
        self.context
    }

    fn revealing_context(&self) -> Context {
        self.context
    }

    fn hide(&self, cover: &Window, secret: &Window) -> Window {
        assert_eq!((cover.width, cover.height), (secret.width, secret.height));
        (self.hide)(cover.clone(), secret.clone())
    }

    fn reveal(&self, container: &Window) -> Window {
        container.clone()
    }

    fn rounding(&self) -> Rounding {
        if self.diffused == 0.0 {
            return Rounding::nearest();
        }
        Rounding::diffusing(|neighbour, from, to| {
            let below = (neighbour == 4 && to == from + 6) || (neighbour == 1 && from == to + 6);
            if below { -self.diffused } else { 0.0 }
        })
    }
}

/// The context of a network that looks at single pixels.
const AT_ONE_PIXEL: Context = Context::Radius {
    radius: 0,
    channels: 1,
};

/// Contexts that bring tiles, padding and blending into play.
const CONTEXTS: [Context; 3] = [
    Context::Radius {
        radius: 5,
        channels: 1,
    },
    Context::Blended { side: 24 },
    Context::Blended { side: 128 },
];

fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [3, 5, 7].map(|step| (step * (x + seed) + y * y + x * y / 2) as u8)
    })
    .unwrap()
}

fn hidden(network: &Fake, cover: &Pixels, secret: &Pixels) -> Pixels {
    hidden_in_tiles(network, cover, secret, 16).unwrap()
}

fn hidden_in_tiles(
    network: &Fake,
    cover: &Pixels,
    secret: &Pixels,
    tile_size: usize,
) -> Result<Pixels, Error> {
    let options = RunOptions {
        tile_size,
        ..RunOptions::default()
    };
    let hidden = hide(network, ID, cover, secret, options, &mut Progress::ignore);
    hidden.map(|(container, _)| container)
}

/// Samples that differ, all of them by one grey level and only where the mark lies.
fn n_different(a: &Pixels, b: &Pixels) -> usize {
    let steps = a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b));
    steps
        .inspect(|step| assert!(*step <= 1))
        .filter(|step| *step == 1)
        .count()
}

#[test]
fn a_network_that_keeps_the_cover_changes_only_marked_samples() {
    for context in CONTEXTS {
        let network = Fake {
            hide: |cover, _| cover,
            context,
            diffused: 0.0,
        };
        for (width, height) in [(16, 16), (17, 16), (39, 51), (50, 20)] {
            let cover = picture(width, height, 1);
            let container = hidden(&network, &cover, &picture(5, 70, 2));
            let n = n_different(&container, &cover);
            assert!((40..=144).contains(&n), "{n} samples changed");
        }
    }
}

#[test]
fn a_network_that_shows_the_secret_gives_it_back() {
    for context in CONTEXTS {
        let network = Fake {
            hide: |_, secret| secret,
            context,
            diffused: 0.0,
        };
        for (cover, own) in [
            ((16, 16), (16, 16)),
            ((40, 26), (40, 26)),
            ((40, 26), (26, 40)),
        ] {
            let secret = picture(own.0, own.1, 2);
            let container = hidden(&network, &picture(cover.0, cover.1, 1), &secret);
            let mark = read_mark(&container).unwrap().unwrap();
            let found = Found::by_mark(&container, &mark, &Limits::default()).unwrap();
            let ignore = &mut Progress::ignore;
            let revealed = reveal(&network, &container, &found, TILE_SIZE, ignore).unwrap();
            assert!(n_different(&revealed, &secret) <= 144, "{cover:?} {own:?}");
        }
    }
}

#[test]
fn an_odd_edge_stays_the_covers() {
    let network = Fake {
        hide: |_, secret| secret,
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    };
    let (cover, secret) = (picture(33, 17, 1), picture(33, 17, 2));
    let container = hidden(&network, &cover, &secret);
    for x in 0..33 {
        for y in 0..17 {
            let from = if x == 32 || y == 16 { &cover } else { &secret };
            let (a, b) = (container.pixel(x, y), from.pixel(x, y));
            assert!(
                (0..3).all(|c| a[c].abs_diff(b[c]) <= 1),
                "column {x}, row {y}"
            );
        }
    }
    let (container, revealed) =
        float_pair(&network, ID, &cover, &secret, RunOptions::default()).unwrap();
    assert_eq!(container[3 * 32..3 * 33], cover.pixel(32, 0).map(f32::from));
    assert_eq!(revealed[3 * 32..3 * 33], revealed[3 * 31..3 * 32]);
}

/// Shows the secret; refining brightens the cover and darkens the secret by what stands in for
/// steps.
struct Refinable(Fake);

impl Network for Refinable {
    fn hiding_context(&self) -> Context {
        self.0.hiding_context()
    }

    fn revealing_context(&self) -> Context {
        self.0.revealing_context()
    }

    fn hide(&self, cover: &Window, secret: &Window) -> Window {
        self.0.hide(cover, secret)
    }

    fn reveal(&self, container: &Window) -> Window {
        self.0.reveal(container)
    }

    fn refiner(&self, steps: usize) -> Option<Box<Refiner<'_>>> {
        let by = steps as f32 / 255.0;
        let changed = |window: &Window, by: f32| {
            window.with_samples(window.samples.iter().map(|v| v + by).collect())
        };
        Some(Box::new(move |cover, secret| {
            [changed(cover, by), changed(secret, -by)]
        }))
    }
}

#[test]
fn what_was_refined_is_hidden_where_it_belongs() {
    let refining = RunOptions {
        refines: true,
        ..RunOptions::default()
    };
    for (shows_secret, expected) in [(false, 6), (true, -6)] {
        let network = Refinable(Fake {
            hide: if shows_secret {
                |_, secret| secret
            } else {
                |cover, _| cover
            },
            context: AT_ONE_PIXEL,
            diffused: 0.0,
        });
        // More than one window of refining in both directions.
        let grey = |seed: usize| {
            Pixels::from_fn(700, 350, |x, y| {
                [0, 1, 2].map(|c| 20 + ((3 * x + 5 * y + x * y / 7 + c + seed) % 200) as u8)
            })
        };
        let (cover, secret) = (grey(1).unwrap(), grey(50).unwrap());
        let by = |options| {
            let (container, _) = super::hide(
                &network,
                ID,
                &cover,
                &secret,
                options,
                &mut Progress::ignore,
            )
            .unwrap();
            container
        };
        let (plain, refined) = (by(RunOptions::default()), by(refining));
        let steps = plain.data().iter().zip(refined.data());
        let others = steps.filter(|(a, b)| i16::from(**b) - i16::from(**a) != expected);
        assert!(others.count() <= 144, "only marked samples may differ");
    }
}

#[test]
fn refining_counts_its_windows_and_hiding_as_one_more() {
    let network = Refinable(Fake {
        hide: |cover, _| cover,
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    });
    let options = RunOptions {
        tile_size: 64,
        refines: true,
        ..RunOptions::default()
    };
    let cover = picture(330, 100, 1);
    let mut seen = Vec::new();
    let mut count = |progress| {
        seen.push(progress);
        std::ops::ControlFlow::Continue(())
    };
    super::hide(&network, ID, &cover, &cover, options, &mut count).unwrap();
    seen.dedup();
    let expected = [0, 1, 2, 3].map(|done| Progress { done, total: 3 });
    assert_eq!(seen, expected);
}

#[test]
fn networks_that_cannot_be_refined_say_so() {
    let network = Fake {
        hide: |cover, _| cover,
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    };
    let options = RunOptions {
        refines: true,
        ..RunOptions::default()
    };
    let cover = picture(16, 16, 1);
    let hidden = hide(&network, ID, &cover, &cover, options, &mut Progress::ignore);
    assert_eq!(hidden.unwrap_err(), Error::Unrefinable { model: ID });
}

#[test]
fn samples_are_clamped_and_rounded_to_the_nearest() {
    let network = Fake {
        hide: |mut cover, _| {
            let n = cover.samples.len() as f32;
            for (i, sample) in cover.samples.iter_mut().enumerate() {
                *sample = (i as f32 / n * 300.0 - 20.0) / 255.0;
            }
            cover
        },
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    };
    let cover = picture(16, 16, 1);
    let container = hidden(&network, &cover, &cover);
    let (floats, _) = float_pair(&network, ID, &cover, &cover, RunOptions::default()).unwrap();
    let mut exact = 0;
    for (&byte, &float) in container.data().iter().zip(&floats) {
        let nearest = float.round().clamp(0.0, 255.0);
        exact += usize::from(f32::from(byte) == nearest);
        assert!((f32::from(byte) - float.clamp(0.0, 255.0)).abs() <= 1.001);
    }
    assert!(
        exact >= 768 - 144,
        "only marked samples may differ: {exact}"
    );
    assert!(floats.iter().any(|&v| v < -10.0) && floats.iter().any(|&v| v > 270.0));
}

#[test]
fn errors_of_rounding_go_on_from_tile_to_tile() {
    let network = Fake {
        hide: |mut cover, _| {
            cover
                .samples
                .iter_mut()
                .for_each(|v| *v = 0.7 * *v + 0.1003);
            cover
        },
        context: AT_ONE_PIXEL,
        diffused: 0.9,
    };
    let (cover, secret) = (picture(49, 71, 1), picture(20, 20, 2));
    let with = |tile_size| hidden_in_tiles(&network, &cover, &secret, tile_size).unwrap();
    assert!(with(16) == with(1024));
}

#[test]
fn small_covers_and_tiles_are_refused() {
    let network = Fake {
        hide: |cover, _| cover,
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    };
    let good = picture(16, 16, 1);
    for (cover, tile_size, message) in [
        (
            picture(15, 16, 1),
            64,
            "a cover of 15x16 is too small: expected at least 16x16",
        ),
        (
            picture(1, 1, 1),
            64,
            "a cover of 1x1 is too small: expected at least 16x16",
        ),
        (
            good.clone(),
            15,
            "tile size 15 is too small: expected at least 16",
        ),
    ] {
        let error = hidden_in_tiles(&network, &cover, &good, tile_size).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn sizes_and_marks_say_how_to_reveal() {
    let network = Fake {
        hide: |cover, _| cover,
        context: AT_ONE_PIXEL,
        diffused: 0.0,
    };
    let limits = Limits::default();
    let container = hidden(&network, &picture(20, 16, 1), &picture(9, 31, 2));
    let mark = read_mark(&container).unwrap().unwrap();
    assert_eq!(
        (mark.secret_width, mark.secret_height, mark.turned),
        (9, 31, true)
    );
    assert_eq!(mark.model, ID);
    for plain in [picture(20, 16, 1), picture(1, 1, 1), picture(15, 90, 1)] {
        assert_eq!(read_mark(&plain), Ok(None));
    }
    assert_eq!(
        Found::at_size(&picture(1, 1, 1), (5, 5), &limits),
        Err(Error::ContainerTooSmall {
            width: 1,
            height: 1,
            least: 16
        })
    );
    let by_mark = Found::by_mark(&container, &mark, &limits).unwrap();
    let at_size = Found::at_size(&container, (9, 31), &limits).unwrap();
    assert_eq!(
        at_size, by_mark,
        "a size needs no mark, and the turn follows the same rule"
    );
    let small = Limits {
        max_pixels: 9 * 31 - 1,
        ..limits
    };
    assert!(matches!(
        Found::by_mark(&container, &mark, &small),
        Err(Error::SecretTooLarge(_))
    ));
    for size in [(0, 5), (9, 31)] {
        let found = Found::at_size(&container, size, &small);
        assert!(matches!(found, Err(Error::Size(_))), "{found:?}");
    }
}
