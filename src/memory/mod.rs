//! Floor 5: memory as a promise. Results that do not fit the budget lie on disk until they are needed ([`Chest`]); who goes there
//! and when is decided where tasks are run ([`crate::schedule`]).

mod chest;

pub use chest::{Chest, Ticket};
