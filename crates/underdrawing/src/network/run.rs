//! What hiding and revealing share: networks run over the windows of a picture.

use underdrawing_net::Rounding;

use crate::error::Error;
use crate::network::balance::Balance;
use crate::network::placement::Placement;
use crate::network::tile::{Context, Source, Tiling, Window};
use crate::picture::Pixels;

/// Shortest side of a cover, in pixels.
pub(crate) const LEAST_SIDE: usize = 16;

/// Side of the part of a tile that is kept, where nothing else is asked for.
///
/// A picture of a megapixel is one tile. For a lifting network of 6 blocks the margins cost a
/// quarter on top of a large picture; 512 would cost two thirds.
pub(crate) const TILE_SIZE: usize = 1280;

/// Smallest tile size: below it a tile is nearly all margin.
const LEAST_TILE_SIZE: usize = 16;

/// How networks run over a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOptions {
    /// See [`NetworkOptions::tile_size`](crate::NetworkOptions::tile_size).
    pub(crate) tile_size: usize,
    /// How strong the secret is.
    pub(crate) balance: Balance,
    /// Whether cover and secret are refined before they are hidden.
    pub(crate) refines: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            tile_size: TILE_SIZE,
            balance: Balance::EVEN,
            refines: false,
        }
    }
}

/// From a cover and a secret to what is hidden in their place.
pub(crate) type Refiner<'a> = dyn Fn(&Window, &Window) -> [Window; 2] + 'a;

/// What hiding and revealing need of a model; tests put a simple function in its place.
pub(crate) trait Network {
    /// What [`Network::hide`] sees around a pixel.
    fn hiding_context(&self) -> Context;
    /// What [`Network::reveal`] sees around a pixel.
    fn revealing_context(&self) -> Context;
    /// Container from windows of the same size, which has even sides.
    fn hide(&self, cover: &Window, secret: &Window) -> Window;
    /// Revealed picture from a container.
    fn reveal(&self, container: &Window) -> Window;
    /// What finds, in so many steps, what to hide in the place of a cover and a secret so that both
    /// come out better. None where that cannot be done.
    fn refiner(&self, _steps: usize) -> Option<Box<Refiner<'_>>> {
        None
    }
    /// How a container becomes 8 bits.
    fn rounding(&self) -> Rounding {
        Rounding::nearest()
    }
}

/// What a window of a container holds, in the secret's own contrast.
pub(crate) fn reveal_window(network: &dyn Network, container: Window, balance: Balance) -> Window {
    let mut revealed = network.reveal(&container);
    balance.undo(&mut revealed.samples);
    revealed
}

/// The part of a picture that networks work on.
pub(crate) fn source<'a>(picture: &'a Pixels, placement: &Placement) -> Source<'a, u8> {
    let (width, height) = placement.working();
    Source {
        samples: picture.data(),
        stride: picture.width(),
        width,
        height,
    }
}

/// The tiles of the working size.
pub(crate) fn tiling(placement: &Placement, context: Context, options: RunOptions) -> Tiling {
    let (width, height) = placement.working();
    Tiling {
        width,
        height,
        context,
        tile_size: options.tile_size,
    }
}

/// Refuses a tile size that is nearly all margin.
pub(crate) fn check_tile_size(found: usize) -> Result<(), Error> {
    if found < LEAST_TILE_SIZE {
        return Err(Error::TileSize {
            found,
            least: LEAST_TILE_SIZE,
        });
    }
    Ok(())
}

/// A network's sample, black 0 and white 1, clamped and rounded to the nearest byte.
pub(crate) fn rounded(sample: f32) -> u8 {
    (255.0 * sample).round().clamp(0.0, 255.0) as u8
}
