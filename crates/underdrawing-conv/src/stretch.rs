//! Pictures cut into parts with margins.

/// A part along one side of a picture: `from..to` is kept of `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First of the margin before.
    pub start: usize,
    /// First of what is kept.
    pub from: usize,
    /// After the last of what is kept.
    pub to: usize,
    /// After the last of the margin behind.
    pub end: usize,
}

impl Stretch {
    /// Splits `size` into parts of at most `most`, but at least `step`, with a margin around
    /// each that ends at the picture's edges. All start at multiples of `step`.
    pub fn split(
        size: usize,
        most: usize,
        margin: usize,
        step: usize,
    ) -> impl Iterator<Item = Self> {
        let n = size.div_ceil((most / step).max(1) * step).max(1);
        let length = size.div_ceil(n).max(1).next_multiple_of(step);
        let margin = margin.next_multiple_of(step);
        (0..size).step_by(length).map(move |from| {
            let to = (from + length).min(size);
            Self {
                start: from.saturating_sub(margin),
                from,
                to,
                end: (to + margin).min(size),
            }
        })
    }

    /// What is kept; never nothing.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a part is never empty")]
    pub fn len(&self) -> usize {
        self.to - self.from
    }

    /// With the margins.
    #[must_use]
    pub fn len_with_margins(&self) -> usize {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_start_at_multiples_and_keep_their_margin() {
        for size in 1..200 {
            for (most, margin, step) in [(1, 3, 8), (16, 0, 8), (17, 7, 4), (64, 78, 8)] {
                let mut end = 0;
                for part in Stretch::split(size, most, margin, step) {
                    assert_eq!(part.from, end);
                    end = part.to;
                    assert!(part.len() <= most.max(step));
                    assert!(part.start % step == 0 && part.from % step == 0);
                    assert!(part.end % step == 0 || part.end == size);
                    assert!(part.start == 0 || part.from - part.start >= margin);
                    assert!(part.end == size || part.end - part.to >= margin);
                    assert_eq!(part.len_with_margins(), part.end - part.start);
                }
                assert_eq!(end, size);
            }
        }
        assert_eq!(Stretch::split(70, 16, 0, 8).count(), 5);
        assert_eq!(Stretch::split(70, usize::MAX, 0, 8).count(), 1);
    }
}
