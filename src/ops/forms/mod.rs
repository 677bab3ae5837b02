//! Special forms and what works on code.

mod code;
mod special;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[special::OPS, code::OPS];
