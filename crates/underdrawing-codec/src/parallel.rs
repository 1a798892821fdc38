//! Parallel work.
//!
//! All of it goes through one function and one parallel iterator. The compiler generates code for
//! each parallel iterator anew; twenty of them made up a quarter of this crate's compile time.

use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Calls `work` with each item on rayon's threads, and returns the results in order.
pub(crate) fn map<I: Send, R: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> R + Sync,
) -> Vec<R> {
    let slots: Vec<Mutex<(Option<I>, Option<R>)>> = items
        .into_iter()
        .map(|item| Mutex::new((Some(item), None)))
        .collect();
    each(slots.len(), &|i| {
        let mut slot = slots[i].lock().unwrap_or_else(PoisonError::into_inner);
        let (item, result) = &mut *slot;
        *result = item.take().map(&work);
    });
    let mut results = Vec::with_capacity(slots.len());
    for slot in slots {
        let (_, result) = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.extend(result);
    }
    results
}

/// Calls `work` with each of `0..n`.
fn each(n: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..n).into_par_iter().for_each(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        let mut bytes = vec![0u8; 1000];
        let sums = map(bytes.chunks_mut(7).enumerate(), |(i, chunk)| {
            chunk.fill(i as u8);
            i * chunk.len()
        });
        let expected: Vec<usize> = (0..143)
            .map(|i| if i < 142 { 7 * i } else { 6 * i })
            .collect();
        assert_eq!(sums, expected);
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(i, &b)| usize::from(b) == i / 7)
        );
    }

    #[test]
    fn work_may_be_nested() {
        let sums = map(0..40u32, |i| map(0..i, |j| j).into_iter().sum::<u32>());
        assert!((1..40).all(|i| sums[i as usize] == i * (i - 1) / 2));
    }
}
