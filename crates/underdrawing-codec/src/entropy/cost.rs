//! The cost of a bit, in integers.

use super::BitCoder;

/// The cost of one bit; costs are in 1/65536 bit.
pub(crate) const COST_ONE: u32 = 1 << 16;

/// `-log2(64 i / 65536)` in [`COST_ONE`]ths; only the upper half is used.
static COSTS: [u32; 1025] = costs();

/// Sums the cost of bits without writing them: multiplies their likelihoods, which takes fewer
/// instructions than adding their logarithms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostEstimator {
    /// Product of the likelihoods, times 2^`doubled`; at least [`SMALL`].
    product: f64,
    doubled: u64,
}

/// Products below this are doubled [`DOUBLINGS`] times; one more likelihood, 2^-16 at least, does not
/// make them denormal.
const SMALL: f64 = 1.0 / LARGE;
const DOUBLINGS: u64 = 512;
/// 2^[`DOUBLINGS`].
const LARGE: f64 = f64::from_bits((1023 + DOUBLINGS) << 52);

impl Default for CostEstimator {
    fn default() -> Self {
        Self {
            product: 1.0,
            doubled: 0,
        }
    }
}

impl CostEstimator {
    /// The sum in bits, the same on every machine.
    pub(crate) fn bits(&self) -> f64 {
        let bits = self.product.to_bits();
        // A product is 2^-`halved` times a number from 1 to 2.
        let (halved, mantissa) = (1023 - (bits >> 52), bits & ((1 << 52) - 1));
        let log = log2((1 << 31) | (mantissa >> 21)) - (31 << 16);
        (self.doubled + halved) as f64 - f64::from(log) / f64::from(COST_ONE)
    }
}

impl BitCoder for CostEstimator {
    #[inline(always)]
    fn code(&mut self, bit: bool, chance: u16) -> bool {
        let likelihood = if bit {
            u32::from(chance)
        } else {
            65536 - u32::from(chance)
        };
        self.product *= f64::from(likelihood) * (1.0 / 65536.0);
        if self.product < SMALL {
            self.product *= LARGE;
            self.doubled += DOUBLINGS;
        }
        bit
    }
}

/// Cost in 1/65536 bit of an event of probability `likelihood` / 65536; 1 to 65535.
#[inline(always)]
pub(crate) fn cost(likelihood: u32) -> u32 {
    // Small ones are scaled up first, since the table's equal steps are too coarse for them.
    let shift = likelihood.leading_zeros().saturating_sub(16);
    let scaled = likelihood << shift;
    let (step, within) = ((scaled >> 6) as usize & 1023, scaled & 63);
    let above = COSTS[step + 1];
    above + (((COSTS[step] - above) * (64 - within)) >> 6) + (shift << 16)
}

const fn costs() -> [u32; 1025] {
    let mut table = [0; 1025];
    let mut i = 1;
    while i <= 1024 {
        table[i] = (16 << 16) - log2(64 * i as u64);
        i += 1;
    }
    table
}

/// `log2(x)` in 1/65536, rounded down; `x` is at least 1. Bit by bit: squaring doubles the
/// logarithm.
const fn log2(x: u64) -> u32 {
    let whole = x.ilog2();
    let mut mantissa = x << (31 - whole); // In [2^31, 2^32): 1 to 2 with 31 fraction bits.
    let mut result = whole;
    let mut bit = 0;
    while bit < 16 {
        mantissa = (mantissa * mantissa) >> 31;
        result <<= 1;
        if mantissa >> 32 != 0 {
            result += 1;
            mantissa >>= 1;
        }
        bit += 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_logarithms() {
        for likelihood in 1..65536 {
            let exact = -(f64::from(likelihood) / 65536.0).log2();
            let found = f64::from(cost(likelihood)) / 65536.0;
            assert!(
                (found - exact).abs() < 0.0001,
                "{likelihood}: {found} {exact}"
            );
        }
    }

    #[test]
    fn a_fair_bit_costs_one() {
        let mut counter = CostEstimator::default();
        for i in 0..1000 {
            counter.code(i % 2 == 0, 32768);
        }
        assert!((counter.bits() - 1000.0).abs() < 1e-3);
    }

    #[test]
    fn likely_and_unlikely_bits_cost_their_logarithms() {
        for chance in [1, 2, 9_000, 50_000, 65_534, 65_535] {
            for bit in [false, true] {
                let mut counter = CostEstimator::default();
                for _ in 0..20_000 {
                    counter.code(bit, chance);
                }
                let ones = f64::from(chance) / 65536.0;
                let likelihood = if bit { ones } else { 1.0 - ones };
                let (found, exact) = (counter.bits(), -20_000.0 * likelihood.log2());
                assert!(
                    (found - exact).abs() < 1e-3 + 1e-9 * exact,
                    "{chance}: {found} {exact}"
                );
            }
        }
    }
}
