//! Ranks that are threads of one process.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use underdrawing_net::Ranks;

#[derive(Debug)]
pub(crate) struct ThreadRanks {
    rank: usize,
    /// What each one gives in the call under way.
    given: Arc<Vec<Mutex<Vec<u8>>>>,
    meeting: Arc<Barrier>,
}

/// What `work` makes of each of `n` ranks, in their order.
pub(crate) fn on_ranks<T: Send>(n: usize, work: impl Fn(ThreadRanks) -> T + Sync) -> Vec<T> {
    let given: Arc<Vec<Mutex<Vec<u8>>>> = Arc::new((0..n).map(|_| Mutex::default()).collect());
    let meeting = Arc::new(Barrier::new(n));
    thread::scope(|scope| {
        let threads = (0..n).map(|rank| {
            let (given, meeting) = (given.clone(), meeting.clone());
            let ranks = ThreadRanks {
                rank,
                given,
                meeting,
            };
            let work = &work;
            scope.spawn(move || work(ranks))
        });
        let threads: Vec<_> = threads.collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results.map(|result| result.expect("no panic")).collect()
    })
}

impl ThreadRanks {
    /// `read` of what all ranks gave.
    fn meet(
        &self,
        given: &[u8],
        read: impl Fn(&mut dyn Iterator<Item = Vec<u8>>) -> Vec<u8>,
    ) -> Vec<u8> {
        *self.given[self.rank].lock().expect("no panic") = given.to_vec();
        self.meeting.wait();
        let mut all = self
            .given
            .iter()
            .map(|g| g.lock().expect("no panic").clone());
        let result = read(&mut all);
        self.meeting.wait();
        result
    }
}

impl Ranks for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.given.len()
    }

    fn exchange(&self, pieces: &[u8]) -> Vec<u8> {
        let len = pieces.len() / self.size();
        self.meet(pieces, |all| {
            let mine = all.map(|pieces| pieces[self.rank * len..][..len].to_vec());
            mine.collect::<Vec<_>>().concat()
        })
    }

    fn gather(&self, piece: &[u8]) -> Vec<u8> {
        self.meet(piece, |all| all.collect::<Vec<_>>().concat())
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.meet(&bytes, |all| all.next().expect("there is a first rank"))
    }
}
