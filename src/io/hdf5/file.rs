//! Files and names: opening, and saying what is wrong with what cannot be opened.

use super::library::{Id, Library};
use super::superblock;
use crate::err;
use crate::text::{Error, Result, suggest};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the datasets that stores of this process have replaced, so that arrays opened before know to look whether they
/// are still what they were. libhdf5's own state is the process's, too.
static REPLACED: AtomicU64 = AtomicU64::new(0);

pub fn replaced() -> u64 {
    REPLACED.load(Ordering::Acquire)
}

pub fn count_replaced() {
    REPLACED.fetch_add(1, Ordering::AcqRel);
}

/// Opens a file for reading and checks that it is HDF5.
pub fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|e| system_error(path, &e))?;
    let about = file.metadata().map_err(|e| system_error(path, &e))?;
    if !about.is_file() {
        return Err(err!(Io, "`{}` is not a file", path.display()));
    }
    if superblock::find(&file, about.len()).is_none() {
        let error = err!(Io, "`{}` is not an HDF5 file", path.display());
        let mut start = [0; 4];
        let what = match file.read_at(&mut start, 0) {
            Ok(0) => "it is empty",
            Ok(4) if start.starts_with(b"CDF") => "it is a classic netCDF file, which another reader is needed for",
            _ => "it does not begin with HDF5's signature",
        };
        return Err(error.help(what));
    }
    Ok(file)
}

/// Whether no other program has the file open for writing: the library locks files then, as we do for a moment. Systems
/// without such locks have nothing to say, and `HDF5_USE_FILE_LOCKING` turns them off as it does in the library.
pub fn check_lock(file: &File, path: &Path) -> Result<()> {
    let off = std::env::var("HDF5_USE_FILE_LOCKING").is_ok_and(|v| v == "0" || v.eq_ignore_ascii_case("false"));
    if off {
        return Ok(());
    }
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            let _ = flock(file, FlockOperation::Unlock);
            Ok(())
        }
        Err(Errno::WOULDBLOCK) => Err(err!(Io, "`{}` cannot be opened: another program has locked it", path.display())
            .help("another program has it open for writing")),
        Err(_) => Ok(()),
    }
}

/// Opens it in the library; [`super::source::Source`] has looked at it already.
pub fn open_in_library(lib: &Library, path: &Path, write: bool) -> Result<Id> {
    lib.open_file(path, write).map_err(|failure| {
        let does = if write { "opened for writing" } else { "opened" };
        let error = err!(Io, "`{}` cannot be {does}: {}", path.display(), failure.0);
        if failure.0.contains("lock") {
            error.help("another program has it open for writing")
        } else if failure.0.contains("truncated") {
            error.help("the file is shorter than it says: it was cut off, or is still being written")
        } else {
            error
        }
    })
}

/// What the system said about a path, with the nearest name where there is no such file.
pub fn system_error(path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::*;
    let shown = path.display();
    match error.kind() {
        NotFound => {
            let told = err!(Io, "there is no file `{shown}`");
            match similar_file(path) {
                Some(near) => told.help(format!("did you mean `{near}`?")),
                None => told,
            }
        }
        PermissionDenied => err!(Io, "`{shown}` may not be opened: permission denied"),
        _ => err!(Io, "`{shown}` cannot be opened: {error}"),
    }
}

fn similar_file(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> =
        std::fs::read_dir(folder).ok()?.take(10_000).filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    let near = suggest::nearest(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// The name of an object from the root, with one `/` before each part: `/a/b`.
pub fn normal_name(name: &str) -> Result<String> {
    if name.contains('\0') {
        return Err(err!(Value, "the name of a dataset cannot hold a NUL character"));
    }
    let parts: Vec<&str> = name.split('/').filter(|p| !p.is_empty()).collect();
    Ok(format!("/{}", parts.join("/")))
}

pub fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| err!(Value, "the name of a dataset cannot hold a NUL character"))
}
