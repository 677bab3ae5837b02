//! Zarr, versions 2 and 3, read; version 3, written. An array is a folder with a file of metadata and a file for every chunk.
//!
//! ```text
//! dataset   opening an array                        sink      writing: create, blocks, finish
//! read      a part of it into a block               writer    blocks to chunks
//! shard     files of many chunks                    place     names: free, taken, exchanged
//! listing   what is in a hierarchy
//!
//! node      folders that are arrays and groups      json      metadata, attributes, and values
//! layout    what an array's metadata says           element   types and dtypes
//! chain     elements to bytes and back              codecs    bytes to bytes and back
//! ```
//!
//! All of it is ours, from the first byte, so that damaged metadata or chunks end in an error: nothing that a file says about its own
//! length is believed before as much memory is asked for.

mod chain;
mod codecs;
mod dataset;
mod element;
mod json;
mod layout;
mod listing;
mod node;
mod place;
mod read;
mod shard;
mod sink;
mod writer;

pub use dataset::{Dataset, attributes};
pub use listing::{list, text as listing};
pub use sink::{Sink, write_part};
