//! Random blocks: every element depends on the seed and on its index in the whole array only, never on how that is cut.

use crate::data::{Block, DType};
use crate::text::Result;

#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Uniform in [0, 1).
    Random,
    /// Uniform in [low, high).
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// Uniform over the integers of low..=high.
    Integers {
        low: i64,
        high: i64,
    },
}

/// The block at `origin` of that shape of a random array of shape `whole`. Float dtypes, or integer ones for `Integers`
/// (`dsk::type` otherwise; bounds that do not fit or are empty are `dsk::value`).
pub fn random(
    _distribution: &Distribution,
    _dtype: DType,
    _seed: u64,
    _whole: &[usize],
    _origin: &[usize],
    _shape: &[usize],
) -> Result<Block> {
    todo!()
}
