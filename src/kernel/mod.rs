//! Floor 1: what runs on one block. Results have NumPy 2's dtype, shape, and values within its own accuracy.

pub mod cast;
pub mod count;
pub mod create;
pub mod elementwise;
pub mod extreme;
pub mod fourier;
pub mod fused;
pub mod gemm;
pub mod layout;
pub mod linalg;
mod order;
pub mod radix;
pub mod random;
pub mod rank;
pub mod reduce;
pub mod scan;
pub mod select;
pub mod sort;
mod strip;
mod tall_qr;
mod tile;

pub use elementwise::{Binary, Operand, Typed, Unary};
pub use fused::{Expr, Program};
pub use reduce::{Reduce, Reduction};

#[cfg(test)]
mod tests;
