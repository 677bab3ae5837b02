//! Floor 5: memory as a promise. Results that do not fit the budget, blocks and plain values, lie on disk until they are needed
//! ([`Chest`]); who goes there and when is decided where tasks are run ([`crate::schedule`]). Results that the next computation may ask
//! for again stay in a [`Cache`], as long as nothing else needs the memory.

mod cache;
mod chest;
mod plain;
mod spill_file;

pub use cache::{Cache, CacheEntry, CacheInfo, ENTRY_BYTES, Origin, Part};
pub use chest::{Chest, Stowed};
pub use spill_file::sweep;
