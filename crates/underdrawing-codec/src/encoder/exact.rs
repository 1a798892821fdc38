//! Without loss, where it fits.

use super::{Coded, Encoder};
use crate::header::Header;
use crate::lossless;
use crate::models::Models;
use rayon::prelude::*;
use std::ops::Range;

/// Rows of each stripe that are coded to see whether the whole is worth trying.
const PROBED_ROWS: usize = 8;

impl Encoder<'_> {
    /// The picture without loss, if that takes at most `budget` bytes.
    pub(super) fn exact_within(&self, budget: usize) -> Option<Coded> {
        let n = self.cut.n_stripes();
        let mut first = Vec::new();
        self.exact_header().write(&mut first);
        let left = budget.checked_sub(first.len())?;
        if !self.worth_trying(left) {
            return None;
        }
        let stripes: Option<Vec<Vec<u8>>> = (0..n)
            .into_par_iter()
            .map(|i| lossless::encode_within(self.picture, self.cut.rows(i), left))
            .collect();
        let coded = Coded {
            segments: std::iter::once(first).chain(stripes?).collect(),
            mse: 0.0,
        };
        (coded.len() <= budget).then_some(coded)
    }

    fn exact_header(&self) -> Header {
        Header {
            models: Models::Lossless,
            width: self.picture.width(),
            height: self.picture.height(),
            channels: self.picture.channels(),
            colour: None,
            step: 0,
        }
    }

    /// Whether a few rows of each stripe promise a size near the budget. Models that start from
    /// nothing take up to twice as much on so few rows.
    fn worth_trying(&self, budget: usize) -> bool {
        let probes: Vec<Range<usize>> = (0..self.cut.n_stripes())
            .map(|i| {
                let rows = self.cut.rows(i);
                let n = rows.len().min(PROBED_ROWS);
                let start = rows.start + (rows.len() - n) / 2;
                start..start + n
            })
            .collect();
        let n_rows: usize = probes.iter().map(Range::len).sum();
        let bytes: usize = probes
            .par_iter()
            .map(|rows| lossless::encode(self.picture, rows.clone()).len())
            .sum();
        let expected = bytes as u64 * self.picture.height() as u64 / n_rows as u64;
        expected / 2 <= budget as u64
    }
}
