//! Reductions of one block over some of its axes. Reduced axes stay, with size 1; callers drop them.

use super::elementwise::Binary;
use crate::data::{Block, DType};
use crate::text::Result;

/// Reductions whose partial results merge by the operation itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reduce {
    Sum,
    Prod,
    Min,
    Max,
    Any,
    All,
}

impl Reduce {
    pub const ALL: &'static [Reduce] = &[Reduce::Sum, Reduce::Prod, Reduce::Min, Reduce::Max, Reduce::Any, Reduce::All];

    pub fn name(self) -> &'static str {
        match self {
            Reduce::Sum => "sum",
            Reduce::Prod => "prod",
            Reduce::Min => "min",
            Reduce::Max => "max",
            Reduce::Any => "any",
            Reduce::All => "all",
        }
    }

    /// The dtype of the result: sums and products of bool and small integers are int64 or uint64.
    pub fn dtype(self, dtype: DType) -> DType {
        match self {
            Reduce::Sum | Reduce::Prod => match dtype.kind() {
                crate::data::Kind::Bool | crate::data::Kind::Int => DType::I64,
                crate::data::Kind::UInt => DType::U64,
                _ => dtype,
            },
            Reduce::Min | Reduce::Max => dtype,
            Reduce::Any | Reduce::All => DType::Bool,
        }
    }

    /// The elementwise operation that merges two partial results.
    pub fn merge(self) -> Binary {
        match self {
            Reduce::Sum => Binary::Add,
            Reduce::Prod => Binary::Multiply,
            Reduce::Min => Binary::Minimum,
            Reduce::Max => Binary::Maximum,
            Reduce::Any => Binary::LogicalOr,
            Reduce::All => Binary::LogicalAnd,
        }
    }
}

/// Reduces over `axes`; the result has size 1 there. `dtype` is what sums and products are computed in, if not
/// [`Reduce::dtype`]. Sums of floats are pairwise. `min` and `max` of nothing are `dsk::value`; `nan` wins in both.
pub fn reduce(_op: Reduce, _block: &Block, _axes: &[usize], _dtype: Option<DType>) -> Result<Block> {
    todo!()
}

/// Count, mean and sum of squared distances from the mean (M2) over `axes`: a block of shape `[3, …]` with the axes at size
/// 1, float64 or complex128 (the mean of complex data is complex; its M2 is real).
pub fn moments(_block: &Block, _axes: &[usize]) -> Result<Block> {
    todo!()
}

/// Merges moments along `axes`, which count from the array's first axis (not from the leading axis of size 3): partial
/// results are concatenated, then merged. Chan, Golub and LeVeque's update, in pairs.
pub fn merge_moments(_moments: &Block, _axes: &[usize]) -> Result<Block> {
    todo!()
}

/// The mean from moments, as `dtype`. The mean of nothing is `nan`.
pub fn mean(_moments: &Block, _dtype: DType) -> Result<Block> {
    todo!()
}

/// The variance from moments, M2 / (count - ddof), as `dtype` (a real one); `nan` or `inf` where that is not above zero, as
/// NumPy.
pub fn var(_moments: &Block, _ddof: f64, _dtype: DType) -> Result<Block> {
    todo!()
}
