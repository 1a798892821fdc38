//! Shaping: of all digits that hold a message, those that change a cover least (`docs/format.md`,
//! section 5.4).
//!
//! One digit of six is free, and what the others hold depends on it. So many words of digits hold the
//! same message: one of them, plus any word of a convolutional code. The cheapest is found by
//! Viterbi's algorithm. This is trellis shaping (Forney 1992), known from steganography as
//! syndrome-trellis codes (Filler, Judas, Fridrich 2011). Where all digits cost the same, their errors
//! are 1.2 dB below those of as many digits of message that are all fixed.

/// Digits of a group, the first of which is free.
const GROUP: usize = 6;

/// Groups before its own that a digit depends on.
const MEMORY: usize = 5;

/// What a free digit adds to the digits of its group and of those that follow, modulo 3: the cheapest
/// of 120 random codes.
const CODE: [[u8; MEMORY + 1]; GROUP] = [
    [1, 2, 0, 0, 1, 2],
    [1, 0, 1, 2, 1, 1],
    [1, 2, 2, 0, 2, 0],
    [1, 1, 0, 2, 2, 2],
    [1, 2, 0, 2, 0, 1],
    [1, 1, 0, 0, 0, 2],
];

/// The last free digits, the latest one lowest.
const N_STATES: usize = 3_usize.pow(MEMORY as u32);

/// Words of a group's digits.
const N_WORDS: usize = 3_usize.pow(GROUP as u32);

/// What each value of a digit costs.
pub(super) type Costs = [u32; 3];

/// The most that a digit may cost: sums over a few groups have to fit.
pub(super) const DEAREST: u32 = 1 << 24;

/// Digits of message in so many digits.
pub(super) const fn n_message(n_digits: usize) -> usize {
    n_digits - n_digits / GROUP
}

/// The message that digits hold.
pub(super) fn message(digits: &[u8]) -> Vec<u8> {
    let (groups, rest) = digits.as_chunks::<GROUP>();
    let mut message = Vec::with_capacity(n_message(digits.len()));
    for t in 0..groups.len() {
        for j in 1..GROUP {
            let sum = filtered(groups, t, |past, i| {
                CODE[0][i] * past[j] + (3 - CODE[j][i]) * past[0]
            });
            message.push(sum % 3);
        }
    }
    message.extend(rest);
    message
}

/// The cheapest digits that hold a message of [`n_message`] digits; `costs` are one for each digit.
pub(super) fn shaped(message: &[u8], costs: &[Costs]) -> Vec<u8> {
    debug_assert_eq!(message.len(), n_message(costs.len()));
    let (costs, costs_of_rest) = costs.as_chunks::<GROUP>();
    let (message, rest) = message.split_at(message.len() - costs_of_rest.len());
    let mut groups = with_zeros(message);
    let free = cheapest(&groups, costs);
    for (t, group) in groups.iter_mut().enumerate() {
        for (j, digit) in group.iter_mut().enumerate() {
            let added: u8 = (0..=MEMORY.min(t)).map(|i| CODE[j][i] * free[t - i]).sum();
            *digit = (*digit + added) % 3;
        }
    }
    [groups.as_flattened(), rest].concat()
}

/// The digits that hold a message and whose free digits are zeros.
fn with_zeros(message: &[u8]) -> Vec<[u8; GROUP]> {
    let mut groups: Vec<[u8; GROUP]> = Vec::with_capacity(message.len() / (GROUP - 1));
    for (t, message) in message.chunks_exact(GROUP - 1).enumerate() {
        groups.push([0; GROUP]);
        for (j, &digit) in (1..).zip(message) {
            // The code's first digit is 1, so that this is what is missing.
            let sum = filtered(&groups, t, |past, i| (3 - CODE[0][i]) * past[j]);
            groups[t][j] = (digit + sum) % 3;
        }
    }
    groups
}

/// The sum of what each of the last groups up to `t` gives, told how long ago it was.
fn filtered(groups: &[[u8; GROUP]], t: usize, of: impl Fn(&[u8; GROUP], usize) -> u8) -> u8 {
    (0..=MEMORY.min(t)).map(|i| of(&groups[t - i], i)).sum()
}

/// The free digits that make `groups` cheapest.
fn cheapest(groups: &[[u8; GROUP]], costs: &[[Costs; GROUP]]) -> Vec<u8> {
    /// More than any way costs that begins in the first state.
    const FAR: u32 = 1 << 30;
    /// The step from one state to the next forgets the oldest digit.
    const OLDEST: usize = N_STATES / 3;
    let branches = branches();
    let mut totals = [FAR; N_STATES];
    totals[0] = 0;
    let mut forgotten = vec![[0_u8; N_STATES]; groups.len()];
    for ((group, costs), forgotten) in groups.iter().zip(costs).zip(&mut forgotten) {
        let words = costs_of_words(group, costs);
        let mut next = [0; N_STATES];
        for (state, (total, forgotten)) in next.iter_mut().zip(forgotten).enumerate() {
            let through = |oldest: usize| {
                let word = usize::from(branches[state][oldest]);
                totals[state / 3 + OLDEST * oldest] + words[word]
            };
            (*total, *forgotten) = (through(0), 0);
            for oldest in 1..3 {
                let through = through(oldest);
                if through < *total {
                    (*total, *forgotten) = (through, oldest as u8);
                }
            }
        }
        let least = next.iter().min().copied().unwrap_or(0);
        totals = next.map(|total| total - least);
    }
    let mut state = (0..N_STATES)
        .min_by_key(|&state| totals[state])
        .unwrap_or(0);
    let mut free: Vec<u8> = forgotten
        .iter()
        .rev()
        .map(|forgotten| {
            let latest = (state % 3) as u8;
            state = state / 3 + OLDEST * usize::from(forgotten[state]);
            latest
        })
        .collect();
    free.reverse();
    free
}

/// The word that is added on the way to each state, by the digit that is forgotten on it.
fn branches() -> Box<[[u16; 3]; N_STATES]> {
    let mut branches = Box::new([[0; 3]; N_STATES]);
    for (state, branches) in branches.iter_mut().enumerate() {
        for (oldest, branch) in branches.iter_mut().enumerate() {
            let mut left = state;
            let mut digits = [oldest; MEMORY + 1];
            for digit in &mut digits[..MEMORY] {
                (*digit, left) = (left % 3, left / 3);
            }
            *branch = CODE.iter().rev().fold(0, |word, code| {
                let added: usize = (code.iter().zip(digits))
                    .map(|(&code, digit)| usize::from(code) * digit)
                    .sum();
                3 * word + (added % 3) as u16
            });
        }
    }
    branches
}

/// What a group costs with each word added to it.
fn costs_of_words(group: &[u8; GROUP], costs: &[Costs; GROUP]) -> [u32; N_WORDS] {
    let mut words = [0; N_WORDS];
    let mut n = 1;
    for (&digit, costs) in group.iter().zip(costs) {
        for added in (0..3).rev() {
            let cost = costs[(usize::from(digit) + added) % 3];
            for word in 0..n {
                words[added * n + word] = words[word] + cost;
            }
        }
        n *= 3;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::ldpc::Random;
    use super::*;

    const _: () = assert!(CODE[0][0] == 1);

    fn random(n: usize) -> impl Iterator<Item = u64> {
        let mut random = Random::new(5);
        std::iter::repeat_with(move || random.next() >> 20).take(n)
    }

    fn cost(digits: &[u8], costs: &[Costs]) -> u64 {
        let of = |(&digit, costs): (&u8, &Costs)| u64::from(costs[usize::from(digit)]);
        digits.iter().zip(costs).map(of).sum()
    }

    /// Costs of a value that lies somewhere between multiples of a step of 1000.
    fn squares(n: usize) -> Vec<Costs> {
        let of = |value: u64| {
            std::array::from_fn(|digit| {
                let off = (value % 3000).abs_diff(1000 * digit as u64);
                (off.min(3000 - off) as u32).pow(2)
            })
        };
        random(n).map(of).collect()
    }

    #[test]
    fn shaped_digits_hold_the_message() {
        for n in [0, 3, 6, 47, 300, 5000] {
            let costs = squares(n);
            let wanted: Vec<u8> = random(n_message(n)).map(|n| (n % 3) as u8).collect();
            let digits = shaped(&wanted, &costs);
            assert!(digits.iter().all(|&digit| digit < 3));
            assert_eq!(message(&digits), wanted, "{n}");
        }
    }

    /// No other choice of two free digits is cheaper.
    #[test]
    fn none_is_cheaper() {
        let costs = squares(2 * GROUP);
        let wanted: Vec<u8> = random(n_message(2 * GROUP))
            .map(|n| (n % 3) as u8)
            .collect();
        let of_number = |mut number: usize| -> Vec<u8> {
            let digits = (0..2 * GROUP).map(|_| {
                let digit = number % 3;
                number /= 3;
                digit as u8
            });
            digits.collect()
        };
        let all = (0..3_usize.pow(2 * GROUP as u32)).map(of_number);
        let holding = all.filter(|digits| message(digits) == wanted);
        let least = holding.map(|digits| cost(&digits, &costs)).min();
        assert_eq!(Some(cost(&shaped(&wanted, &costs), &costs)), least);
    }

    /// Fixed digits of as much message cost `9^(5/6) / 12` squares of a step.
    #[test]
    fn errors_are_a_decibel_below_fixed_digits() {
        let n = 30_000;
        let costs = squares(n);
        let wanted: Vec<u8> = random(n_message(n)).map(|n| (n % 3) as u8).collect();
        let mean = cost(&shaped(&wanted, &costs), &costs) as f64 / n as f64 / 1e6;
        let fixed = 9_f64.powf(5.0 / 6.0) / 12.0;
        let gain_db = 10.0 * (fixed / mean).log10();
        assert!(gain_db > 1.15, "{gain_db}");
    }

    #[test]
    fn the_dearest_costs_fit() {
        let n = 60 * GROUP;
        let costs: Vec<Costs> = random(n)
            .map(|n| {
                if n % 2 == 0 {
                    [0, DEAREST, DEAREST]
                } else {
                    [DEAREST; 3]
                }
            })
            .collect();
        let wanted: Vec<u8> = random(n_message(n)).map(|n| (n % 3) as u8).collect();
        assert_eq!(message(&shaped(&wanted, &costs)), wanted);
    }
}
