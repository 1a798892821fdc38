//! One dimension of the 9/7 wavelet: four lifting steps on even and odd samples.
//!
//! The even samples become the low band, the odd ones the high band. They are not scaled at the
//! end; the bands' norms account for that. All arithmetic wraps, and each step only adds a function
//! of the other half, so the inverse is exact for any input.

/// The four lifting steps in forward order. Each adds a multiple of the neighbours' sum to one
/// half.
///
/// The constants are those of the CDF 9/7 factorisation: -1.586134342, -0.052980119, 0.882911076
/// and 0.443506852. Their remainders after a multiple of one half are in 1/32768, so the products
/// stay within 32 bits for pictures, where sums are below 500,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LiftingStep {
    Alpha,
    Beta,
    Gamma,
    Delta,
}

impl LiftingStep {
    /// The step's multiple of the neighbours' sum.
    #[inline(always)]
    pub(crate) fn of(self, sum: i32) -> i32 {
        let part = |c: i32| sum.wrapping_mul(c).wrapping_add(1 << 14) >> 15;
        match self {
            LiftingStep::Alpha => 0i32
                .wrapping_sub(sum)
                .wrapping_sub(sum >> 1)
                .wrapping_sub(part(2822)),
            LiftingStep::Beta => 0i32.wrapping_sub(part(1736)),
            LiftingStep::Gamma => sum.wrapping_sub(part(3837)),
            LiftingStep::Delta => (sum >> 1).wrapping_sub(part(1851)),
        }
    }

    /// Whether the step changes the odd samples.
    pub(crate) fn on_odd(self) -> bool {
        matches!(self, LiftingStep::Alpha | LiftingStep::Gamma)
    }
}

/// Steps in forward order.
pub(crate) const FORWARD: [LiftingStep; 4] = [
    LiftingStep::Alpha,
    LiftingStep::Beta,
    LiftingStep::Gamma,
    LiftingStep::Delta,
];

/// Steps in inverse order.
pub(crate) const INVERSE: [LiftingStep; 4] = [
    LiftingStep::Delta,
    LiftingStep::Gamma,
    LiftingStep::Beta,
    LiftingStep::Alpha,
];

/// Adds a step's terms to a line, or subtracts them; `before` and `after` hold the neighbours.
#[inline(always)]
pub(crate) fn step_lines<const SUBTRACT: bool>(
    step: LiftingStep,
    target: &mut [i32],
    before: &[i32],
    after: &[i32],
) {
    for ((t, &a), &b) in target.iter_mut().zip(before).zip(after) {
        let term = step.of(a.wrapping_add(b));
        *t = if SUBTRACT {
            t.wrapping_sub(term)
        } else {
            t.wrapping_add(term)
        };
    }
}

/// One step along a line, given as even and odd samples; the line is mirrored at both ends.
#[inline(always)]
pub(crate) fn step_in_line<const SUBTRACT: bool>(
    step: LiftingStep,
    even: &mut [i32],
    odd: &mut [i32],
) {
    let (n_even, n_odd) = (even.len(), odd.len());
    if n_odd == 0 {
        return;
    }
    if step.on_odd() {
        step_lines::<SUBTRACT>(step, &mut odd[..n_even - 1], even, &even[1..]);
        if n_odd == n_even {
            let last = even[n_even - 1];
            step_lines::<SUBTRACT>(step, &mut odd[n_odd - 1..], &[last], &[last]);
        }
    } else {
        step_lines::<SUBTRACT>(step, &mut even[..1], &odd[..1], &odd[..1]);
        step_lines::<SUBTRACT>(step, &mut even[1..n_odd], odd, &odd[1..]);
        if n_even > n_odd {
            let last = odd[n_odd - 1];
            step_lines::<SUBTRACT>(step, &mut even[n_odd..], &[last], &[last]);
        }
    }
}

/// Transforms a line. `halves` takes the even samples, followed by the odd ones.
#[inline(always)]
pub(crate) fn forward_line(line: &[i32], halves: &mut [i32]) {
    let (even, odd) = halves.split_at_mut(line.len().div_ceil(2));
    for (e, pair) in even.iter_mut().zip(line.chunks(2)) {
        *e = pair[0];
    }
    for (o, pair) in odd.iter_mut().zip(line.chunks_exact(2)) {
        *o = pair[1];
    }
    for step in FORWARD {
        step_in_line::<false>(step, even, odd);
    }
}

/// The inverse of [`forward_line`]; it overwrites `halves`.
#[inline(always)]
pub(crate) fn inverse_line(halves: &mut [i32], line: &mut [i32]) {
    let (even, odd) = halves.split_at_mut(line.len().div_ceil(2));
    for step in INVERSE {
        step_in_line::<true>(step, even, odd);
    }
    for (pair, (&e, &o)) in line.chunks_exact_mut(2).zip(even.iter().zip(&*odd)) {
        pair[0] = e;
        pair[1] = o;
    }
    if even.len() > odd.len() {
        line[2 * odd.len()] = even[odd.len()];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_length_come_back() {
        for n in 1..=41usize {
            let line: Vec<i32> = (0..n as i32).map(|i| (i * 7919 % 255 - 128) * 64).collect();
            let mut halves = vec![0; n];
            forward_line(&line, &mut halves);
            let mut back = vec![0; n];
            inverse_line(&mut halves, &mut back);
            assert_eq!(back, line, "length {n}");
        }
    }

    #[test]
    fn a_straight_line_has_no_details() {
        let line: Vec<i32> = (0..64).map(|i| i * 640).collect();
        let mut halves = vec![0; 64];
        forward_line(&line, &mut halves);
        // Mirroring bends the line at its ends; inside, the four vanishing moments hold.
        assert!(halves[34..62].iter().all(|d| d.abs() <= 4), "{halves:?}");
    }

    #[test]
    fn the_low_band_keeps_the_mean_times_1_23() {
        let mut halves = vec![0; 32];
        forward_line(&[8000; 32], &mut halves);
        assert!(
            halves[..16].iter().all(|&v| (v - 9841).abs() <= 3),
            "{halves:?}"
        );
    }
}
