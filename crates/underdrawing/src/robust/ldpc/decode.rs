//! Belief propagation, check by check.
//!
//! What a check's other digits say of one is a convolution of their probabilities: a product of their
//! Fourier transforms over the remainders modulo 3, which are one complex number each. Only
//! additions, products and quotients in a fixed order: no machine rounds them otherwise.

use super::super::lattice::Soft;
use super::Code;

/// Passes over all checks at most.
const ROUNDS: usize = 50;

/// Digits of a check that are worked on side by side.
const LANES: usize = 8;

type Lanes = [f32; LANES];

/// How likely a digit is to be 0, 1, 2.
type Belief = [f32; 3];

/// After so many rounds half of the checks hold, or no word will be found. Of 1,240 words that were
/// found none broke more than a third of them then; of those that were not, seven tenths broke more
/// than half for good, nearly as many as chance does.
const HOPE: usize = 4;

/// No message is surer than that.
const LEAST: f32 = 1e-4;

/// No belief is surer than that: products of it with two messages are no subnormal numbers, and it
/// is not reached by seven of the surest. Where a belief is cut off, taking out a message that is
/// part of it takes out too much, and the digit may turn into another.
const LEAST_BELIEF: f32 = 1e-30;

/// What stands in lanes that hold no digit: surely 0.
const NONE: Belief = [1.0, 0.0, 0.0];

/// The sine of a third of a turn.
const SINE: f32 = 0.866_025_4;

/// A decoding on its way.
pub(super) struct Decoder<'a> {
    code: &'a Code,
    /// Of each digit, and at the end of [`NONE`].
    beliefs: Vec<Belief>,
    /// Where each check's groups of lanes begin, and where the last one's end.
    starts: Vec<u32>,
    groups: Vec<Group>,
    scratch: Vec<Heard>,
}

/// Some of a check's digits, and what it told them last.
struct Group {
    digits: [u32; LANES],
    /// -1 where a digit counts negative.
    signs: Lanes,
    messages: [Lanes; 3],
}

/// What a check heard of a group of its digits.
#[derive(Clone, Copy, Default)]
struct Heard {
    /// What is believed of the digits without this check.
    own: [Lanes; 3],
    /// Transforms of it, with the digits' signs.
    transform: Complex,
    /// Products of the transforms of the same lanes in the groups before.
    before: Complex,
}

#[derive(Clone, Copy, Default)]
struct Complex {
    re: Lanes,
    im: Lanes,
}

const ONE: Complex = Complex {
    re: [1.0; LANES],
    im: [0.0; LANES],
};

impl<'a> Decoder<'a> {
    pub(super) fn new(code: &'a Code, soft: &[Soft]) -> Self {
        let surest = surest(code);
        let beliefs = soft.iter().map(|soft| belief(soft, surest));
        let none = soft.len() as u32;
        let (mut starts, mut groups) = (vec![0], Vec::new());
        let mut members = Vec::new();
        for check in 0..code.n_parity {
            members.clear();
            members.extend(code.check(check));
            members.push((code.n_information + check, false));
            if check > 0 {
                members.push((code.n_information + check - 1, true));
            }
            groups.extend(
                members
                    .chunks(LANES)
                    .map(|members| Group::new(members, none)),
            );
            starts.push(groups.len() as u32);
        }
        Self {
            code,
            beliefs: beliefs.chain([NONE]).collect(),
            starts,
            groups,
            scratch: Vec::new(),
        }
    }

    /// The information digits of the nearest codeword, if one is found.
    pub(super) fn run(mut self) -> Option<Vec<u8>> {
        let n = self.beliefs.len() - 1;
        for round in 0..ROUNDS {
            let digits: Option<Vec<u8>> = self.beliefs[..n].iter().map(likeliest).collect();
            if let Some(mut digits) = digits
                && self.code.holds(&digits)
            {
                digits.truncate(self.code.n_information);
                return Some(digits);
            }
            if round == HOPE && self.n_holding() * 2 < self.code.n_parity {
                return None;
            }
            self.round();
        }
        None
    }

    /// How many checks hold now.
    fn n_holding(&self) -> usize {
        let n = self.beliefs.len() - 1;
        let digits = self.beliefs[..n].iter().map(likeliest);
        let digits: Vec<u8> = digits.map(Option::unwrap_or_default).collect();
        self.code.n_holding(&digits)
    }

    fn round(&mut self) {
        for range in self.starts.windows(2) {
            let groups = &mut self.groups[range[0] as usize..range[1] as usize];
            self.scratch.clear();
            let mut before = ONE;
            for group in &*groups {
                let mut heard = group.hear(&self.beliefs);
                heard.before = before;
                before = before.times(heard.transform);
                self.scratch.push(heard);
            }
            // Each digit hears of all others: those of other lanes, and those of its own in the groups
            // before and after.
            let mut others = before.other_lanes();
            for (group, heard) in groups.iter_mut().zip(&self.scratch).rev() {
                group.tell(&mut self.beliefs, heard, heard.before.times(others));
                others = others.times(heard.transform);
            }
        }
    }
}

impl Group {
    fn new(members: &[(usize, bool)], none: u32) -> Self {
        let mut group = Self {
            digits: [none; LANES],
            signs: [1.0; LANES],
            messages: [[1.0; LANES]; 3],
        };
        for (lane, &(digit, negative)) in members.iter().enumerate() {
            group.digits[lane] = digit as u32;
            if negative {
                group.signs[lane] = -1.0;
            }
        }
        group
    }

    fn hear(&self, beliefs: &[Belief]) -> Heard {
        let mut own = [[0.0; LANES]; 3];
        for (lane, &digit) in self.digits.iter().enumerate() {
            for (own, belief) in own.iter_mut().zip(beliefs[digit as usize]) {
                own[lane] = belief;
            }
        }
        let [m0, m1, m2] = &self.messages;
        let mut heard = Heard::default();
        for lane in 0..LANES {
            // Quotients by the messages, up to a common factor.
            let a = own[0][lane] * (m1[lane] * m2[lane]);
            let b = own[1][lane] * (m0[lane] * m2[lane]);
            let c = own[2][lane] * (m0[lane] * m1[lane]);
            let scale = 1.0 / (a + b + c);
            let (a, b, c) = (a * scale, b * scale, c * scale);
            heard.own[0][lane] = a;
            heard.own[1][lane] = b;
            heard.own[2][lane] = c;
            heard.transform.re[lane] = a - 0.5 * (b + c);
            heard.transform.im[lane] = SINE * (b - c) * self.signs[lane];
        }
        heard
    }

    /// Tells the digits what the transform of the sum of all others says.
    fn tell(&mut self, beliefs: &mut [Belief], heard: &Heard, others: Complex) {
        let mut told = [[0.0; LANES]; 3];
        for lane in 0..LANES {
            let re = others.re[lane];
            // A digit that counts positive is the negative of the others' sum.
            let im = 2.0 * SINE * others.im[lane] * -self.signs[lane];
            let a = (1.0 + 2.0 * re).max(LEAST);
            let b = (1.0 - re + im).max(LEAST);
            let c = (1.0 - re - im).max(LEAST);
            self.messages[0][lane] = a;
            self.messages[1][lane] = b;
            self.messages[2][lane] = c;
            let (a, b, c) = (
                heard.own[0][lane] * a,
                heard.own[1][lane] * b,
                heard.own[2][lane] * c,
            );
            let scale = 1.0 / (a + b + c);
            told[0][lane] = (a * scale).max(LEAST_BELIEF);
            told[1][lane] = (b * scale).max(LEAST_BELIEF);
            told[2][lane] = (c * scale).max(LEAST_BELIEF);
        }
        let none = beliefs.len() - 1;
        for (lane, &digit) in self.digits.iter().enumerate() {
            beliefs[digit as usize] = told.map(|told| told[lane]);
        }
        beliefs[none] = NONE;
    }
}

impl Complex {
    fn times(self, other: Self) -> Self {
        let mut product = Self::default();
        for lane in 0..LANES {
            product.re[lane] = self.re[lane] * other.re[lane] - self.im[lane] * other.im[lane];
            product.im[lane] = self.re[lane] * other.im[lane] + self.im[lane] * other.re[lane];
        }
        product
    }

    /// In each lane the product of all others.
    fn other_lanes(self) -> Self {
        const { assert!(LANES == 8) }
        // Of the next lanes, so many.
        let one = self.turned::<1>();
        let two = one.times(one.turned::<1>());
        let four = two.times(two.turned::<2>());
        let six = four.times(two.turned::<4>());
        six.times(self.turned::<7>())
    }

    /// In each lane what is in the one `BY` further, in a circle.
    fn turned<const BY: usize>(self) -> Self {
        let turned = |lanes: Lanes| std::array::from_fn(|lane| lanes[(lane + BY) % LANES]);
        Self {
            re: turned(self.re),
            im: turned(self.im),
        }
    }
}

/// How sure a digit may be, in 1/8 of a natural logarithm.
///
/// Wrong digits that are as sure as can be hold each other up where their checks touch, whatever
/// the others say; then more parity corrects less. The bound is far below the share of wrong
/// digits that a code with so much parity corrects. On the ways of a photograph nothing was lost
/// by it that came back without.
fn surest(code: &Code) -> i16 {
    const WRONG_OF_PARITY: f32 = 1.0 / 80.0;
    let parity = code.n_parity as f32 / (code.n_information + code.n_parity) as f32;
    let surest = LIKELIHOODS
        .iter()
        .position(|&p| p < parity * WRONG_OF_PARITY);
    surest.unwrap_or(LIKELIHOODS.len() - 1) as i16
}

fn belief(soft: &Soft, surest: i16) -> Belief {
    let most = soft.iter().copied().max().unwrap_or(0);
    let belief = soft.map(|soft| LIKELIHOODS[usize::from((most - soft).min(surest) as u16)]);
    let scale = 1.0 / (belief[0] + belief[1] + belief[2]);
    belief.map(|p| p * scale)
}

/// Powers of e^(-1/8).
const LIKELIHOODS: [f32; 101] = {
    const EIGHTH: f32 = 0.882_496_9;
    let mut powers = [1.0; 101];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * EIGHTH;
        i += 1;
    }
    powers
};

/// What is believed of each digit, transformed over the integers modulo 3: of length 1 where it is
/// sure, and 0 where nothing is known. That of a sum is the product.
pub(super) fn transforms(code: &Code, soft: &[Soft]) -> Vec<[f32; 2]> {
    let surest = surest(code);
    let transform = |soft| {
        let [zero, one, two] = belief(soft, surest);
        [zero - 0.5 * (one + two), SINE * (one - two)]
    };
    soft.iter().map(transform).collect()
}

/// The likeliest digit; none where two are equally likely.
fn likeliest(belief: &Belief) -> Option<u8> {
    let [zero, one, two] = *belief;
    if zero > one && zero > two {
        Some(0)
    } else if one > zero && one > two {
        Some(1)
    } else if two > zero && two > one {
        Some(2)
    } else {
        None
    }
}
