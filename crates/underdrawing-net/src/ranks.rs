//! Processes that train the same networks together, each on its share of every batch.

use std::fmt::Debug;

use bytemuck::{Pod, cast_slice, cast_slice_mut};

/// What one process knows of the others. All of them call the same methods in the same order; each
/// call waits for the others' and gives everyone the same.
pub trait Ranks: Debug {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// `pieces` are as many as there are ranks, of one length: piece `i` goes to rank `i`. The
    /// pieces that came for this rank, in the order of ranks.
    fn exchange(&self, pieces: &[u8]) -> Vec<u8>;

    /// The pieces of all ranks in their order; they have one length.
    fn gather(&self, piece: &[u8]) -> Vec<u8>;

    /// What rank 0 gives; what the others give is lost.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;
}

/// A process that trains by itself.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, pieces: &[u8]) -> Vec<u8> {
        pieces.to_vec()
    }

    fn gather(&self, piece: &[u8]) -> Vec<u8> {
        piece.to_vec()
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// Replaces many values by their sums over all ranks, the same bits everywhere.
///
/// Each rank adds up one part of them for everyone, in double precision and in the order of ranks:
/// what libraries offer for sums leaves the order open. A rank sends and receives `2 (n - 1) / n`
/// times the values.
pub fn add_up(ranks: &dyn Ranks, values: &mut Vec<f32>) {
    let (n, len) = (ranks.size(), values.len());
    if n == 1 {
        return;
    }
    let part = len.div_ceil(n);
    values.resize(n * part, 0.0);
    let parts: Vec<f32> = received(&ranks.exchange(cast_slice(values)));
    let sums = (0..part).map(|i| {
        let terms = parts[i..].iter().step_by(part);
        terms.map(|v| f64::from(*v)).sum::<f64>() as f32
    });
    let sums: Vec<f32> = sums.collect();
    *values = received(&ranks.gather(cast_slice(&sums)));
    values.truncate(len);
}

/// Replaces a few values by their sums over all ranks, added in the order of ranks.
pub fn add_up_few(ranks: &dyn Ranks, values: &mut [f64]) {
    if ranks.size() == 1 || values.is_empty() {
        return;
    }
    let all: Vec<f64> = received(&ranks.gather(cast_slice(values)));
    values.fill(0.0);
    for part in all.chunks_exact(values.len()) {
        values.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
    }
}

/// Bytes as the numbers that they are.
fn received<T: Pod>(bytes: &[u8]) -> Vec<T> {
    let mut values = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    cast_slice_mut(&mut values).copy_from_slice(bytes);
    values
}
