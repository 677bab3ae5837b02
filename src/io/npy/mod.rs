//! NumPy's `.npy`: one array a file, its elements one after the other behind a short header.
//!
//! Source: NumPy Enhancement Proposal 1, and `numpy.lib.format`, versions 1.0 to 3.0.

mod array;
mod header;
mod literal;
mod sink;

pub use array::{Npy, listing, write_part};
pub use sink::Sink;
