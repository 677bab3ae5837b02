//! Ops on graphs and computing.

mod edges;
mod passes;
mod subject;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[edges::OPS, passes::OPS];
