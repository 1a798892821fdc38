//! The best models of version 1 of the format, for reading what was coded with them.
//!
//! Seven guesses are mixed by three sets of weights, and the close neighbourhood's least squares
//! are solved for at every second coefficient, all in integers.

mod local;
mod model;
mod tables;

use crate::best::{LowBand, code_with};
use crate::entropy::RangeCoder;
use crate::part::Part;
use crate::quantise::Machine;
use model::Model;

/// Codes all coefficients of a part, as [`crate::best::code_part`] does.
pub(crate) fn code_part(
    coder: &mut RangeCoder,
    machine: Machine,
    part: &mut Part,
    low: &[LowBand],
) {
    let mut model = Model::new(part.planes.len(), part.whole);
    code_with(&mut model, coder, machine, part, low);
}
