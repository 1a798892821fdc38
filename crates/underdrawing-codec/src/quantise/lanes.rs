//! Vectors of costs for the search's inner loop, which compilers do not reliably find by themselves.

/// Costs in a vector.
pub(super) const LANES: usize = 16;

/// Operations on vectors of [`LANES`] numbers.
pub(super) trait Vectors: Copy {
    type Vector: Copy;

    fn load(self, numbers: [i16; LANES]) -> Self::Vector;
    fn store(self, a: Self::Vector) -> [i16; LANES];
    fn splat(self, number: i16) -> Self::Vector;
    /// Eight numbers, each of them twice.
    fn twice(self, numbers: [i16; LANES / 2]) -> Self::Vector;
    /// Sums and differences wrap.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// -1 where `a` is less than `b`, else 0.
    fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `b` where the mask is -1, `a` where it is 0.
    fn pick(self, a: Self::Vector, b: Self::Vector, mask: Self::Vector) -> Self::Vector;
}

/// Arrays, for any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Vectors for Plain {
    type Vector = [i16; LANES];

    #[inline(always)]
    fn load(self, numbers: [i16; LANES]) -> Self::Vector {
        numbers
    }

    #[inline(always)]
    fn store(self, a: Self::Vector) -> [i16; LANES] {
        a
    }

    #[inline(always)]
    fn splat(self, number: i16) -> Self::Vector {
        [number; LANES]
    }

    #[inline(always)]
    fn twice(self, numbers: [i16; LANES / 2]) -> Self::Vector {
        each(|i| numbers[i / 2])
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(always)]
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each(|i| a[i].min(b[i]))
    }

    #[inline(always)]
    fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each(|i| -i16::from(a[i] < b[i]))
    }

    #[inline(always)]
    fn pick(self, a: Self::Vector, b: Self::Vector, mask: Self::Vector) -> Self::Vector {
        each(|i| a[i] ^ ((a[i] ^ b[i]) & mask[i]))
    }
}

#[inline(always)]
fn each(of: impl Fn(usize) -> i16) -> [i16; LANES] {
    let mut all = [0; LANES];
    for i in 0..LANES {
        all[i] = of(i);
    }
    all
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LANES, Vectors};
    use pulp::cast;
    use pulp::x86::V3;
    use std::arch::x86_64::{__m128i, __m256i};

    impl Vectors for V3 {
        type Vector = __m256i;

        #[inline(always)]
        fn load(self, numbers: [i16; LANES]) -> __m256i {
            cast(numbers)
        }

        #[inline(always)]
        fn store(self, a: __m256i) -> [i16; LANES] {
            cast(a)
        }

        #[inline(always)]
        fn splat(self, number: i16) -> __m256i {
            self.avx._mm256_set1_epi16(number)
        }

        #[inline(always)]
        fn twice(self, numbers: [i16; LANES / 2]) -> __m256i {
            let half: __m128i = cast(numbers);
            let quarters = self.avx._mm256_castsi128_si256(half);
            let spread = self
                .avx2
                ._mm256_permute4x64_epi64::<0b01_01_00_00>(quarters);
            self.avx2._mm256_unpacklo_epi16(spread, spread)
        }

        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_add_epi16(a, b)
        }

        #[inline(always)]
        fn sub(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_sub_epi16(a, b)
        }

        #[inline(always)]
        fn min(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_min_epi16(a, b)
        }

        #[inline(always)]
        fn less(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_cmpgt_epi16(b, a)
        }

        #[inline(always)]
        fn pick(self, a: __m256i, b: __m256i, mask: __m256i) -> __m256i {
            self.avx2._mm256_blendv_epi8(a, b, mask)
        }
    }
}
