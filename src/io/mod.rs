//! Floor 1: files. One file (or folder) a format, one a codec.
//!
//! ```text
//! target      names of arrays in files                         stored      arrays in files, of any kind: the door for ops
//! hdf5        the format                                       npy         NumPy's own
//! netcdf      the classic one                                  zarr        versions 2 and 3
//! codec       what packs bytes                                 text        files of text
//!
//! what formats share:
//! files       opening, states, messages                        listing     what is in a file
//! part        the part of an array that is read                walk        a part of one array in another, as runs
//! gather      many pieces of a file in few calls               encoding    bytes of the file to elements
//! plain       elements at regular distances                    draft       a file in the making
//! cut         the shape of storage chunks                      pieces      what blocks suit them
//! writing     marks, room and errors of what is being written
//! ```

pub mod codec;
mod cut;
mod draft;
mod encoding;
mod files;
mod gather;
pub mod hdf5;
pub mod listing;
mod netcdf;
mod npy;
mod part;
mod pieces;
mod plain;
pub mod stored;
pub mod target;
pub mod text;
mod walk;
mod writing;
pub mod zarr;
