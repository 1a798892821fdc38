//! Which part of the card's memory is free.
//!
//! The same requests in the same order get the same addresses, whatever was given back in which
//! order before: so a training step uses the addresses of the one before, and what was recorded of
//! that one can run again.

use std::collections::{BTreeMap, BTreeSet};

/// Parts begin at multiples of this, which suits every kind of access.
const ALIGNMENT: u64 = 512;

/// Chunks of memory, cut to measure.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// Length by address; neighbours are joined.
    free: BTreeMap<u64, u64>,
    /// Where chunks begin: parts are not joined across.
    chunks: BTreeSet<u64>,
}

impl Arena {
    /// Length of the part that `bytes` bytes take.
    pub(crate) fn rounded(bytes: usize) -> u64 {
        (bytes.max(1) as u64).next_multiple_of(ALIGNMENT)
    }

    /// Adds a chunk.
    pub(crate) fn grow(&mut self, address: u64, len: u64) {
        self.chunks.insert(address);
        self.free.insert(address, len);
    }

    /// The first free part of `len` bytes; none where all are shorter.
    pub(crate) fn take(&mut self, len: u64) -> Option<u64> {
        let fits = self.free.iter().find(|(_, free)| **free >= len);
        let (address, free) = fits.map(|(address, free)| (*address, *free))?;
        self.free.remove(&address);
        if free > len {
            self.free.insert(address + len, free - len);
        }
        Some(address)
    }

    /// Gives a part back.
    pub(crate) fn give(&mut self, address: u64, len: u64) {
        let (mut address, mut len) = (address, len);
        let next = address + len;
        if !self.chunks.contains(&next)
            && let Some(more) = self.free.remove(&next)
        {
            len += more;
        }
        if !self.chunks.contains(&address)
            && let Some((before, free)) = self.free.range(..address).next_back()
            && before + free == address
        {
            address = *before;
            len += free;
        }
        self.free.insert(address, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_within_a_chunk_and_not_across() {
        let mut arena = Arena::default();
        arena.grow(0, 2048);
        arena.grow(2048, 1024);
        let parts = [1024, 1024, 512, 512].map(|len| arena.take(len).expect("room"));
        assert_eq!(parts, [0, 1024, 2048, 2560]);
        assert_eq!(arena.take(512), None);
        for (part, len) in [(2560, 512), (0, 1024), (2048, 512), (1024, 1024)] {
            arena.give(part, len);
        }
        assert_eq!(arena.free, BTreeMap::from([(0, 2048), (2048, 1024)]));
        assert_eq!(arena.take(2560), None, "across chunks");
    }

    #[test]
    fn equal_requests_get_equal_addresses_in_whatever_order_parts_came_back() {
        let mut arena = Arena::default();
        arena.grow(4096, 8192);
        let mut step = |order: [usize; 3]| {
            let lens = [512, 2048, 1024];
            let parts = lens.map(|len| arena.take(len).expect("room"));
            for i in order {
                arena.give(parts[i], lens[i]);
            }
            parts
        };
        let first = step([0, 1, 2]);
        assert_eq!(step([2, 0, 1]), first);
        assert_eq!(step([1, 2, 0]), first);
    }
}
