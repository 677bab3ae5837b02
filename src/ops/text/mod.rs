//! Ops on text.

mod bytes;
pub mod convert;
pub mod date;
mod direct;
pub mod format;
pub mod json;
pub mod letters;
pub mod regex;
mod scan;
pub mod strings;

use crate::op::Op;
pub(super) use direct::direct;

/// In documentation order.
pub static OPS: &[&[Op]] = &[convert::OPS, format::OPS, letters::OPS, strings::OPS, regex::OPS, json::OPS, date::OPS];
