//! Ops on files.

mod attributes;
mod paths;
mod print;
mod read;
mod read_array;
mod several;
mod store;
mod write;

use crate::op::Op;
use crate::ops::one;
pub(in crate::ops) use store::as_stored;

/// In documentation order.
pub static OPS: &[&[Op]] = &[
    one(&read_array::OP),
    one(&store::OP),
    one(&attributes::OP),
    one(&read::OP),
    one(&write::OP),
    paths::OPS,
    one(&print::OP),
];
