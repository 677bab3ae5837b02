//! Floor 6: Task → Value.
