//! Ops on text.

pub mod convert;
pub mod format;
pub mod json;
pub mod regex;
pub mod strings;

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[convert::OPS, format::OPS, strings::OPS, regex::OPS, json::OPS];
