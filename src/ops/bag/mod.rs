//! Ops on bags.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
