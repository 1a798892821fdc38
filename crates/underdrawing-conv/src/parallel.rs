//! Loops on all threads.
//!
//! rayon's iterators are compiled anew for each closure, and made up a quarter of the code that the
//! compiler had to optimise. These functions are compiled once. Calling the closure through a
//! pointer costs next to nothing, since an item is a lot of work.

use rayon::prelude::*;

/// Calls `f` with all numbers below `count`.
pub(crate) fn each(count: usize, f: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().for_each(f);
}

/// Calls `f` with the index of each chunk of `len` values, and the chunk. The last one may be
/// shorter.
pub(crate) fn each_chunk(values: &mut [f32], len: usize, f: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let chunks = values.par_chunks_mut(len).enumerate();
    chunks.for_each(|(idx, chunk)| f(idx, chunk));
}
