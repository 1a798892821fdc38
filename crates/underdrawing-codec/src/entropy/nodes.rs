//! The questions that a whole number becomes: a zero flag, a sign, a unary magnitude up to 5, then
//! doubling intervals, and bisections of the interval that it lies in. Each has a number, its node.

/// Nodes: zero, sign, four of the unary part, 16 intervals, 16 first bisections, 10 later ones.
pub(crate) const NODES: usize = 48;

/// Nodes that nearly all bits belong to: zero, sign and unary.
pub(crate) const MAIN_NODES: usize = 6;

const INTERVAL_NODE: usize = 6;
const HALVING_NODE: usize = 22;
const LATER_NODE: usize = 38;

/// Magnitudes below this are coded in unary.
pub(crate) const UNARY: i32 = 5;

/// The most doublings: magnitudes stay below 5 + 2^21.
const MAX_DOUBLINGS: usize = 21;

/// A question about a magnitude that is at least `begin`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// Whether it is beyond the interval of `size` from there.
    Beyond {
        /// Where the interval begins.
        begin: i32,
        /// How long it is.
        size: i32,
    },
    /// Whether it is in the upper half of an interval of twice `size` from there.
    Upper {
        /// Where the interval begins.
        begin: i32,
        /// Half of its length.
        size: i32,
    },
}

impl Question {
    /// What is answered for a magnitude.
    #[inline(always)]
    pub(crate) fn answer(self, v: i32) -> bool {
        match self {
            Self::Beyond { begin, size } | Self::Upper { begin, size } => v >= begin + size,
        }
    }
}

/// The part of a magnitude from [`UNARY`] on; `ask` answers the question of a node.
#[inline(always)]
pub(crate) fn tail(mut ask: impl FnMut(usize, Question) -> bool) -> i32 {
    let (mut begin, mut size, mut doublings) = (UNARY, 1, 0usize);
    while doublings < MAX_DOUBLINGS {
        let node = INTERVAL_NODE + doublings.min(15);
        if !ask(node, Question::Beyond { begin, size }) {
            break;
        }
        begin += size;
        size *= 2;
        doublings += 1;
    }
    let mut first = true;
    while size > 1 {
        size /= 2;
        let node = if first {
            HALVING_NODE + doublings.min(15)
        } else {
            LATER_NODE + (size.ilog2() as usize).min(9)
        };
        first = false;
        if ask(node, Question::Upper { begin, size }) {
            begin += size;
        }
    }
    begin
}
