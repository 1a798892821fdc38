//! Interleaved RGB to colour planes, `[3, height, width]`, and back.

use crate::picture::{Limits, Pixels, PixelsError};

/// A sample that networks can work on.
pub(crate) trait UnitSample: Copy {
    /// With black 0 and white 1.
    fn unit(self) -> f32;
}

impl UnitSample for u8 {
    fn unit(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl UnitSample for f32 {
    fn unit(self) -> f32 {
        self
    }
}

/// Planes of a stretch of rows.
pub(crate) struct Planes<'a, T> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `[3, height, width]`.
    pub(crate) samples: &'a [T],
}

impl<S: Copy> Planes<'_, S> {
    /// Writes the rows, from row `y`, into the left of an interleaved picture of `columns`.
    pub(crate) fn interleave<T>(
        &self,
        picture: &mut [T],
        columns: usize,
        y: usize,
        convert: impl Fn(S) -> T,
    ) {
        for (i, line) in self.samples.chunks_exact(self.width).enumerate() {
            let (channel, row) = (i / self.height, i % self.height);
            let left = 3 * (y + row) * columns + channel;
            for (target, &value) in picture[left..].iter_mut().step_by(3).zip(line) {
                *target = convert(value);
            }
        }
    }
}

impl Pixels {
    /// The colour planes, `[3, height, width]`, with black 0 and white 1.
    #[must_use]
    pub fn to_planes(&self) -> Vec<f32> {
        let mut planes = Vec::with_capacity(self.data().len());
        for channel in 0..3 {
            let plane = self.data().iter().skip(channel).step_by(3);
            planes.extend(plane.map(|sample| sample.unit()));
        }
        planes
    }

    /// A picture of colour planes, `[3, height, width]`, that were rounded to 8 bits.
    ///
    /// # Errors
    /// As [`Pixels::rgb8`].
    pub fn from_planes(planes: &[u8], width: usize, height: usize) -> Result<Self, PixelsError> {
        Limits::default().check(width as u64, height as u64)?;
        let mut data = vec![0; planes.len()];
        if planes.len() == 3 * width * height {
            let planes = Planes {
                width,
                height,
                samples: planes,
            };
            planes.interleave(&mut data, width, 0, |sample| sample);
        }
        Self::rgb8(data, width, height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_come_back_as_the_picture() {
        let picture = Pixels::from_fn(3, 2, |x, y| [x as u8, 100 + y as u8, 255]).unwrap();
        let planes = picture.to_planes();
        let bytes: Vec<u8> = planes.iter().map(|v| (255.0 * v).round() as u8).collect();
        assert_eq!(bytes[..6], [0, 1, 2, 0, 1, 2]);
        assert_eq!(bytes[6..12], [100, 100, 100, 101, 101, 101]);
        assert_eq!(planes[12..], [1.0; 6]);
        assert_eq!(Pixels::from_planes(&bytes, 3, 2), Ok(picture));
        assert!(Pixels::from_planes(&bytes, 2, 2).is_err());
        assert!(Pixels::from_planes(&[], 0, 2).is_err());
    }
}
