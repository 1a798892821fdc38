//! Revealing: a container back to the secret in its own size.

use thiserror::Error;

use crate::network::balance::Balance;
use crate::network::mark::{self, Mark, NewerMark};
use crate::network::model_id::ModelId;
use crate::network::placement::{Placement, turns};
use crate::network::run::{
    DEFAULT_TILE_SIZE, LEAST_SIDE, Network, TileSizeError, check_tile_size, reveal_window, source,
    tiling, write_rounded,
};
use crate::picture::{Limits, Pixels, PixelsError};

/// How to reveal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevealOptions {
    /// The secret's own width and height, for a container whose mark is lost or names another
    /// model: reveals regardless of any mark.
    pub size: Option<(usize, usize)>,
    /// As [`HideOptions::tile_size`](crate::HideOptions::tile_size).
    pub tile_size: usize,
}

impl Default for RevealOptions {
    fn default() -> Self {
        Self {
            size: None,
            tile_size: DEFAULT_TILE_SIZE,
        }
    }
}

/// Why nothing was revealed.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevealError {
    /// A plain picture, or a container whose samples were changed.
    #[error("no mark found: a plain picture, or a container that was changed after hiding")]
    NoMark,
    /// Another model hid the secret.
    #[error("hidden by model {found}, not by this model, {this}")]
    OtherModel {
        /// The model that the mark names.
        found: ModelId,
        /// The model that was asked to reveal.
        this: ModelId,
    },
    /// A newer underdrawing made the container.
    #[error("mark version {found} is newer than the newest supported, {supported}", supported = mark::VERSION)]
    NewerMark {
        /// Version found.
        found: u8,
    },
    /// Smaller than any container.
    #[error(
        "a container of {width}x{height} is too small: expected at least {LEAST_SIDE}x{LEAST_SIDE}"
    )]
    ContainerTooSmall {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// The size asked for is zero or too large.
    #[error("cannot reveal at the size asked for")]
    Size(#[source] PixelsError),
    /// The tile size is too small.
    #[error(transparent)]
    TileSize(#[from] TileSizeError),
}

/// Reveals what `container` holds; see [`Model::reveal`](crate::Model::reveal).
pub(crate) fn reveal(
    network: &dyn Network,
    model: ModelId,
    container: &Pixels,
    options: &RevealOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Pixels, RevealError> {
    check_tile_size(options.tile_size)?;
    let (placement, balance) = placement(container, model, options.size)?;
    let (width, height) = placement.working();
    let source = source(container, &placement);
    let mut samples = vec![0; 3 * width * height];
    tiling(&placement, network.revealing_context(), options.tile_size).run(
        &mut |area| reveal_window(network, source.window(area), balance),
        &mut |y, strip| write_rounded(&mut samples, width, y, strip),
        progress,
    );
    let revealed =
        Pixels::rgb8(samples, width, height).expect("the working size lies within the container's");
    Ok(placement.restore(revealed))
}

/// How the secret went into the container: what the mark says, or `size` regardless.
fn placement(
    container: &Pixels,
    model: ModelId,
    size: Option<(usize, usize)>,
) -> Result<(Placement, Balance), RevealError> {
    let cover = (container.width(), container.height());
    if let Some(secret) = size {
        Limits::default()
            .check(secret.0 as u64, secret.1 as u64)
            .map_err(RevealError::Size)?;
        let (width, height) = cover;
        if width < LEAST_SIDE || height < LEAST_SIDE {
            return Err(RevealError::ContainerTooSmall { width, height });
        }
        let placement = Placement {
            cover,
            secret,
            turned: turns(cover, secret),
        };
        return Ok((placement, Balance::EVEN));
    }
    let mark = match Mark::read(container) {
        Ok(Some(mark)) if cover.0.min(cover.1) >= LEAST_SIDE => mark,
        Ok(_) => return Err(RevealError::NoMark),
        Err(NewerMark { version }) => return Err(RevealError::NewerMark { found: version }),
    };
    if mark.model != model {
        return Err(RevealError::OtherModel {
            found: mark.model,
            this: model,
        });
    }
    let placement = Placement {
        cover,
        secret: (mark.secret_width, mark.secret_height),
        turned: mark.turned,
    };
    Ok((placement, mark.balance))
}
