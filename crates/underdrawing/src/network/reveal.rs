//! Revealing: a container back to the secret in its own size.

use crate::error::Error;
use crate::network::balance::Balance;
use crate::network::mark::{Mark, NewerMark, VERSION};
use crate::network::placement::{Placement, turns};
use crate::network::run::{
    LEAST_SIDE, Network, RunOptions, check_tile_size, reveal_window, rounded, source, tiling,
};
use crate::picture::{Limits, Pixels, Raster};
use crate::progress::OnProgress;

/// How a secret went into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) placement: Placement,
    pub(crate) balance: Balance,
}

/// The mark of a container; none in a plain picture or a damaged container.
pub(crate) fn read_mark(container: &Pixels) -> Result<Option<Mark>, Error> {
    if container.width().min(container.height()) < LEAST_SIDE {
        return Ok(None);
    }
    Mark::read(container).map_err(|NewerMark { version }| Error::NewerMark {
        found: version,
        supported: VERSION,
    })
}

impl Found {
    /// What the mark says.
    pub(crate) fn by_mark(container: &Pixels, mark: &Mark, limits: &Limits) -> Result<Self, Error> {
        let secret = (mark.secret_width, mark.secret_height);
        limits
            .check(secret.0 as u64, secret.1 as u64)
            .map_err(Error::SecretTooLarge)?;
        Ok(Self {
            placement: Placement {
                cover: (container.width(), container.height()),
                secret,
                turned: mark.turned,
            },
            balance: mark.balance,
        })
    }

    /// A secret of this size, hidden in the usual way.
    pub(crate) fn at_size(
        container: &Pixels,
        secret: (usize, usize),
        limits: &Limits,
    ) -> Result<Self, Error> {
        limits
            .check(secret.0 as u64, secret.1 as u64)
            .map_err(Error::Size)?;
        let (width, height) = (container.width(), container.height());
        if width < LEAST_SIDE || height < LEAST_SIDE {
            return Err(Error::ContainerTooSmall {
                width,
                height,
                least: LEAST_SIDE,
            });
        }
        Ok(Self {
            placement: Placement {
                cover: (width, height),
                secret,
                turned: turns((width, height), secret),
            },
            balance: Balance::EVEN,
        })
    }
}

/// Reveals the secret that was found in `container`.
pub(crate) fn reveal(
    network: &dyn Network,
    container: &Pixels,
    found: &Found,
    tile_size: usize,
    on_progress: &mut OnProgress<'_>,
) -> Result<Pixels, Error> {
    check_tile_size(tile_size)?;
    let placement = &found.placement;
    let (width, height) = placement.working();
    let source = source(container, placement);
    let mut samples = vec![0; 3 * width * height];
    let options = RunOptions {
        tile_size,
        balance: found.balance,
        ..RunOptions::default()
    };
    tiling(placement, network.revealing_context(), options).run(
        &mut |area| reveal_window(network, source.window(area), options.balance),
        &mut |y, strip| {
            let planes = strip.planes(&strip.samples);
            planes.interleave(&mut samples, width, y, rounded);
        },
        on_progress,
    )?;
    let revealed = Raster {
        width,
        height,
        samples,
    };
    Ok(Pixels::from_raster(placement.restore(revealed)))
}
