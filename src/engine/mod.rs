//! Engine.

mod convert;

pub use convert::{FromValue, IntoValue};
