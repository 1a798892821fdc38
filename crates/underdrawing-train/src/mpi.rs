//! Ranks that are processes of MPI.

use std::fmt;

use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};
use underdrawing_net::Ranks;

/// Bytes that are broadcast at a time: MPI counts in 32 bits.
const AT_A_TIME: usize = 1 << 30;

/// The processes that `mpirun`, or another starter, began together.
///
/// MPI ends when this is dropped, which waits for the other ranks: see [`MpiRanks::abort`].
pub struct MpiRanks {
    world: SimpleCommunicator,
    _universe: Universe,
}

/// MPI cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("MPI has begun already, or allows no other threads beside the one that calls it")]
pub struct MpiError;

impl MpiRanks {
    /// Begins MPI, once a process. From here on only the calling thread uses it.
    ///
    /// # Errors
    /// When MPI has begun already or wants a process of one thread.
    pub fn begin() -> Result<Self, MpiError> {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or(MpiError)?;
        if threading < Threading::Funneled {
            return Err(MpiError);
        }
        Ok(Self {
            world: universe.world(),
            _universe: universe,
        })
    }

    /// Ends the processes of all ranks at once, this one with an exit code: for an end that the
    /// others do not know of, since they would wait for this rank for ever.
    pub fn abort(&self, exit_code: u8) -> ! {
        self.world.abort(exit_code.into())
    }
}

impl Drop for MpiRanks {
    fn drop(&mut self) {
        // MPI's own end would wait for ranks that wait for this one.
        if std::thread::panicking() {
            self.abort(/* as a panic */ 101);
        }
    }
}

impl fmt::Debug for MpiRanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MPI rank {} of {}", self.rank(), self.size())
    }
}

impl Ranks for MpiRanks {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn exchange(&self, pieces: &[u8]) -> Vec<u8> {
        let mut received = vec![0; pieces.len()];
        self.world.all_to_all_into(pieces, &mut received[..]);
        received
    }

    fn gather(&self, piece: &[u8]) -> Vec<u8> {
        let mut received = vec![0; self.size() * piece.len()];
        self.world.all_gather_into(piece, &mut received[..]);
        received
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let root = self.world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        root.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        for part in bytes.chunks_mut(AT_A_TIME) {
            root.broadcast_into(part);
        }
        bytes
    }
}
