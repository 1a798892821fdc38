//! Lossless coding, where it fits.

use super::{Coded, Encoder, novelty};
use crate::header::Header;
use crate::lossless;
use crate::models::Models;
use crate::parallel;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows of each stripe that are coded to find out whether the whole picture is worth trying. On so
/// few rows, models that have yet to learn take up to twice as many bytes.
const PROBED_ROWS: usize = 8;
const MORE_ON_PROBES: f64 = 2.0;

/// Rows of a few stripes that are coded before those. They rule out photographs, which take about
/// as many bytes on so few rows, in a quarter of the time.
const FIRST_STRIPES: usize = 4;
const FIRST_ROWS: usize = 4;
const MORE_ON_FIRST: f64 = 1.6;

/// Of a picture of so many stripes, one in so many is coded before the rest: those that exceed the
/// budget by more than stripes differ are not worth the others' time.
const MIN_STRIPES: usize = 8;
const EVERY: usize = 6;
const MORE_ON_STRIPES: f64 = 1.06;

impl Encoder<'_> {
    /// The lossless coding, if it takes at most `budget` bytes.
    pub(super) fn lossless_within(&self, budget: usize) -> Option<Coded> {
        let n = self.cut.n_stripes();
        let mut first = Vec::new();
        self.lossless_header().write(&mut first);
        let left = budget.checked_sub(first.len())?;
        if !self.worth_trying(left) {
            return None;
        }
        let mut stripes = vec![Vec::new(); n];
        let every = if n < MIN_STRIPES { 1 } else { EVERY };
        let (some, rest): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % every == every / 2);
        self.add_lossless(&mut stripes, &some, left)?;
        let bytes: usize = stripes.iter().map(Vec::len).sum();
        let rows: usize = some.iter().map(|&i| self.cut.rows(i).len()).sum();
        let expected = bytes as f64 * self.picture.height() as f64 / rows as f64;
        if expected / MORE_ON_STRIPES > left as f64 {
            return None;
        }
        self.add_lossless(&mut stripes, &rest, left)?;
        let coded = Coded {
            segments: std::iter::once(first).chain(stripes).collect(),
            mse: 0.0,
        };
        (coded.len() <= budget).then_some(coded)
    }

    /// Codes some more of the stripes; none once all that are coded exceed `budget`, in whatever
    /// order they were begun.
    fn add_lossless(&self, stripes: &mut [Vec<u8>], which: &[usize], budget: usize) -> Option<()> {
        let used = AtomicUsize::new(stripes.iter().map(Vec::len).sum());
        let coded = parallel::map(which, |&i| {
            let left = budget.checked_sub(used.load(Ordering::Relaxed))?;
            let bytes = lossless::encode_within(self.picture, self.cut.rows(i), left);
            let length = bytes.as_ref().map_or(left.saturating_add(1), Vec::len);
            used.fetch_add(length, Ordering::Relaxed);
            bytes
        });
        for (&i, bytes) in which.iter().zip(coded) {
            stripes[i] = bytes?;
        }
        (used.into_inner() <= budget).then_some(())
    }

    fn lossless_header(&self) -> Header {
        Header {
            models: Models::Lossless,
            width: self.picture.width(),
            height: self.picture.height(),
            channels: self.picture.channels(),
            colour: None,
            step: 0,
        }
    }

    /// Whether a few rows suggest that the picture may fit.
    fn worth_trying(&self, budget: usize) -> bool {
        // Each takes a bit at the least, in photographs ten.
        if novelty::new_pixels(self.picture) > 8.0 * budget as f64 {
            return false;
        }
        let n = self.cut.n_stripes();
        let fits = |bytes: f64, more: f64| bytes / more <= budget as f64;
        if n >= FIRST_STRIPES {
            let first = (0..FIRST_STRIPES).map(|i| (2 * i + 1) * n / (2 * FIRST_STRIPES));
            if !fits(self.probe(first, FIRST_ROWS), MORE_ON_FIRST) {
                return false;
            }
        }
        fits(self.probe(0..n, PROBED_ROWS), MORE_ON_PROBES)
    }

    /// Estimated bytes of the lossless coding, from rows in the middle of some stripes.
    fn probe(&self, stripes: impl Iterator<Item = usize>, n_rows: usize) -> f64 {
        let probes: Vec<Range<usize>> = stripes
            .map(|i| {
                let rows = self.cut.rows(i);
                let n = rows.len().min(n_rows);
                let start = rows.start + (rows.len() - n) / 2;
                start..start + n
            })
            .collect();
        let n_rows: usize = probes.iter().map(Range::len).sum();
        let lengths = parallel::map(probes, |rows| lossless::encode(self.picture, rows).len());
        let bytes: usize = lengths.into_iter().sum();
        bytes as f64 * self.picture.height() as f64 / n_rows as f64
    }
}
