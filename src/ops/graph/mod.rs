//! Ops on graphs and computing.

mod cache;
mod compute;
mod edges;
mod passes;
mod replay;
pub mod subject;
mod visualize;

use crate::op::Op;
use crate::ops::one;

/// In documentation order.
pub static OPS: &[&[Op]] = &[compute::OPS, one(&replay::OP), cache::OPS, edges::OPS, passes::OPS, one(&visualize::OP)];
