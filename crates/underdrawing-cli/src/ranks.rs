//! The processes that train together, which a starter of MPI began.

use std::rc::Rc;

use underdrawing_net::{Alone, Ranks};
#[cfg(feature = "mpi")]
use underdrawing_train::MpiRanks;

/// This process and the others.
pub(crate) struct Crew {
    ranks: Rc<dyn Ranks>,
    #[cfg(feature = "mpi")]
    mpi: Option<Rc<MpiRanks>>,
}

/// Whether a starter of MPI began this process beside others: Open MPI's, one that speaks the PMI
/// (MPICH, Slurm), or Slurm with `PMIx`.
fn is_one_of_many() -> bool {
    let many = |name| {
        let size = std::env::var(name).ok().and_then(|size| size.parse().ok());
        size.is_some_and(|size: u32| size > 1)
    };
    let pmix = std::env::var_os("PMIX_RANK").is_some();
    many("OMPI_COMM_WORLD_SIZE") || many("PMI_SIZE") || pmix && many("SLURM_NTASKS")
}

impl Crew {
    /// Begins MPI where this process is one of many.
    #[cfg(feature = "mpi")]
    pub(crate) fn begin() -> anyhow::Result<Self> {
        let mpi = is_one_of_many().then(MpiRanks::begin).transpose()?;
        let mpi = mpi.map(Rc::new);
        Ok(Self {
            ranks: match &mpi {
                Some(mpi) => mpi.clone(),
                None => Rc::new(Alone),
            },
            mpi,
        })
    }

    /// This process alone: others would train the same at the same place.
    #[cfg(not(feature = "mpi"))]
    pub(crate) fn begin() -> anyhow::Result<Self> {
        anyhow::ensure!(
            !is_one_of_many(),
            "built to train in one process: expected the Cargo feature `mpi` under mpirun"
        );
        Ok(Self {
            ranks: Rc::new(Alone),
        })
    }

    pub(crate) fn ranks(&self) -> Rc<dyn Ranks> {
        self.ranks.clone()
    }

    pub(crate) fn rank(&self) -> usize {
        self.ranks.rank()
    }

    pub(crate) fn size(&self) -> usize {
        self.ranks.size()
    }

    /// Whether this one decides, validates, logs and saves.
    pub(crate) fn leads(&self) -> bool {
        self.rank() == 0
    }

    /// Ends all of them at once.
    pub(crate) fn abort(&self, exit_code: u8) -> ! {
        #[cfg(feature = "mpi")]
        if let Some(mpi) = &self.mpi {
            mpi.abort(exit_code);
        }
        std::process::exit(exit_code.into())
    }
}
