//! Why networks cannot run on a card.

use thiserror::Error;

/// Why no card can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CudaError {
    /// A library is not there.
    #[error("expected {library}, found none: looked for {looked_for}")]
    Missing {
        /// What it is.
        library: &'static str,
        /// Names and folders.
        looked_for: String,
    },
    /// A library is older than what this was written for.
    #[error("expected {library} {expected} or newer, found {found}")]
    TooOld {
        /// What it is.
        library: &'static str,
        /// Oldest version that works.
        expected: &'static str,
        /// The version that is there.
        found: String,
    },
    /// The driver is there and knows no card.
    #[error("expected an NVIDIA card, found a driver that knows none")]
    NoCard,
    /// The card cannot do what the kernels need.
    #[error("expected a card of compute capability 7.0 or higher, found {name} with {found}")]
    OldCard {
        /// Its name.
        name: String,
        /// Its capability.
        found: String,
    },
    /// The driver refused something.
    #[error("the card's driver failed to {what}: {reason}")]
    Driver {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// The kernels do not compile.
    #[error("failed to compile the kernels for {target}: {log}")]
    Compilation {
        /// Which processor they were for.
        target: String,
        /// What the compiler said.
        log: String,
    },
}
