//! The models that code a picture.

use crate::best::{self, LowBand};
use crate::entropy::RangeCoder;
use crate::part::{Cut, Part};
use crate::quantise::Machine;
use crate::{Effort, best_v1, fast, normal};

/// The models that code a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Models {
    /// Those of samples; the others code coefficients.
    Lossless,
    Fast,
    Normal,
    Best,
    /// Those of version 1, which is only read.
    BestV1,
}

impl Models {
    /// The lossy models of an effort.
    pub(crate) fn of(effort: Effort) -> Self {
        match effort {
            Effort::Fast => Models::Fast,
            Effort::Normal => Models::Normal,
            Effort::Best => Models::Best,
        }
    }

    /// The state machine of the quantisers.
    pub(crate) fn machine(self) -> Machine {
        match self {
            Models::Lossless | Models::Fast => Machine::EIGHT,
            Models::Normal => Machine::SIXTY_FOUR,
            Models::Best | Models::BestV1 => Machine::TWO_FIFTY_SIX,
        }
    }

    /// Codes all coefficients of a part: takes them from `part` when writing, puts them there when
    /// reading. A stripe's level 3 is there already; `low_bands` is what
    /// [`Self::low_bands`] gives for the part.
    pub(crate) fn code_part(self, coder: &mut RangeCoder, part: &mut Part, low_bands: &[LowBand]) {
        let machine = self.machine();
        match self {
            Models::Lossless | Models::Fast => fast::code_part(coder, machine, part),
            Models::Normal => normal::code_part(coder, machine, part),
            Models::Best => best::code_part(coder, machine, part, low_bands),
            Models::BestV1 => best_v1::code_part(coder, machine, part, low_bands),
        }
    }

    /// For each part the low band that its details refine, one per plane. Only the best models use
    /// it, and only for the stripes, which come after the whole-picture part.
    pub(crate) fn low_bands(self, whole: &Part, cut: &Cut) -> Vec<Vec<LowBand>> {
        match self {
            Models::Best | Models::BestV1 => best::low_bands(whole, cut),
            Models::Lossless | Models::Fast | Models::Normal => {
                vec![Vec::new(); 1 + cut.n_stripes()]
            }
        }
    }
}
