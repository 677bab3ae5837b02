//! Arrays in files, whatever the kind of file: the one door through which ops read and write them.

pub use super::pieces::Pieces;
use super::target::{Format, Target};
use super::{hdf5, netcdf, npy, zarr};
use crate::data::slice::Range;
use crate::data::{Block, Chunks, DType, Dims, Map, Outside, Value};
use crate::err;
use crate::text::Result;
use std::path::Path;
use std::sync::Arc;

/// An array in a file, opened for reading. Any number of threads may read at once.
pub trait Stored: Send + Sync {
    /// As messages and programs name it.
    fn target(&self) -> String;

    fn shape(&self) -> &[usize];

    fn dtype(&self) -> DType;

    /// Shape of the pieces that are best read whole, such as chunks it is stored in; `None` where it lies in one piece, row by row.
    fn chunks(&self) -> Option<&[usize]>;

    /// Whether reading takes more than copying bytes.
    fn decodes(&self) -> bool;

    /// Differs when the file is another one or was written to since.
    fn identity(&self) -> &str;

    /// The state of the file as a number: another one once it was written to. `None` where nothing tells that it was.
    fn state(&self) -> Option<u64>;

    /// What reading a part of it takes besides the block.
    fn outside(&self) -> Outside;

    /// Reads `region`, a range for each axis. Elements that were never written are the fill value.
    ///
    /// # Errors
    /// `dsk::io` where the file is damaged, shorter than it says, or another one by now; `dsk::index` for a region outside.
    fn read(&self, region: &[Range]) -> Result<Block>;
}

/// An array that is being written, block by block, from any thread. Until it is finished, what it replaces is as it was; one that is
/// abandoned or dropped unfinished leaves what [`Sink::incomplete`] names, or nothing where no block was written.
pub trait Sink: Send + Sync {
    /// As messages and programs name it.
    fn target(&self) -> String;

    /// The name under which it can be read until it is finished.
    fn incomplete(&self) -> String;

    /// Whether a block was written.
    fn is_touched(&self) -> bool;

    /// Writes a block to its place, which begins at `start`. Blocks that do not overlap can be written at the same time.
    ///
    /// # Errors
    /// `dsk::io` where the system cannot write.
    fn write(&self, start: &[usize], block: &Block) -> Result<()>;

    /// Gives it its name, in place of what it replaces. Nothing can be written after.
    ///
    /// # Errors
    /// `dsk::io` where the system cannot write.
    fn finish(&self) -> Result<()>;

    /// Lets go of it at once, unfinished: a computation that failed is kept, to be looked at, and its tasks hold what they would have
    /// written to. Nothing can be written after.
    fn abandon(&self);

    /// The pieces that it lies in.
    fn pieces(&self) -> Pieces;

    /// What writing a part of it takes besides the block.
    fn outside(&self) -> Outside;
}

/// How an array is to be stored.
#[derive(Clone, Default)]
pub struct Options {
    /// Takes the place of what is there by that name.
    pub overwrite: bool,
    /// Deflate level, 1 to 9.
    pub deflate: Option<u8>,
    /// Put bytes of the same rank together before compressing.
    pub shuffle: bool,
    /// Shape of the storage chunks; chosen to fit the blocks where it is not given.
    pub chunks: Option<Dims>,
    pub attributes: Map,
}

impl Options {
    /// Whether chunks go through filters.
    pub fn is_filtered(&self) -> bool {
        self.deflate.is_some() || self.shuffle
    }
}

/// Opens the array of that name.
///
/// # Errors
/// `dsk::io` for one that is not there or damaged, `dsk::type` for elements that no dtype fits.
pub fn open(target: &Target) -> Result<Arc<dyn Stored>> {
    Ok(match found(target.format, &target.path) {
        Format::Hdf5 => {
            let dataset = hdf5::Dataset::open(&target.path, &target.dataset)?;
            if netcdf::is_bare_dimension(&dataset) {
                return Err(err!(Io, "`{target}` is a dimension, and no variable")
                    .help("`dsk info` lists the variables of a file"));
            }
            Arc::new(dataset)
        }
        Format::Netcdf => Arc::new(netcdf::Variable::open(&target.path, &target.dataset)?),
        Format::Npy => Arc::new(npy::Npy::open(&target.path)?),
        Format::Zarr => Arc::new(zarr::Dataset::open(&target.path, &target.dataset)?),
    })
}

/// Has the system allow so many more files to be open at a time, as far as it does: each array in a file keeps it open.
pub fn allow_open(count: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // What is open already is not counted: half of what is allowed will do for that.
    let wanted = 2 * count as u64 + 128;
    if current.is_some_and(|current| current < wanted) {
        let current = Some(maximum.map_or(wanted, |most| most.min(wanted)));
        // Where it does not, opening the last ones will say so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// Makes an array, whose blocks will come cut as `chunks` says.
///
/// # Errors
/// `dsk::io` for one that is there already, or that cannot be written; `dsk::type` for attributes that cannot be, and `dsk::value` for
/// options that the kind of file does not have.
pub fn create(target: &Target, dtype: DType, chunks: &Chunks, options: &Options) -> Result<Arc<dyn Sink>> {
    let format = match target.format {
        // By that name it would be made as one.
        Format::Netcdf => Format::Netcdf,
        format => found(format, &target.path),
    };
    Ok(match format {
        Format::Hdf5 => Arc::new(hdf5::Sink::create(&target.path, &target.dataset, dtype, chunks, options)?),
        Format::Netcdf => return Err(netcdf::only_read(&target.path)),
        Format::Npy => Arc::new(npy::Sink::create(&target.path, dtype, chunks, options)?),
        Format::Zarr => Arc::new(zarr::Sink::create(&target.path, &target.dataset, dtype, chunks, options)?),
    })
}

/// The pieces of an array that would be made so in an HDF5 file, and what writing a part of it would take.
///
/// # Errors
/// `dsk::value` for storage chunks that do not fit.
pub fn imagined(dtype: DType, chunks: &Chunks, options: &Options) -> Result<(Pieces, Outside)> {
    hdf5::Sink::imagined(dtype, chunks, options)
}

/// Writes a block to its place in an array that is there.
///
/// # Errors
/// `dsk::shape` and `dsk::type` for a block that does not fit, `dsk::io` for an array that is not there or cannot be written.
pub fn write_part(target: &Target, start: &[usize], block: &Block) -> Result<()> {
    match found(target.format, &target.path) {
        Format::Hdf5 => hdf5::write_part(&target.path, &target.dataset, start, block),
        Format::Netcdf => Err(netcdf::only_read(&target.path)),
        Format::Npy => npy::write_part(&target.path, start, block),
        Format::Zarr => zarr::write_part(&target.path, &target.dataset, start, block),
    }
}

/// The attributes of an array, a group or a file.
///
/// # Errors
/// `dsk::io` for one that is not there or damaged.
pub fn attributes(target: &Target) -> Result<Map> {
    match found(target.format, &target.path) {
        Format::Hdf5 => hdf5::attributes(&target.path, &target.dataset),
        Format::Netcdf => netcdf::attributes(&target.path, &target.dataset),
        // It has none; but there should be the file.
        Format::Npy => npy::Npy::open(&target.path).map(|_| Map::new()),
        Format::Zarr => zarr::attributes(&target.path, &target.dataset),
    }
}

/// What is in a file, as text; values are shown as `show` does. A file whose name does not tell its kind is taken for HDF5.
///
/// # Errors
/// `dsk::io` for a file that is not there or damaged.
pub fn listing(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    match found(Format::of(path).unwrap_or(Format::Hdf5), path) {
        Format::Hdf5 => hdf5::listing(path, show),
        Format::Netcdf => netcdf::listing(path, show),
        Format::Npy => npy::listing(path, show),
        Format::Zarr => zarr::listing(path, show),
    }
}

/// The kind of a file that is there: classic netCDF and HDF5 go by the same names, and differ from the first bytes on.
fn found(named: Format, path: &Path) -> Format {
    match named {
        Format::Hdf5 | Format::Netcdf if netcdf::is_one(path) => Format::Netcdf,
        Format::Netcdf => Format::Hdf5,
        other => other,
    }
}
