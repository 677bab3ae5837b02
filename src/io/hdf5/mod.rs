//! HDF5, in and out.
//!
//! ```text
//! dataset     opening: what is there, where it lies            sink        writing: create, blocks, finish
//! read        a part of it into a block                        attributes  small named values
//! format      object headers, as far as the layout             listing     what is in a file
//! index       chunk indexes to one list                        element     datatypes and dtypes
//! pipeline    filters undone and done                          library     the one door to libhdf5
//! gather      many pieces of a file in few calls               file        opening, names, messages
//! walk        a part of one array in another, as runs
//! ```
//!
//! The library runs one call at a time. So it is asked only for what it alone knows: what a file holds, where a dataset's
//! bytes lie, and space for new ones. The bytes themselves are moved by the workers, with the system's own calls on a
//! descriptor of ours, and decoded by our own codecs. Layouts and filters that are not known here go through the library.

mod attributes;
mod dataset;
mod element;
mod file;
mod format;
mod gather;
mod index;
mod library;
mod listing;
mod pipeline;
mod read;
mod sink;
mod walk;

pub use attributes::read as attributes;
pub use dataset::Dataset;
pub use listing::{Content, Entry, list, text as listing};
pub use sink::{Options, Sink, write_part};
