//! Files and names: opening, and saying what is wrong with what cannot be opened.

use super::library::{Id, Library};
use super::superblock;
use crate::data::cancel;
use crate::err;
use crate::io::files;
use crate::text::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    let file = files::open(path)?;
    let about = file.metadata().map_err(|e| files::system_error(path, &e))?;
    let is_hdf5 = || file.metadata().is_ok_and(|about| superblock::find(&file, about.len()).is_some());
    // A file that another program is making has nothing in it before it is closed, and no lock for a moment.
    let is_being_made = || {
        std::thread::sleep(Duration::from_millis(if about.len() == 0 { 20 } else { 0 }));
        wait_for_lock(&file, FlockOperation::NonBlockingLockShared, PATIENCE).inspect(|_| unlock(&file))
    };
    if !(is_hdf5() || is_being_made()? && is_hdf5()) {
        let error = err!(Io, "`{}` is not an HDF5 file", path.display());
        let mut start = [0; 4];
        let what = match file.read_at(&mut start, 0) {
            Ok(0) => "it is empty",
            Ok(4) if start.starts_with(b"CDF") => "it is a netCDF file of a version that is not known",
            _ => "it does not begin with HDF5's signature",
        };
        return Err(error.help(what));
    }
    Ok(file)
}

/// How long a file that another program has locked is waited for: as long as making a dataset may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls `attempt` until it answers, or until it is out of patience. Between attempts it waits, ever longer.
fn patiently<T>(patience: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let begin = Instant::now();
    // Programs that were started together must not all come back together.
    let odd = Duration::from_micros(u64::from(std::process::id()) % 1000);
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = attempt()? {
            return Ok(Some(answer));
        }
        cancel::check()?;
        if begin.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(pause + odd);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Systems without such locks have nothing to say, and `HDF5_USE_FILE_LOCKING` turns them off as it does in the library.
fn locks_are_used() -> bool {
    !std::env::var("HDF5_USE_FILE_LOCKING").is_ok_and(|v| v == "0" || v.eq_ignore_ascii_case("false"))
}

fn wait_for_lock(file: &File, operation: FlockOperation, patience: Duration) -> Result<bool> {
    let attempt = || match flock(file, operation) {
        Err(Errno::WOULDBLOCK) => refuse_own_lock(file).map(|()| None),
        _ => Ok(Some(())),
    };
    Ok(!locks_are_used() || patiently(patience, attempt)?.is_some())
}

/// A lock does not end with the file where a program that was started meanwhile has inherited it.
fn unlock(file: &File) {
    let _ = flock(file, FlockOperation::Unlock);
}

/// Refuses to wait for a lock of this very process: the library keeps a file, and the lock on it, that damage did not let it close.
fn refuse_own_lock(file: &File) -> Result<()> {
    let Ok(about) = file.metadata() else { return Ok(()) };
    // `1: FLOCK  ADVISORY  WRITE 4711 fd:00:123456 0 EOF`; elsewhere than on Linux nothing is known.
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let (process, inode) = (std::process::id().to_string(), format!(":{}", about.ino()));
    let own = locks.lines().any(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(3);
        words.next() == Some(process.as_str()) && words.next().is_some_and(|place| place.ends_with(&inode))
    });
    match own {
        true => Err(err!(Io, "the file is still open in this program: the HDF5 library could not close it")
            .help("what was wrong with it before is why; it can be opened again when the program has ended")),
        false => Ok(()),
    }
}

/// Waits until no other program has the file open for writing: the library locks files then, as we do for a moment.
pub fn check_lock(file: &File, path: &Path) -> Result<()> {
    if !wait_for_lock(file, FlockOperation::NonBlockingLockShared, PATIENCE)? {
        return Err(err!(Io, "`{}` cannot be opened: another program has locked it", path.display())
            .help("another program has it open for writing"));
    }
    unlock(file);
    Ok(())
}

/// Looks at a file that will be changed, if there is one, while no other program changes it.
pub fn undisturbed<T>(lib: &Library, path: &Path, look: impl Fn() -> Result<T>) -> Result<T> {
    if lib.has_open(path) {
        return look();
    }
    if !path.exists() {
        let seen = look();
        // What is wrong with a file that has come meanwhile may be that it is not complete yet.
        if seen.is_ok() || !path.exists() {
            return seen;
        }
    }
    let file = open(path)?;
    if !wait_for_lock(&file, FlockOperation::NonBlockingLockShared, PATIENCE)? {
        return Err(in_use(path));
    }
    let seen = look();
    unlock(&file);
    seen
}

/// Waits until no other program has the file open for writing, or gives up after a minute: for those who have much to lose. This
/// program must not have it open for writing.
pub fn wait_for_long(path: &Path) -> Result<()> {
    let file = open(path)?;
    wait_for_lock(&file, FlockOperation::NonBlockingLockShared, 6 * PATIENCE).map(|_| unlock(&file))
}

/// Opens it in the library; [`super::source::Source`] has looked at it already. A file that another program has open is waited
/// for.
pub fn open_in_library(lib: &Library, path: &Path, write: bool) -> Result<Id> {
    let attempt = || match lib.open_file(path, write) {
        Ok(id) => Ok(Some(id)),
        Err(failure) if failure.0.contains("unable to lock file") => {
            File::open(path).map_or(Ok(()), |file| refuse_own_lock(&file)).map(|()| None)
        }
        Err(failure) => {
            let does = if write { "opened for writing" } else { "opened" };
            let error = err!(Io, "`{}` cannot be {does}: {}", path.display(), failure.0);
            Err(match failure.0.contains("truncated") {
                true => error.help("the file is shorter than it says: it was cut off, or is still being written"),
                false => error,
            })
        }
    };
    patiently(PATIENCE, attempt)?.ok_or_else(|| in_use(path))
}

fn in_use(path: &Path) -> Error {
    err!(Io, "`{}` cannot be opened for writing: another program has it open", path.display())
        .help("a file is written by one program at a time, and not while another one reads it")
}

pub fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| err!(Value, "the name of a dataset cannot hold a NUL character"))
}
