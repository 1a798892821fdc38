//! Which digit stands where: header and payload in the blocks of a picture (`docs/format.md`, section
//! 5.3).

use super::grid::Places;

/// Digits of a coded header.
pub(super) const HEADER_DIGITS: usize = 288;

/// Sides of tiles in blocks, each with a whole header, from the largest.
pub(super) const TILES: [usize; 4] = [64, 32, 16, 8];

/// Shortest side of a picture that holds a header, in pixels.
pub(super) const LEAST_SIDE: usize = 8 * TILES[TILES.len() - 1];

/// Coefficients that hold a header: the first in large tiles, two or all in smaller ones.
const HEADER_PLACES: [usize; 8] = [18, 3, 17, 10, 24, 9, 2, 16];

/// A picture's blocks and what is in them.
#[derive(Clone, Copy)]
pub(super) struct Sites {
    /// Whole blocks across.
    pub(super) wide: usize,
    /// Whole blocks down.
    pub(super) high: usize,
    tile: Tile,
}

/// A square of blocks, after which the header begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Blocks a side, one of [`TILES`].
    pub(super) side: usize,
}

/// What a coefficient holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The header's digit of this number.
    Header(usize),
    /// The payload's next digit.
    Payload,
}

impl Tile {
    /// The tile of a picture of so many blocks; none where it is too small for one.
    pub(super) fn of(wide: usize, high: usize) -> Option<Self> {
        let side = TILES.into_iter().find(|&side| side <= wide.min(high))?;
        Some(Self { side })
    }

    /// Coefficients of a block that may hold a digit of the header.
    pub(super) fn places(self) -> &'static [usize] {
        match self.side {
            32.. => &HEADER_PLACES[..1],
            16 => &HEADER_PLACES[..2],
            _ => &HEADER_PLACES,
        }
    }

    /// Column, row and place of each digit of the header.
    pub(super) fn header_slots(self) -> Vec<(usize, usize, usize)> {
        let mut slots = vec![(0, 0, 0); HEADER_DIGITS];
        for block in 0..self.side * self.side {
            let (x, y) = (block % self.side, block / self.side);
            for i in 0..self.places().len() {
                if let Some(digit) = self.header_digit(x, y, i) {
                    slots[digit] = (x, y, i);
                }
            }
        }
        slots
    }

    /// The digit of the header in place `i` of [`Tile::places`] of the block at this column and row.
    pub(super) fn header_digit(self, x: usize, y: usize, i: usize) -> Option<usize> {
        /// Spreads the digits over the tile; odd, so that each slot gets another number.
        const SPREAD: usize = 0x9E3B;
        let n_places = self.places().len();
        let block = y % self.side * self.side + x % self.side;
        let slot = (block * n_places + i) * SPREAD % (self.side * self.side * n_places);
        (slot < HEADER_DIGITS).then_some(slot)
    }
}

impl Sites {
    /// None where a picture has too few blocks for a header.
    pub(super) fn new(width: usize, height: usize) -> Option<Self> {
        let (wide, high) = (width / 8, height / 8);
        Some(Self {
            wide,
            high,
            tile: Tile::of(wide, high)?,
        })
    }

    /// Of so many blocks; none where they are too few.
    pub(super) fn of_blocks(wide: usize, high: usize) -> Option<Self> {
        Self::new(8 * wide, 8 * high)
    }

    pub(super) fn tile(&self) -> Tile {
        self.tile
    }

    /// Shortest side, in pixels, of a picture that still holds a header where so many percent are cut
    /// off.
    pub(super) fn least_side(percent: u8) -> usize {
        // What is left may begin and end inside blocks.
        let left = match percent {
            0 => LEAST_SIDE,
            _ => LEAST_SIDE + 7,
        };
        (100 * left).div_ceil(100 - usize::from(percent).min(99))
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.wide * self.high
    }

    /// Blocks that are not left whole, at worst, where so many percent of the area are cut off, at any
    /// sides.
    pub(super) fn lost_by_cropping(&self, percent: u8) -> usize {
        let [width, height] = [8 * self.wide, 8 * self.high];
        let area = width as u64 * height as u64;
        let left = (area * (100 - u64::from(percent).min(100))).div_ceil(100) as usize;
        // Both sides of what is left may cut through blocks.
        let whole = |pixels: usize, all: usize| match pixels < all {
            true => pixels.saturating_sub(7) / 8,
            false => all / 8,
        };
        let kept = (1..=height).filter_map(|high| {
            let wide = left.div_ceil(high);
            (wide <= width).then(|| whole(wide, width) * whole(high, height))
        });
        self.n_blocks() - kept.min().unwrap_or(0)
    }

    /// Calls `visit` with each place of a block that holds something, and what.
    pub(super) fn each(&self, places: &Places, number: usize, mut visit: impl FnMut(usize, Held)) {
        let header = self.header(number);
        let mut left = self.payload_mask(places, number) | header;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            if header >> place & 1 == 0 {
                visit(place, Held::Payload);
            } else if let Some(digit) = self.header_digit(number, place) {
                visit(place, Held::Header(digit));
            }
        }
    }

    /// The coefficients of a block that hold digits of the header, a bit each.
    fn header(&self, number: usize) -> u64 {
        let bit = |&place: &usize| u64::from(self.header_digit(number, place).is_some()) << place;
        self.tile.places().iter().map(bit).sum()
    }

    fn header_digit(&self, number: usize, place: usize) -> Option<usize> {
        let (x, y) = (number % self.wide, number / self.wide);
        let i = self.tile.places().iter().position(|&at| at == place)?;
        self.tile.header_digit(x, y, i)
    }

    /// The coefficients of a block that hold digits of the payload, and maybe of a header.
    fn payload_mask(&self, places: &Places, number: usize) -> u64 {
        let (x, y) = (number % self.wide, number / self.wide);
        // Each row of blocks begins elsewhere, so that no pattern shows.
        places.masks[(x + 2 * (y % 2) + y / 2) % 4]
    }

    /// Where each block's payload digits begin, and where the last one's end.
    pub(super) fn starts(&self, places: &Places) -> Vec<usize> {
        let mut end = 0;
        let ends = (0..self.n_blocks()).map(|number| {
            let mask = self.payload_mask(places, number) & !self.header(number);
            end += mask.count_ones() as usize;
            end
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// Where the coefficients of the payload's digits stand in the order of use.
    pub(super) fn ranks(&self, places: &Places) -> Vec<u8> {
        let mut ranks = Vec::with_capacity(self.n_digits(places));
        for number in 0..self.n_blocks() {
            self.each(places, number, |place, held| {
                if held == Held::Payload {
                    ranks.push(places.ranks[place]);
                }
            });
        }
        ranks
    }

    /// Digits of the payload.
    pub(super) fn n_digits(&self, places: &Places) -> usize {
        self.starts(places).last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tile_holds_each_digit_of_the_header_once() {
        for side in TILES {
            let tile = Tile { side };
            let mut found = [0; HEADER_DIGITS];
            for block in 0..side * side {
                for i in 0..tile.places().len() {
                    if let Some(bit) = tile.header_digit(block % side, block / side, i) {
                        found[bit] += 1;
                    }
                }
            }
            assert_eq!(found, [1; HEADER_DIGITS], "{side}");
        }
    }

    #[test]
    fn cropping_cuts_through_blocks() {
        let lost = |wide, high, percent| {
            let sites = Sites::of_blocks(wide, high).expect("enough blocks");
            sites.lost_by_cropping(percent)
        };
        assert_eq!(lost(32, 32, 0), 0);
        // A percent is less than one row of pixels, two are more; then a row of blocks is lost.
        assert_eq!((lost(8, 8, 1), lost(8, 8, 2)), (0, 8));
        // 214x246 of 256x256 are at worst 25x29 whole blocks.
        assert_eq!(lost(32, 32, 20), 32 * 32 - 25 * 29);
        // The larger the picture, the less its sides are.
        assert!(lost(512, 512, 20) * 100 < 21 * 512 * 512);
    }

    #[test]
    fn what_is_left_holds_a_header() {
        assert_eq!(Sites::least_side(0), LEAST_SIDE);
        let side = Sites::least_side(20);
        let left = |side: usize| side * 80 / 100;
        assert!(left(side) - 7 >= LEAST_SIDE && left(side - 1) - 7 < LEAST_SIDE);
    }

    #[test]
    fn small_pictures_have_no_room() {
        assert!(Sites::new(63, 400).is_none());
        let sites = Sites::new(64, 71).expect("eight blocks a side are enough");
        assert_eq!((sites.wide, sites.high, sites.tile().side), (8, 8, 8));
    }
}
