//! Ops on arrays.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
