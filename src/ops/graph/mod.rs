//! Ops on graphs and computing.

mod compute;
mod edges;
mod passes;
mod subject;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[compute::OPS, edges::OPS, passes::OPS];
