//! All parts of a picture, in as little memory as their numbers need.

use crate::part::{Cut, Part, Shape};
use crate::simd::with_simd;

/// The coefficients of a picture, or their multiples of a step. Part 0 is the whole-picture part,
/// the stripes follow. Stripes are kept without their rows of level 3, which are in part 0.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    cut: Cut,
    parts: Vec<PackedPart>,
}

impl Parts {
    /// Parts of which none is there yet.
    pub(crate) fn missing(cut: &Cut) -> Self {
        let parts = cut.shapes().map(PackedPart::missing).collect();
        Self {
            cut: cut.clone(),
            parts,
        }
    }

    /// All parts, in order.
    pub(crate) fn new(cut: &Cut, parts: Vec<PackedPart>) -> Self {
        debug_assert_eq!(parts.len(), 1 + cut.n_stripes());
        Self {
            cut: cut.clone(),
            parts,
        }
    }

    pub(crate) fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Number of parts.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn n_planes(&self) -> usize {
        self.parts[0].planes.len()
    }

    pub(crate) fn shape(&self, i: usize) -> Shape {
        self.parts[i].shape
    }

    pub(crate) fn set(&mut self, i: usize, part: PackedPart) {
        self.parts[i] = part;
    }

    /// Part `i`, a stripe with its rows of level 3.
    pub(crate) fn part(&self, i: usize) -> Part {
        let packed = &self.parts[i];
        let mut part = Part::zeros(packed.shape, 0);
        part.planes = packed.planes.iter().map(Packed::unpacked).collect();
        if i > 0 {
            for (plane, whole) in part.planes.iter_mut().zip(&self.parts[0].planes) {
                let read = |from, row: &mut [i32]| whole.read(from, row);
                self.cut.copy_context(i - 1, &read, plane);
            }
        }
        part
    }

    #[cfg(feature = "fit")]
    pub(crate) fn unpacked(&self) -> Vec<Part> {
        (0..self.len()).map(|i| self.part(i)).collect()
    }

    /// Reads from plane `p` of part `i`, from index `from` on; zeros where the part is missing.
    #[inline(always)]
    pub(crate) fn read(&self, i: usize, p: usize, from: usize, out: &mut [i32]) {
        match self.parts[i].planes.get(p) {
            Some(plane) => plane.read(from, out),
            None => out.fill(0),
        }
    }
}

/// A part whose numbers are as narrow as they can be.
#[derive(Clone, Debug)]
pub(crate) struct PackedPart {
    shape: Shape,
    /// None where the part is missing.
    planes: Vec<Packed>,
}

impl PackedPart {
    /// A part that is not there.
    pub(crate) fn missing(shape: Shape) -> Self {
        Self {
            shape,
            planes: Vec::new(),
        }
    }

    /// Adds a plane.
    pub(crate) fn push(&mut self, plane: Packed) {
        self.planes.push(plane);
    }

    pub(crate) fn of(part: &Part) -> Self {
        let planes = part.planes.iter().map(|plane| Packed::of(plane));
        Self {
            shape: part.shape(),
            planes: planes.collect(),
        }
    }
}

/// Numbers in 8, 16 or 32 bits each, whatever takes the least memory; the few that do not fit stand
/// beside.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    numbers: Narrow,
    /// Index and value, by index.
    exceptions: Vec<(u32, i32)>,
}

#[derive(Clone, Debug)]
enum Narrow {
    Bytes(Vec<i8>),
    Shorts(Vec<i16>),
    Wide(Vec<i32>),
}

impl Packed {
    pub(crate) fn of(numbers: &[i32]) -> Self {
        let (mut beyond_byte, mut beyond_short) = (0, 0);
        // Counts of 32 bits, as wide as the numbers, for vectors.
        for numbers in numbers.chunks(1 << 16) {
            let (mut byte, mut short) = (0u32, 0u32);
            with_simd(
                #[inline(always)]
                || {
                    for &n in numbers {
                        byte += u32::from(n != i32::from(n as i8));
                        short += u32::from(n != i32::from(n as i16));
                    }
                },
            );
            beyond_byte += byte as usize;
            beyond_short += short as usize;
        }
        let memory = |bytes: usize, exceptions: usize| {
            bytes * numbers.len() + size_of::<(u32, i32)>() * exceptions
        };
        let (bytes, shorts) = (memory(1, beyond_byte), memory(2, beyond_short));
        if bytes.min(shorts) >= memory(4, 0) {
            Self {
                numbers: Narrow::Wide(numbers.to_vec()),
                exceptions: Vec::new(),
            }
        } else if bytes <= shorts {
            let exceptions = exceptions(numbers, |n| n != i32::from(n as i8));
            Self {
                numbers: Narrow::Bytes(numbers.iter().map(|&n| n as i8).collect()),
                exceptions,
            }
        } else {
            let exceptions = exceptions(numbers, |n| n != i32::from(n as i16));
            Self {
                numbers: Narrow::Shorts(numbers.iter().map(|&n| n as i16).collect()),
                exceptions,
            }
        }
    }

    fn unpacked(&self) -> Vec<i32> {
        let mut all: Vec<i32> = match &self.numbers {
            Narrow::Bytes(numbers) => numbers.iter().copied().map(Into::into).collect(),
            Narrow::Shorts(numbers) => numbers.iter().copied().map(Into::into).collect(),
            Narrow::Wide(numbers) => numbers.clone(),
        };
        for &(i, n) in &self.exceptions {
            all[i as usize] = n;
        }
        all
    }

    /// Reads numbers from index `from` on.
    #[inline(always)]
    fn read(&self, from: usize, out: &mut [i32]) {
        match &self.numbers {
            Narrow::Bytes(numbers) => widen(&numbers[from..], out),
            Narrow::Shorts(numbers) => widen(&numbers[from..], out),
            Narrow::Wide(numbers) => out.copy_from_slice(&numbers[from..][..out.len()]),
        }
        let first = self
            .exceptions
            .partition_point(|&(i, _)| (i as usize) < from);
        for &(i, n) in &self.exceptions[first..] {
            match out.get_mut(i as usize - from) {
                Some(out) => *out = n,
                None => break,
            }
        }
    }
}

#[inline(always)]
fn widen<T: Copy + Into<i32>>(numbers: &[T], out: &mut [i32]) {
    for (out, &n) in out.iter_mut().zip(numbers) {
        *out = n.into();
    }
}

fn exceptions(numbers: &[i32], is_one: impl Fn(i32) -> bool) -> Vec<(u32, i32)> {
    (0..)
        .zip(numbers)
        .filter(|&(_, &n)| is_one(n))
        .map(|(i, &n)| (i, n))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_come_back() {
        let extremes = [
            127,
            -128,
            128,
            -129,
            32_767,
            -32_768,
            32_768,
            -32_769,
            i32::MIN,
        ];
        for extreme in extremes {
            for every in [1, 2, 3, 40] {
                let numbers: Vec<i32> = (0..120)
                    .map(|i| if i % every == 0 { extreme } else { i - 60 })
                    .collect();
                let packed = Packed::of(&numbers);
                for from in [0, 1, 39, 40, 41, 119, 120] {
                    let mut back = vec![9; (numbers.len() - from).min(50)];
                    packed.read(from, &mut back);
                    assert_eq!(
                        back,
                        numbers[from..][..back.len()],
                        "{extreme} {every} {from}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_few_large_numbers_do_not_widen_the_others() {
        let mut numbers = vec![1; 1000];
        numbers[500] = 1 << 20;
        assert!(matches!(Packed::of(&numbers).numbers, Narrow::Bytes(_)));
        numbers.fill(300);
        assert!(matches!(Packed::of(&numbers).numbers, Narrow::Shorts(_)));
        numbers.fill(1 << 20);
        assert!(matches!(Packed::of(&numbers).numbers, Narrow::Wide(_)));
    }

    #[test]
    fn stripes_get_their_rows_of_level_3() {
        let (width, height) = (300, 700);
        let cut = Cut::new(width, height);
        let parts: Vec<PackedPart> = cut
            .shapes()
            .enumerate()
            .map(|(i, shape)| {
                let mut part = Part::zeros(shape, 1);
                for (k, n) in part.planes[0].iter_mut().enumerate() {
                    *n = if i == 0 { k as i32 } else { -1 };
                }
                PackedPart::of(&part)
            })
            .collect();
        assert!(parts.len() > 2);
        let whole_width = parts[0].shape.width;
        let parts = Parts::new(&cut, parts);
        for i in 1..parts.len() {
            let part = parts.part(i);
            let shape = part.shape();
            let child = shape.coded().into_iter().find(|b| b.level == 2).unwrap();
            let parent = shape.parent(&child).unwrap();
            // HL of level 3 starts right of the low band, at the row that the stripe starts with.
            let expected = cut.rows(i - 1).start / 8 * whole_width + width.div_ceil(8);
            assert_eq!(part.planes[0][parent.row(0)], expected as i32);
            assert_eq!(part.planes[0][child.row(0)], -1);
        }
    }
}
