//! Classic netCDF, which is read: the formats CDF-1, CDF-2 (64-bit offsets) and CDF-5 (64-bit data). netCDF-4 files are HDF5.
//!
//! Source: NetCDF Classic Format Specification, in the NetCDF User's Guide, and its extension CDF-5 by PnetCDF.

mod header;
mod variable;

pub use variable::{Variable, attributes, listing, only_read};

use crate::data::Value;
use crate::io::{files, hdf5};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Whether there is a file that begins as these do. Their names are those of HDF5 files.
pub fn is_one(path: &Path) -> bool {
    let mut start = [0; 4];
    let file = files::open(path);
    file.is_ok_and(|file| file.read_exact_at(&mut start, 0).is_ok()) && header::version(&start).is_some()
}

/// Whether a dataset of a netCDF-4 file only stands for a dimension, without a variable of its name: what it holds means nothing.
pub fn is_bare_dimension(dataset: &hdf5::Dataset) -> bool {
    const NAME: &str = "This is a netCDF dimension but not a netCDF variable";
    let is_so = |name: &Value| name.as_text().is_some_and(|name| name.starts_with(NAME));
    dataset.attributes().is_ok_and(|attributes| attributes.get_text("NAME").is_some_and(is_so))
}
