//! Entropy coding: a binary range coder and what tells it the chance of each bit.
//!
//! A model is written once and drives a [`RangeCoder`], which writes or reads; those written against
//! [`BitCoder`] also work with a [`Counter`], which tells what writing would cost. Chances are of a
//! *one*, in 1/65536, 1 to 65535. In the logistic domain (`ln(p / (1 - p))`) the unit is 1/256.

mod adaptive;
mod cost;
mod distribution;
mod ldl;
mod logistic;
mod mixer;
mod range;
mod regression;
mod value;

pub(crate) use adaptive::Adaptive;
pub(crate) use cost::{Counter, cost};
pub(crate) use distribution::{Cells, Logistic};
pub(crate) use ldl::N as REGRESSORS;
pub(crate) use logistic::stretch;
pub(crate) use mixer::Mixer;
pub(crate) use range::{RangeCoder, Reading, Writing};
pub(crate) use regression::{Regression, Start};
pub(crate) use value::{GUESSES, INPUTS, MAIN_NODES, Situation, ValueCoder};

/// Something that a model drives bit by bit.
pub(crate) trait BitCoder {
    /// Codes one bit whose chance of being one is `chance` / 65536 and returns it. `bit` is what
    /// to write; it is ignored when reading.
    ///
    /// `chance` is 1 to 65535.
    fn code(&mut self, bit: bool, chance: u16) -> bool;
}
