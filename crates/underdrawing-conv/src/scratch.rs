//! Memory that a thread keeps between calls.
//!
//! Convolving a few pictures takes less time than the operating system needs to provide (and zero)
//! a megabyte of scratch: with fresh memory a call took twice as long.

use std::cell::RefCell;

thread_local! {
    /// Memory not in use: more than one piece if uses were nested.
    static SPARE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// A cache line, so that the memory is aligned to one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Calls `f` with slices of these lengths, each aligned to a cache line. They hold whatever earlier
/// uses left in them.
#[inline(always)]
pub(crate) fn with<R, const N: usize>(lens: [usize; N], f: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let mut memory = take(&lens);
    let result = f(split(&mut memory, lens));
    put_back(memory);
    result
}

fn take(lens: &[usize]) -> Vec<Line> {
    let lines = lens.iter().map(|len| len.div_ceil(LINE)).sum();
    let mut memory = SPARE.with_borrow_mut(|spare| spare.pop().unwrap_or_default());
    if memory.len() < lines {
        memory.clear(); // Growing need not copy the contents.
        memory.resize(lines, Line([0.0; LINE]));
    }
    memory
}

fn put_back(memory: Vec<Line>) {
    SPARE.with_borrow_mut(|spare| spare.push(memory));
}

fn split<const N: usize>(memory: &mut [Line], lens: [usize; N]) -> [&mut [f32]; N] {
    let mut rest = values(memory);
    lens.map(|len| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(len.next_multiple_of(LINE));
        rest = after;
        &mut part[..len]
    })
}

fn values(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a line is its 16 values, without padding.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_separate_slices_at_cache_lines() {
        with([3, 16, 0, 17], |[a, b, c, d]| {
            assert_eq!([a.len(), b.len(), c.len(), d.len()], [3, 16, 0, 17]);
            let address = |slice: &[f32]| slice.as_ptr().addr();
            assert_eq!(address(a) % 64, 0);
            assert_eq!(address(b), address(a) + 64);
            assert_eq!(address(d), address(b) + 64);
            a.fill(1.0);
            with([3], |[nested]| nested.fill(2.0));
            assert_eq!(a, [1.0; 3]);
        });
    }
}
