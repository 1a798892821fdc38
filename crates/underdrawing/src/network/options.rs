//! How to hide by the network method.

use crate::network::balance::Balance;
use crate::network::built_in::BuiltInModel;
use crate::network::model::Model;
use crate::network::run::TILE_SIZE;

/// How to hide by the network method.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// The networks.
    pub model: Model,
    /// Whether the container or the revealed picture comes out better.
    pub balance: Balance,
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
            tile_size: Self::TILE_SIZE,
        }
    }
}

impl Default for NetworkOptions {
    /// The first built-in model.
    fn default() -> Self {
        Self::new(BuiltInModel::first().model())
    }
}
