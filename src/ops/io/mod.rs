//! Ops on files.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
