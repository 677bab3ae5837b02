//! Ops on graphs and computing.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
