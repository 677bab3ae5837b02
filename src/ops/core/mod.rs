//! Ops on plain values, lists and maps.

pub mod access;
pub mod change;
pub mod each;
pub mod group;
pub mod kinds;
pub mod lists;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[access::OPS, change::OPS, lists::OPS, each::OPS, group::OPS, kinds::OPS];
