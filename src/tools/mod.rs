//! The roof: what the `dsk` command is made of. Uses `Engine` and what it is built on; nothing below knows of it.

mod feed;
pub mod json;
pub mod options;
pub mod profile;
pub mod progress;

pub use options::Options;
