//! Entropy coding: a binary range coder and what tells it the chance of each bit.
//!
//! A model is written once, against [`BitCoder`]: with an [`Encoder`] it writes, with a [`Decoder`]
//! it reads, with a [`Counter`] it only learns what writing would cost. Chances are of a *one*, in
//! 1/65536, 1 to 65535. In the logistic domain (`ln(p / (1 - p))`) the unit is 1/256.

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
pub(crate) use range::{Decoder, Encoder};
pub(crate) use regression::{Regression, Start};
pub(crate) use value::{GUESSES, INPUTS, MAIN_NODES, Situation, ValueCoder};

/// One direction of coding: the same model drives all of them.
pub(crate) trait BitCoder {
    /// Codes one bit whose chance of being one is `chance` / 65536 and returns it. `bit` is what
    /// to write; a decoder ignores it.
    ///
    /// `chance` is 1 to 65535.
    fn code(&mut self, bit: bool, chance: u16) -> bool;
}
