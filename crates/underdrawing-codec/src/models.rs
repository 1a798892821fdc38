//! Which models code a picture's coefficients.

use crate::entropy::BitCoder;
use crate::part::Part;
use crate::quantise::Machine;
use crate::{Effort, fast, normal};

/// Which models code the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Models {
    /// Samples, not coefficients: nothing is lost.
    Lossless,
    Fast,
    Normal,
    Best,
}

impl Models {
    /// The models that an effort asks for.
    pub(crate) fn of(effort: Effort) -> Self {
        match effort {
            Effort::Fast => Models::Fast,
            Effort::Normal | Effort::Best => Models::Normal,
        }
    }

    /// The quantiser's state machine.
    pub(crate) fn machine(self) -> Machine {
        match self {
            Models::Lossless | Models::Fast => Machine::EIGHT,
            Models::Normal | Models::Best => Machine::SIXTY_FOUR,
        }
    }

    /// Codes all coefficients of a part: reads them from `part` with an encoder, writes them into
    /// it with a decoder. A stripe's level 3 is there already.
    pub(crate) fn code_part<C: BitCoder>(self, coder: &mut C, part: &mut Part) {
        match self {
            Models::Lossless | Models::Fast => fast::code_part(coder, self.machine(), part),
            Models::Normal | Models::Best => normal::code_part(coder, self.machine(), part),
        }
    }
}
