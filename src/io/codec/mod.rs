//! Codecs: one a file. Bytes in, bytes out; they know nothing of files.

pub mod bits;
pub mod deflate;
pub mod fletcher32;
pub mod lzf;
pub mod shuffle;
