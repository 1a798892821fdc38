//! How a secret of any size and aspect is brought to a cover, and back.

use std::borrow::Cow;

use crate::picture::{Pixels, Raster, Sample};

/// Width and height in pixels.
pub(crate) type Size = (usize, usize);

/// How one secret fits one cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The cover's size, and the container's.
    pub(crate) cover: Size,
    /// The secret's own size.
    pub(crate) secret: Size,
    /// The secret is turned 90 degrees clockwise.
    pub(crate) turned: bool,
}

/// Whether turning the secret by 90 degrees brings its aspect nearer to the cover's.
///
/// Nearer means a smaller difference of the logarithms of both aspects, and that comes down to one
/// picture being upright and the other lying; a square one is never turned.
pub(crate) fn turns(cover: Size, secret: Size) -> bool {
    let lying = |(width, height): Size| width > height;
    let upright = |(width, height): Size| width < height;
    (lying(cover) && upright(secret)) || (upright(cover) && lying(secret))
}

impl Placement {
    /// The size that networks work at: the cover's, rounded down to even sides (the Haar transform
    /// takes pixels two by two).
    ///
    /// A cover's odd last column or row stays as it is. Padding was considered instead: a padded
    /// column is lost when the container is brought back to the cover's size, and disturbs the
    /// columns beside it.
    pub(crate) fn working(&self) -> Size {
        (self.cover.0 / 2 * 2, self.cover.1 / 2 * 2)
    }

    /// The secret's size after the turn.
    fn turned_secret(&self) -> Size {
        if self.turned {
            (self.secret.1, self.secret.0)
        } else {
            self.secret
        }
    }

    /// The secret, turned, has the cover's size: no sample of it is resampled.
    fn exact(&self) -> bool {
        self.turned_secret() == self.cover
    }

    /// Whether the secret, turned or not, is resampled.
    pub(crate) fn resizes(&self) -> bool {
        !self.exact()
    }

    /// The secret, turned and brought to the working size; in the exact case to the cover's size,
    /// whose odd last column and row are not hidden.
    pub(crate) fn prepare<'a>(&self, secret: &'a Pixels) -> Cow<'a, Pixels> {
        let secret = if self.turned {
            Cow::Owned(secret.turned_clockwise())
        } else {
            Cow::Borrowed(secret)
        };
        let (width, height) = self.working();
        if self.exact() || (secret.width(), secret.height()) == (width, height) {
            return secret;
        }
        Cow::Owned(Pixels::from_raster(secret.raster().resized(width, height)))
    }

    /// A revealed picture of the working size in the secret's own form.
    ///
    /// In the exact case the odd last column and row repeat their neighbours.
    pub(crate) fn restore<T: Sample>(&self, revealed: Raster<T>) -> Raster<T> {
        let (width, height) = self.turned_secret();
        let whole = if (revealed.width, revealed.height) == (width, height) {
            revealed
        } else if self.exact() {
            revealed.extended(width, height)
        } else {
            revealed.resized(width, height)
        };
        if self.turned {
            whole.turned_counter_clockwise()
        } else {
            whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(placement: &Placement, revealed: &Pixels) -> Pixels {
        Pixels::from_raster(placement.restore(revealed.raster().clone()))
    }

    #[test]
    fn turns_when_that_brings_the_aspects_nearer() {
        let log_aspect = |(w, h): Size| (w as f64 / h as f64).ln();
        for cover in [(16, 16), (16, 17), (40, 30), (30, 40), (100, 16)] {
            for secret in [(1, 1), (1, 70), (70, 1), (31, 30), (30, 31), (64, 64)] {
                let (a, b) = (log_aspect(cover), log_aspect(secret));
                let nearer = (a + b).abs() < (a - b).abs() - 1e-12;
                assert_eq!(turns(cover, secret), nearer, "{cover:?} {secret:?}");
            }
        }
    }

    #[test]
    fn equal_sizes_lose_only_the_odd_edge() {
        let secret = Pixels::from_fn(19, 17, |x, y| [x as u8, y as u8, 7]).unwrap();
        let placement = Placement {
            cover: (19, 17),
            secret: (19, 17),
            turned: false,
        };
        assert_eq!(placement.working(), (18, 16));
        assert_eq!(*placement.prepare(&secret), secret, "nothing is resampled");
        let revealed = Pixels::from_fn(18, 16, |x, y| secret.pixel(x, y)).unwrap();
        let restored = restored(&placement, &revealed);
        assert_eq!((restored.width(), restored.height()), (19, 17));
        assert_eq!(restored.pixel(17, 15), secret.pixel(17, 15));
        assert_eq!(
            restored.pixel(18, 16),
            secret.pixel(17, 15),
            "the edge repeats"
        );
    }

    #[test]
    fn restores_a_turned_secret_to_its_own_form() {
        let secret = Pixels::from_fn(16, 24, |x, y| [x as u8, y as u8, 7]).unwrap();
        let placement = Placement {
            cover: (24, 16),
            secret: (16, 24),
            turned: true,
        };
        let prepared = placement.prepare(&secret).into_owned();
        assert_eq!((prepared.width(), prepared.height()), (24, 16));
        assert_eq!(restored(&placement, &prepared), secret);
    }

    #[test]
    fn floats_and_bytes_are_restored_alike() {
        for (cover, own, turned) in [
            ((19, 17), (19, 17), false),
            ((16, 24), (16, 24), false),
            ((17, 24), (24, 17), true),
            ((20, 16), (31, 9), false),
        ] {
            let placement = Placement {
                cover,
                secret: own,
                turned,
            };
            let (width, height) = placement.working();
            let revealed =
                Pixels::from_fn(width, height, |x, y| [8 * x as u8, 9 * y as u8, 7]).unwrap();
            let floats = Raster {
                width,
                height,
                samples: revealed.data().iter().map(|&v| f32::from(v)).collect(),
            };
            let (bytes, floats) = (restored(&placement, &revealed), placement.restore(floats));
            assert_eq!((floats.width, floats.height), own);
            assert_eq!((bytes.width(), bytes.height()), own);
            for (&byte, float) in bytes.data().iter().zip(floats.samples) {
                // Resampling of bytes rounds twice, once a direction, and clamps between.
                assert!(
                    (f32::from(byte) - float.clamp(0.0, 255.0)).abs() <= 1.5,
                    "{own:?}"
                );
            }
        }
    }
}
