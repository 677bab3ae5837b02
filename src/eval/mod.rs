//! Floor 6: Task → Value.
//!
//! ```text
//! form ──analyze──▶ expressions ──liveness, emit──▶ code ──machine──▶ value
//! ```
//!
//! [`analyze`] expands macros and resolves names: a local to a number, a global to a [`globals::Cell`]. [`liveness`]
//! marks where a variable is used last, [`emit`] assigns registers, and [`machine`] runs the instructions of [`code`].
//! [`Interpreter`] is what all of it shares, and the host that ops and schedulers see.

mod analyze;
mod call;
mod check;
mod closure;
mod code;
mod emit;
mod failure;
mod forms;
mod globals;
mod help;
mod interpreter;
mod lazy;
mod liveness;
mod machine;
mod modules;
mod operator;
mod params;
mod quasi;
mod reads;
mod state;
mod stdlib;
mod survey;
mod syntax;

pub use failure::{thrown, to_value as error_value};
pub use globals::{Binding, Role};
pub use interpreter::Interpreter;
pub use stdlib::STDLIB;
