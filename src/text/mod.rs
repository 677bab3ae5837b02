//! Floor 0: source text, spans, and the one error type. Knows nothing of tasks.

mod bytes;
pub mod error;
pub mod report;
pub mod source;
pub mod suggest;
mod words;

pub use bytes::Bytes;
pub use error::{Code, Error, Label, Result, TaskContext};
pub use report::report;
pub use source::{Source, SourceId, Sources, Span};
pub use words::{counted, shape};
