//! Ops on plain values, lists and maps.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
