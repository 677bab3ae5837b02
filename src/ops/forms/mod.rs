//! Special forms: their documentation. `eval` carries them out.

use crate::op::Op;

/// In documentation order.
pub static OPS: &[&[Op]] = &[];
