//! Ops on text.

pub mod convert;
pub mod strings;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[convert::OPS, strings::OPS];
