//! Floor 1: files. One file (or folder) a format, one a codec.

pub mod codec;
pub mod hdf5;
pub mod target;
pub mod text;
