//! Ops on plain values, lists and maps.

pub mod access;
pub mod change;
pub mod each;
pub mod group;
pub mod kinds;
pub mod lists;
pub mod slices;

use crate::op::Op;
use crate::ops::one;

/// In documentation order.
pub static OPS: &[&[Op]] = &[access::OPS, change::OPS, lists::OPS, each::OPS, group::OPS, kinds::OPS, one(&slices::OP)];
