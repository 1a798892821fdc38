//! Huffman codes for one picture.

use crate::jpeg::{Block, WALK};

/// What is written for a coefficient: a code, and bits of the value.
pub(super) struct Symbol {
    /// Of the constant part's codes.
    pub(super) constant: bool,
    pub(super) symbol: u8,
    pub(super) value: u32,
    pub(super) length: u32,
}

/// Calls `put` with all that is written for a block.
pub(super) fn symbols(block: &Block, last: i16, mut put: impl FnMut(Symbol)) {
    let (value, length) = bits_of(i32::from(block[0]) - i32::from(last));
    put(Symbol {
        constant: true,
        symbol: length as u8,
        value,
        length,
    });
    let mut zeros = 0;
    let other = |symbol, value, length| Symbol {
        constant: false,
        symbol,
        value,
        length,
    };
    for &place in &WALK[1..] {
        let coefficient = block[usize::from(place)];
        if coefficient == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            put(other(0xf0, 0, 0));
            zeros -= 16;
        }
        let (value, length) = bits_of(coefficient.into());
        put(other(zeros << 4 | length as u8, value, length));
        zeros = 0;
    }
    if zeros > 0 {
        put(other(0, 0, 0));
    }
}

/// A value's bits and their number; negative ones have all bits turned.
fn bits_of(value: i32) -> (u32, u32) {
    let length = 32 - value.unsigned_abs().leading_zeros();
    assert!(length <= 11, "a coefficient is within baseline's range");
    let bits = if value < 0 {
        value + (1 << length) - 1
    } else {
        value
    };
    (bits as u32, length)
}

/// How often symbols occur.
pub(super) struct Symbols {
    constant: [u32; 256],
    others: [u32; 256],
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            constant: [0; 256],
            others: [0; 256],
        }
    }
}

/// Codes of the constant parts and of all others.
pub(super) struct Pair {
    pub(super) constant: Codes,
    pub(super) others: Codes,
}

impl Symbols {
    pub(super) fn count(&mut self, block: &Block, last: i16) {
        symbols(block, last, |symbol| {
            let counts = if symbol.constant {
                &mut self.constant
            } else {
                &mut self.others
            };
            counts[usize::from(symbol.symbol)] += 1;
        });
    }

    pub(super) fn codes(self) -> Pair {
        Pair {
            constant: Codes::new(&self.constant),
            others: Codes::new(&self.others),
        }
    }
}

pub(super) struct Codes {
    /// Code and length of each symbol; length 0 for those that do not occur.
    codes: [(u16, u8); 256],
    counts: [u8; 16],
    /// In the order of their codes.
    order: Vec<u8>,
}

impl Codes {
    /// The shortest codes of at most 16 bits, none of ones alone (ITU-T T.81, K.2).
    fn new(occurrences: &[u32; 256]) -> Self {
        let lengths = lengths(occurrences);
        let mut order: Vec<usize> = (0..256).filter(|&symbol| lengths[symbol] > 0).collect();
        order.sort_by_key(|&symbol| (lengths[symbol], symbol));
        let (mut codes, mut counts) = ([(0, 0); 256], [0; 16]);
        let (mut code, mut before) = (0_u32, 0);
        for &symbol in &order {
            let length = lengths[symbol];
            code <<= length - before;
            before = length;
            codes[symbol] = (code as u16, length);
            counts[usize::from(length) - 1] += 1;
            code += 1;
        }
        Self {
            codes,
            counts,
            order: order.into_iter().map(|symbol| symbol as u8).collect(),
        }
    }

    pub(super) fn of(&self, symbol: u8) -> (u32, u32) {
        let (code, length) = self.codes[usize::from(symbol)];
        (code.into(), length.into())
    }

    /// The content of the file's segment: how many codes of each length, then their symbols.
    pub(super) fn description(&self) -> impl Iterator<Item = u8> {
        self.counts
            .iter()
            .copied()
            .chain(self.order.iter().copied())
    }
}

/// The lengths of codes. One more symbol takes part, the rarest, whose code is of ones alone.
fn lengths(occurrences: &[u32; 256]) -> [u8; 256] {
    let mut lengths = [0; 256];
    // Halving the counts flattens the tree, until it is at most 16 deep.
    for halvings in 0.. {
        let halved = |n: u32| u64::from((n >> halvings).max(1));
        let mut nodes: Vec<(u64, Vec<usize>)> = vec![(0, vec![256])];
        nodes.extend(
            (0..256)
                .filter(|&symbol| occurrences[symbol] > 0)
                .map(|symbol| (halved(occurrences[symbol]), vec![symbol])),
        );
        let mut depth = [0_u8; 257];
        while nodes.len() > 1 {
            nodes.sort_by_key(|node| std::cmp::Reverse(node.0));
            let (Some(a), Some(b)) = (nodes.pop(), nodes.pop()) else {
                break;
            };
            let mut members = a.1;
            members.extend(b.1);
            for &symbol in &members {
                depth[symbol] += 1;
            }
            nodes.push((a.0 + b.0, members));
        }
        if depth.iter().all(|&depth| depth <= 16) {
            // The code of ones alone is the last of the longest: leaving it out leaves the others.
            let longest = depth.iter().copied().max().unwrap_or(0);
            lengths.copy_from_slice(&depth[..256]);
            debug_assert!(depth[256] == longest);
            break;
        }
    }
    lengths
}
