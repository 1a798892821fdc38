//! A JPEG in memory.

/// Coefficients of 8x8 samples, row by row, the constant part first.
pub type Block = [i16; 64];

/// A JPEG: its coefficients and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jpeg {
    /// Columns of the picture.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
    /// What the components are.
    pub colours: Colours,
    /// One to four.
    pub components: Vec<Component>,
    /// Application segments in their order: number (0 to 15) and content. A JFIF or Adobe segment
    /// that `colours` asks for is written when there is none.
    pub application: Vec<(u8, Vec<u8>)>,
}

/// What the components of a JPEG are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Grey alone.
    Grey,
    /// Brightness and two colour differences.
    YCbCr,
    /// Red, green, blue.
    Rgb,
    /// Printing inks.
    Cmyk,
    /// Printing inks, of which the first three are like `YCbCr`.
    Ycck,
}

/// One plane of a JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Samples across, relative to the other components: 1 to 4.
    pub horizontal: usize,
    /// Samples down, relative to the other components: 1 to 4.
    pub vertical: usize,
    /// Steps of the coefficients, row by row.
    pub steps: [u16; 64],
    /// Blocks in a row of `blocks`, those that only fill the last unit included.
    pub blocks_wide: usize,
    /// Multiples of the steps, block by block from the top left, in rows of `blocks_wide`.
    pub blocks: Vec<Block>,
}

impl Jpeg {
    /// The largest sampling factors, across and down.
    pub(crate) fn most(&self) -> (usize, usize) {
        most(&self.components)
    }

    /// Columns and rows of samples that a component has, without those that fill blocks.
    #[must_use]
    pub fn samples_of(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.most();
        (
            (self.width * component.horizontal).div_ceil(across),
            (self.height * component.vertical).div_ceil(down),
        )
    }
}

pub(crate) fn most(components: &[Component]) -> (usize, usize) {
    let across = components.iter().map(|c| c.horizontal).max().unwrap_or(1);
    let down = components.iter().map(|c| c.vertical).max().unwrap_or(1);
    (across, down)
}

/// The place of the coefficient that a scan holds at each position: a walk along the diagonals.
pub(crate) const WALK: [u8; 64] = walk();

const fn walk() -> [u8; 64] {
    let mut places = [0; 64];
    let (mut i, mut diagonal) = (0, 0);
    while diagonal < 15 {
        let from = if diagonal > 7 { diagonal - 7 } else { 0 };
        let to = if diagonal > 7 { 7 } else { diagonal };
        let mut step = 0;
        while step <= to - from {
            let y = if diagonal % 2 == 0 {
                to - step
            } else {
                from + step
            };
            places[i] = (8 * y + diagonal - y) as u8;
            i += 1;
            step += 1;
        }
        diagonal += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_along_the_diagonals() {
        assert_eq!(WALK[..10], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]);
        assert_eq!(WALK[60..], [47, 55, 62, 63]);
        let mut sorted = WALK;
        sorted.sort_unstable();
        assert!(
            sorted
                .iter()
                .enumerate()
                .all(|(i, &place)| i == place.into())
        );
    }
}
