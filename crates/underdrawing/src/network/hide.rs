//! Hiding: cover and secret through a network to a marked 8-bit container.

use thiserror::Error;

use crate::network::balance::Balance;
use crate::network::mark::{Mark, nearest_with_bit};
use crate::network::model_id::ModelId;
use crate::network::placement::{Placement, turns};
use crate::network::run::{
    DEFAULT_TILE_SIZE, LEAST_SIDE, Network, TileSizeError, check_tile_size, reveal_window, source,
    tiling, write, write_floats,
};
use crate::network::tile::{Sample, Source, Window};
use crate::picture::Floats;
use crate::picture::Pixels;

/// How to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HideOptions {
    /// Largest side in pixels of the tiles that large pictures are processed in, at least 16. It
    /// changes which way some samples are rounded, and no quality. Wide networks get smaller
    /// tiles, so that memory stays bounded; those that see more than a tile (the U-Net) have tiles
    /// of their own.
    pub tile_size: usize,
    /// Whether the container or the revealed picture comes out better.
    pub balance: Balance,
}

impl Default for HideOptions {
    fn default() -> Self {
        Self {
            tile_size: DEFAULT_TILE_SIZE,
            balance: Balance::EVEN,
        }
    }
}

/// Why nothing was hidden.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HideError {
    /// The cover has too few pixels for the networks and the mark.
    #[error(
        "a cover of {width}x{height} is too small: expected at least {LEAST_SIDE}x{LEAST_SIDE}"
    )]
    CoverTooSmall {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// The tile size is too small.
    #[error(transparent)]
    TileSize(#[from] TileSizeError),
}

/// Container and revealed picture as the networks compute them, never rounded or clamped.
///
/// Papers publish such figures; what a user gets went through 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatPair {
    /// Samples of the container, 0 to 255 (some may lie outside), RGB interleaved, in the cover's
    /// size, without a mark.
    pub container: Vec<f32>,
    /// Samples of the revealed picture, likewise, in the secret's size.
    pub revealed: Vec<f32>,
}

/// Hides `secret` in `cover`; see [`Model::hide`](crate::Model::hide).
pub(crate) fn hide(
    network: &dyn Network,
    model: ModelId,
    cover: &Pixels,
    secret: &Pixels,
    options: &HideOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Pixels, HideError> {
    check_tile_size(options.tile_size)?;
    let placement = placement(cover, secret)?;
    let mark = Mark {
        secret_width: secret.width(),
        secret_height: secret.height(),
        turned: placement.turned,
        balance: options.balance,
        model,
    };
    // An odd last column or row keeps the cover's samples.
    let mut container = cover.clone();
    let marked: Vec<(usize, u8)> = mark.bits(container.data().len()).collect();
    for &(place, bit) in &marked {
        let sample = &mut container.data_mut()[place];
        *sample = nearest_with_bit((*sample).into(), bit);
    }
    let width = container.width();
    let rounding = network.rounding();
    let mut rounder = rounding.rounder(placement.working().0);
    hide_windows(
        network,
        &placement,
        cover,
        secret,
        options,
        &mut |y, strip| {
            let bytes = rounder.rows(&strip.samples);
            write(container.data_mut(), width, y, strip, &bytes, |v| v);
            write_marked(container.data_mut(), width, y, strip, &marked);
        },
        progress,
    );
    Ok(container)
}

/// See [`Model::float_pair`](crate::Model::float_pair).
pub(crate) fn float_pair(
    network: &dyn Network,
    cover: &Pixels,
    secret: &Pixels,
    balance: Balance,
) -> Result<FloatPair, HideError> {
    let placement = placement(cover, secret)?;
    let (width, height) = placement.working();
    let mut container: Vec<f32> = cover.data().iter().map(|v| v.unit()).collect();
    hide_windows(
        network,
        &placement,
        cover,
        secret,
        &HideOptions {
            balance,
            ..HideOptions::default()
        },
        &mut |y, strip| write_floats(&mut container, cover.width(), y, strip),
        &mut |_, _| {},
    );
    let source = Source {
        samples: &container,
        stride: cover.width(),
        width,
        height,
    };
    let mut revealed = Floats {
        width,
        height,
        samples: vec![0.0; 3 * width * height],
    };
    tiling(&placement, network.revealing_context(), DEFAULT_TILE_SIZE).run(
        &mut |area| reveal_window(network, source.window(area), balance),
        &mut |y, strip| write_floats(&mut revealed.samples, width, y, strip),
        &mut |_, _| {},
    );
    let to_255 = |samples: Vec<f32>| samples.into_iter().map(|v| 255.0 * v).collect();
    Ok(FloatPair {
        container: to_255(container),
        revealed: to_255(placement.restore_floats(revealed).samples),
    })
}

/// How the secret goes into the cover.
fn placement(cover: &Pixels, secret: &Pixels) -> Result<Placement, HideError> {
    let (width, height) = (cover.width(), cover.height());
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return Err(HideError::CoverTooSmall { width, height });
    }
    let own = (secret.width(), secret.height());
    Ok(Placement {
        cover: (width, height),
        secret: own,
        turned: turns((width, height), own),
    })
}

/// Runs the hiding network over all tiles.
fn hide_windows(
    network: &dyn Network,
    placement: &Placement,
    cover: &Pixels,
    secret: &Pixels,
    options: &HideOptions,
    keep: &mut dyn FnMut(usize, &Window),
    progress: &mut dyn FnMut(usize, usize),
) {
    let secret = placement.prepare(secret);
    let (cover, secret) = (source(cover, placement), source(&secret, placement));
    tiling(placement, network.hiding_context(), options.tile_size).run(
        &mut |area| {
            let mut secret = secret.window(area);
            options.balance.apply(&mut secret.samples);
            network.hide(&cover.window(area), &secret)
        },
        keep,
        progress,
    );
}

/// Gives the marked samples of a strip their bits: of the values with that bit the one nearest to
/// the network's unrounded value, so that the mark costs as little as it can.
fn write_marked(
    picture: &mut [u8],
    width: usize,
    y: usize,
    strip: &Window,
    marked: &[(usize, u8)],
) {
    for &(place, bit) in marked {
        let (channel, column, row) = (place % 3, place / 3 % width, place / 3 / width);
        if column < strip.width && (y..y + strip.height).contains(&row) {
            let i = (channel * strip.height + row - y) * strip.width + column;
            picture[place] = nearest_with_bit(255.0 * strip.samples[i], bit);
        }
    }
}

#[cfg(test)]
mod tests {
    use underdrawing_net::Rounding;

    use super::*;
    use crate::network::mark::read_mark;
    use crate::network::reveal::{RevealError, RevealOptions, reveal};
    use crate::network::tile::Context;

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
                let below =
                    (neighbour == 4 && to == from + 6) || (neighbour == 1 && from == to + 6);
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
        let options = HideOptions {
            tile_size: 16,
            ..HideOptions::default()
        };
        hide(network, ID, cover, secret, &options, &mut |_, _| {}).unwrap()
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
                let options = RevealOptions::default();
                let revealed = reveal(&network, ID, &container, &options, &mut |_, _| {}).unwrap();
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
        let pair = float_pair(&network, &cover, &secret, Balance::EVEN).unwrap();
        assert_eq!(
            pair.container[3 * 32..3 * 33],
            cover.pixel(32, 0).map(f32::from)
        );
        assert_eq!(pair.revealed[3 * 32..3 * 33], pair.revealed[3 * 31..3 * 32]);
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
        let pair = float_pair(&network, &cover, &cover, Balance::EVEN).unwrap();
        let mut exact = 0;
        for (&byte, &float) in container.data().iter().zip(&pair.container) {
            let nearest = float.round().clamp(0.0, 255.0);
            exact += usize::from(f32::from(byte) == nearest);
            assert!((f32::from(byte) - float.clamp(0.0, 255.0)).abs() <= 1.001);
        }
        assert!(
            exact >= 768 - 144,
            "only marked samples may differ: {exact}"
        );
        assert!(
            pair.container.iter().any(|&v| v < -10.0) && pair.container.iter().any(|&v| v > 270.0)
        );
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
        let with = |tile_size| {
            let options = HideOptions {
                tile_size,
                ..HideOptions::default()
            };
            hide(&network, ID, &cover, &secret, &options, &mut |_, _| {}).unwrap()
        };
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
            let options = HideOptions {
                tile_size,
                ..HideOptions::default()
            };
            let error = hide(&network, ID, &cover, &good, &options, &mut |_, _| {}).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn marks_decide_who_may_reveal() {
        let network = Fake {
            hide: |cover, _| cover,
            context: AT_ONE_PIXEL,
            diffused: 0.0,
        };
        let container = hidden(&network, &picture(20, 16, 1), &picture(9, 31, 2));
        let mark = read_mark(&container).unwrap();
        assert_eq!(
            (mark.secret_width, mark.secret_height, mark.turned),
            (9, 31, true)
        );
        let run = |picture: &Pixels, id, size| {
            let options = RevealOptions {
                size,
                ..RevealOptions::default()
            };
            reveal(&network, id, picture, &options, &mut |_, _| {})
        };
        let other = ModelId::from_bytes([8; 8]);
        assert_eq!(
            run(&container, other, None),
            Err(RevealError::OtherModel {
                found: ID,
                this: other
            })
        );
        let plain = picture(20, 16, 1);
        assert_eq!(run(&plain, ID, None), Err(RevealError::NoMark));
        assert_eq!(run(&picture(1, 1, 1), ID, None), Err(RevealError::NoMark));
        assert_eq!(
            run(&picture(1, 1, 1), ID, Some((5, 5))),
            Err(RevealError::ContainerTooSmall {
                width: 1,
                height: 1
            })
        );
        assert!(matches!(
            run(&plain, ID, Some((0, 5))),
            Err(RevealError::Size(_))
        ));
        let revealed = run(&container, ID, None).unwrap();
        assert_eq!((revealed.width(), revealed.height()), (9, 31));
        let asked = run(&container, other, Some((9, 31))).unwrap();
        assert_eq!(
            asked, revealed,
            "a size needs no mark, and the turn follows the same rule"
        );
    }
}
