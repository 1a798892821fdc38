//! Hiding: cover and secret through a network to a marked 8-bit container.

use crate::error::Error;
use crate::network::mark::{Mark, nearest_with_bit};
use crate::network::model_id::ModelId;
use crate::network::placement::{Placement, turns};
use crate::network::refine::{self, Refined};
use crate::network::run::{
    LEAST_SIDE, Network, RunOptions, check_tile_size, reveal_window, source, tiling,
};
use crate::network::tile::{Area, Source, Window};
use crate::picture::{Pixels, Raster, UnitSample};
use crate::progress::{OnProgress, Progress};

/// Hides `secret` in `cover`: the container, and how the secret went in.
pub(crate) fn hide(
    network: &dyn Network,
    model: ModelId,
    cover: &Pixels,
    secret: &Pixels,
    options: RunOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<(Pixels, Placement), Error> {
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
        model,
        &placement,
        cover,
        secret,
        options,
        &mut |y, strip| {
            let bytes = rounder.rows(&strip.samples);
            let planes = strip.planes(&bytes);
            planes.interleave(container.data_mut(), width, y, |byte| byte);
            write_marked(container.data_mut(), width, y, strip, &marked);
        },
        on_progress,
    )?;
    Ok((container, placement))
}

/// See [`NetworkOptions::float_pair`](crate::NetworkOptions::float_pair).
pub(crate) fn float_pair(
    network: &dyn Network,
    model: ModelId,
    cover: &Pixels,
    secret: &Pixels,
    options: RunOptions,
) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let placement = placement(cover, secret)?;
    let (width, height) = placement.working();
    let mut container: Vec<f32> = cover.data().iter().map(|v| v.unit()).collect();
    hide_windows(
        network,
        model,
        &placement,
        cover,
        secret,
        options,
        &mut |y, strip| {
            let planes = strip.planes(&strip.samples);
            planes.interleave(&mut container, cover.width(), y, |v| v);
        },
        &mut Progress::ignore,
    )?;
    let source = Source {
        samples: &container,
        stride: cover.width(),
        width,
        height,
    };
    let mut revealed = Raster {
        width,
        height,
        samples: vec![0.0; 3 * width * height],
    };
    tiling(&placement, network.revealing_context(), options).run(
        &mut |area| reveal_window(network, source.window(area), options.balance),
        &mut |y, strip| {
            let planes = strip.planes(&strip.samples);
            planes.interleave(&mut revealed.samples, width, y, |v| v);
        },
        &mut Progress::ignore,
    )?;
    let to_255 = |samples: Vec<f32>| samples.into_iter().map(|v| 255.0 * v).collect();
    Ok((
        to_255(container),
        to_255(placement.restore(revealed).samples),
    ))
}

/// How the secret goes into the cover.
fn placement(cover: &Pixels, secret: &Pixels) -> Result<Placement, Error> {
    let (width, height) = (cover.width(), cover.height());
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return Err(Error::CoverTooSmall {
            width,
            height,
            least: LEAST_SIDE,
        });
    }
    let own = (secret.width(), secret.height());
    Ok(Placement {
        cover: (width, height),
        secret: own,
        turned: turns((width, height), own),
    })
}

/// Runs the hiding network over all tiles, of what was refined if that is asked for.
fn hide_windows(
    network: &dyn Network,
    model: ModelId,
    placement: &Placement,
    cover: &Pixels,
    secret: &Pixels,
    options: RunOptions,
    keep: &mut dyn FnMut(usize, &Window),
    on_progress: &mut OnProgress<'_>,
) -> Result<(), Error> {
    let secret = placement.prepare(secret);
    let (cover, secret) = (source(cover, placement), source(&secret, placement));
    let pair = |area: Area| {
        let mut secret = secret.window(area);
        options.balance.apply(&mut secret.samples);
        [cover.window(area), secret]
    };
    let mut run = |pair: &dyn Fn(Area) -> [Window; 2], on_progress: &mut OnProgress<'_>| {
        let mut paint = |area| {
            let [cover, secret] = pair(area);
            network.hide(&cover, &secret)
        };
        tiling(placement, network.hiding_context(), options).run(&mut paint, keep, on_progress)
    };
    if !options.refines {
        return run(&pair, on_progress);
    }
    let refine = network.refiner(refine::STEPS);
    let refine = refine.ok_or(Error::Unrefinable { model })?;
    let refined = Refined::new(&*refine, placement.working(), pair, on_progress)?;
    run(&|area| refined.pair(area), &mut |tile| {
        on_progress(refined.progress(tile))
    })
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
mod tests;
