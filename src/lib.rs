//! dsk: a small Lisp whose programs are task graphs.

pub use engine::{Canceller, Engine, FromValue, IntoValue};
pub use schedule::Config;
pub use text::{Error, Result};
pub use data::Value;

pub mod data;
pub mod engine;
pub mod eval;
pub mod io;
pub mod kernel;
pub mod memory;
pub mod op;
pub mod ops;
pub mod optimize;
pub mod read;
pub mod schedule;
pub mod text;
pub mod tools;
