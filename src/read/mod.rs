//! Floor 2: text to tasks with spans, and back; text laid out.
//!
//! ```text
//! "(+ x 1)"  --reader-->  Call [Key +, Key x, Data 1]  --printer-->  "(+ x 1)"
//! ```

mod format;
pub mod layout;
mod literals;
pub mod printer;
pub mod reader;

pub use format::format;
pub use printer::{brief, print, print_bounded, show};
pub use reader::{Forms, MAX_DEPTH, read, read_one};
