//! Floor 1: what runs on one block.
pub mod cast;
