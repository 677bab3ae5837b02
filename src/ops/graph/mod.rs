//! Ops on graphs and computing.

mod cache;
mod compute;
mod edges;
mod passes;
mod subject;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[compute::OPS, cache::OPS, edges::OPS, passes::OPS];
