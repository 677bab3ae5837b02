//! HDF5, in and out.
//!
//! ```text
//! dataset     opening: what is there, where it lies            sink        writing: create, blocks, finish
//! read        a part of it into a block                        attributes  small named values
//! convert     bits of the file to elements                     listing     what is in a file
//! index       chunk indexes to one list                        virtuals    datasets made of parts of others
//! pipeline    filters undone and done                          library     the one door to libhdf5
//! cut         the shape of storage chunks                      file        opening, locks
//! target      room for a new dataset                           stored      datasets as arrays of any kind of file
//!
//! the format, from the ground up:
//! format      bytes, numbers, checksums                        checksum    of newer metadata
//! superblock  where the root is                                header      the messages of an object
//! message     shape, layout, filters, fill value               datatype    as files describe them
//! heap        names and strings                                element     datatypes and dtypes
//! btree2      records in order                                 fractal     links and attributes, where they are many
//! group       names, and what they lead to                     source      a file: objects by name
//! ```
//!
//! The library is asked to write: it finds space for new datasets. Reading is ours, from the first byte, so that a damaged
//! file ends in an error, and workers read side by side with the system's own calls. Only filters that are not known
//! here, and datasets made of other files, go through the library, one call at a time, once all that it would walk was looked
//! over here.

mod attributes;
mod btree2;
mod checksum;
mod convert;
mod dataset;
mod datatype;
mod element;
mod file;
mod format;
mod fractal;
mod group;
mod header;
mod heap;
mod index;
mod library;
mod listing;
mod message;
mod pipeline;
mod read;
mod sink;
mod source;
mod stored;
mod superblock;
mod target;
mod virtuals;

pub use attributes::read as attributes;
pub use dataset::Dataset;
pub use listing::{list, text as listing};
pub use sink::{Sink, write_part};
