//! How to hide by the network method.

use underdrawing_codec::Effort;

use crate::error::Error;
use crate::network::balance::Balance;
use crate::network::built_in::BuiltInModel;
use crate::network::hide::float_pair;
use crate::network::model::Model;
use crate::network::run::{RunOptions, TILE_SIZE};
use crate::picture::Pixels;

/// How to hide by the network method.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// The networks.
    pub model: Model,
    /// Whether the container or the revealed picture comes out better.
    pub balance: Balance,
    /// [`Effort::Best`] refines for this cover and this secret what the networks answer at once with
    /// the others. It takes some twenty times as long as hiding does, on the processor wherever
    /// networks run, some 3 KB for each pixel of a window of 352x352, and 24 bytes a pixel of the
    /// cover. Networks that see more than a tile (the U-Net) cannot do it, and nor can a build
    /// without the feature `refining`.
    pub effort: Effort,
    /// Largest side in pixels of the tiles that large pictures are processed in, at least 16. It
    /// changes which way some samples are rounded, and no quality. Wide networks get smaller
    /// tiles, so that memory stays bounded; those that see more than a tile (the U-Net) have tiles
    /// of their own.
    pub tile_size: usize,
}

impl NetworkOptions {
    /// The default of [`NetworkOptions::tile_size`]: a picture of a megapixel is one tile.
    pub const TILE_SIZE: usize = TILE_SIZE;

    /// Default options for a model.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self {
            model,
            balance: Balance::EVEN,
            effort: Effort::Normal,
            tile_size: Self::TILE_SIZE,
        }
    }

    /// Container and revealed picture as the networks compute them, never rounded or clamped and
    /// without a mark, for figures that compare with published ones; what a user gets went through
    /// 8 bits. Samples are 0 to 255 (some may lie outside), RGB interleaved, in the cover's and in
    /// the secret's size. Takes 24 bytes a pixel.
    ///
    /// # Errors
    /// As [`hide`](crate::hide).
    pub fn float_pair(
        &self,
        cover: &Pixels,
        secret: &Pixels,
    ) -> Result<(Vec<f32>, Vec<f32>), Error> {
        float_pair(&self.model, self.model.id(), cover, secret, self.run())
    }

    /// How networks run.
    pub(crate) fn run(&self) -> RunOptions {
        RunOptions {
            tile_size: self.tile_size,
            balance: self.balance,
            refines: self.effort == Effort::Best,
        }
    }
}

impl Default for NetworkOptions {
    /// The first built-in model.
    fn default() -> Self {
        Self::new(BuiltInModel::first().model())
    }
}
