//! Entropy coding: a binary range coder, and the estimators of each bit's chance.
//!
//! A model is written once and drives a [`RangeCoder`], which either writes or reads. A model
//! written against [`BitCoder`] can also drive a [`CostEstimator`], which counts what writing would
//! cost.
//!
//! A chance is the probability of a *one* in 1/65536, from 1 to 65535. In the logistic domain
//! (`ln(p / (1 - p))`) the unit is 1/256.

mod cost;
mod counter;
mod distribution;
mod ldl;
mod logistic;
mod mixer;
mod nodes;
mod range;
mod regression;
pub(crate) mod scale;
mod value;

pub(crate) use cost::{CostEstimator, cost};
pub(crate) use counter::Counter;
pub(crate) use distribution::{Cells, Logistic};
pub(crate) use ldl::N as REGRESSORS;
pub(crate) use logistic::{squash, stretch};
pub(crate) use mixer::Mixer;
pub(crate) use nodes::{MAIN_NODES, NODES, Question, UNARY, tail};
pub(crate) use range::{RangeCoder, Reading, Writing};
pub(crate) use regression::{Regression, Start, dot};
pub(crate) use value::{GUESSES, INPUTS, ValueCoder, ValueContext};

/// Tables of logistic distributions, for models with other arithmetic.
pub(crate) mod tables {
    pub(crate) use super::distribution::{LOG_EXP_M1_TABLE, softplus_at};
}

/// What a model drives bit by bit.
pub(crate) trait BitCoder {
    /// Codes one bit whose chance of being one is `chance` / 65536 and returns it. `bit` is what
    /// to write; it is ignored when reading.
    ///
    /// `chance` is 1 to 65535.
    fn code(&mut self, bit: bool, chance: u16) -> bool;
}
