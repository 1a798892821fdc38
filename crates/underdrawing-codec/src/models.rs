//! Which models code a picture's coefficients.

use crate::best::{self, Low};
use crate::entropy::RangeCoder;
use crate::part::{Cut, Part};
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
            Effort::Normal => Models::Normal,
            Effort::Best => Models::Best,
        }
    }

    /// The quantiser's state machine.
    pub(crate) fn machine(self) -> Machine {
        match self {
            Models::Lossless | Models::Fast => Machine::EIGHT,
            Models::Normal => Machine::SIXTY_FOUR,
            Models::Best => Machine::TWO_FIFTY_SIX,
        }
    }

    /// Codes all coefficients of a part: takes them from `part` when writing, puts them there when
    /// reading. A stripe's level 3 is there already; `context` is what else it may know.
    pub(crate) fn code_part(self, coder: &mut RangeCoder, part: &mut Part, context: &[Low]) {
        let machine = self.machine();
        match self {
            Models::Lossless | Models::Fast => fast::code_part(coder, machine, part),
            Models::Normal => normal::code_part(coder, machine, part),
            Models::Best => best::code_part(coder, machine, part, context),
        }
    }

    /// What each part may know of the rest: nothing for the whole-picture part, which comes first;
    /// the stripes know that one.
    pub(crate) fn contexts(self, whole: &Part, cut: &Cut) -> Vec<Context> {
        match self {
            Models::Best => best::lows(whole, cut),
            Models::Lossless | Models::Fast | Models::Normal => {
                vec![Context::new(); 1 + cut.n_stripes()]
            }
        }
    }
}

/// The low band that a part's details belong to, a plane each; for the best models only.
pub(crate) type Context = Vec<Low>;
