//! The file that results wait in, which nobody else is to see, and which must not outlive its process.
//!
//! Best is a file without a name (`O_TMPFILE`): the system takes it back when its process ends, whatever ended that. Where
//! a file system has no such files, one is made with a name and locked, and the name is removed at once. If the process is
//! killed between the two, or if names of open files cannot be removed there, the file stays, but its lock does not:
//! locks end with their process. So [`sweep`] removes files that have such a name and no lock.

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use tempfile::TempPath;

pub struct SpillFile {
    file: File,
    /// Its name where that could not be removed yet. Fields are dropped in their order: first the file is closed.
    _name: Option<TempPath>,
}

/// Names are `dsk-spill-`, the id of the process, `-`, and letters and digits at random.
const PREFIX: &str = "dsk-spill-";
const RANDOM: usize = 12;

/// Names that are tried, should each be taken for a dead process's before it is locked.
const TRIES: usize = 16;

impl SpillFile {
    /// # Errors
    /// Where no file can be made in the folder.
    pub fn new(folder: &Path) -> Result<SpillFile> {
        // Systems say in many ways that they have no such files; whatever else is wrong, the other way meets too.
        unnamed(folder).map(|file| SpillFile { file, _name: None }).or_else(|_| SpillFile::named(folder))
    }

    fn named(folder: &Path) -> Result<SpillFile> {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        for _ in 0..TRIES {
            let made = tempfile::Builder::new().prefix(&prefix).rand_bytes(RANDOM).tempfile_in(folder)?;
            let (file, name) = made.into_parts();
            // A file system without locks has no use for them: nobody can lock the file to remove it either.
            let swept = flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK);
            if swept || !is_at(&file, &name) {
                continue;
            }
            let removed = std::fs::remove_file(&name).is_ok();
            return Ok(SpillFile { file, _name: (!removed).then_some(name) });
        }
        Err(Error::other("another process removes every new file"))
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    #[cfg(test)]
    pub fn of(file: File) -> SpillFile {
        SpillFile { file, _name: None }
    }
}

#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::EXCL;
    OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags.bits() as i32).open(folder)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> Result<File> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Removes the spill files in a folder whose processes are gone. What cannot be locked, opened or removed stays.
pub fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_spill_name(entry.file_name().as_encoded_bytes()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = remove_unlocked(&entry.path());
        }
    }
}

fn is_spill_name(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX.as_bytes()) else { return false };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (process, rest) = rest.split_at(digits);
    let Some(random) = rest.strip_prefix(b"-") else { return false };
    !process.is_empty() && random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
}

fn remove_unlocked(path: &Path) -> Result<()> {
    // Over a network, only who may write may lock.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits() as i32).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    if !is_at(&file, path) {
        // Something else took its place since.
        return Ok(());
    }
    std::fs::remove_file(path).or_else(|_| {
        // Where names of open files cannot be removed.
        drop(file);
        std::fs::remove_file(path)
    })
}

/// Whether the name is this file's.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (file.dev(), file.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn neither_way_leaves_a_name() {
        let folder = tempfile::tempdir().unwrap();
        for make in [SpillFile::new, SpillFile::named] {
            let made = make(folder.path()).unwrap();
            assert_eq!(names(folder.path()), [""; 0]);
            made.file().write_all_at(b"results", 5).unwrap();
            let mut back = [0; 7];
            made.file().read_exact_at(&mut back, 5).unwrap();
            assert_eq!(&back, b"results");
        }
        let missing = SpillFile::new(&folder.path().join("missing")).err().unwrap();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn what_has_such_a_name_and_no_lock_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (left, live) = (format!("{PREFIX}1-abcdefABCDEF"), format!("{PREFIX}{}-abcdef123456", std::process::id()));
        let others = [
            "data.h5",
            "dsk-spill-",
            "dsk-spill-1-",
            "dsk-spill-1-abcdef12345",
            "dsk-spill-1-abcdef1234567",
            "dsk-spill-x-abcdef123456",
            "dsk-spill--abcdef123456",
            "dsk-spill-1-abcdef12345.",
            "my-dsk-spill-1-abcdef123456",
        ];
        others.iter().chain([&&*left, &&*live]).for_each(|name| std::fs::write(at(name), "x").unwrap());
        std::fs::create_dir(at("dsk-spill-2-abcdef123456")).unwrap();
        symlink(at("data.h5"), at("dsk-spill-3-abcdef123456")).unwrap();
        let mut kept: Vec<&str> = others.to_vec();
        kept.extend([&*live, "dsk-spill-2-abcdef123456", "dsk-spill-3-abcdef123456"]);
        kept.sort();

        let lock = File::open(at(&live)).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        sweep(folder.path());
        assert_eq!(names(folder.path()), kept);
        // Its own process id does not save a file, nor does another's condemn one: the lock alone tells.
        drop(lock);
        sweep(folder.path());
        kept.retain(|name| *name != live);
        assert_eq!(names(folder.path()), kept);
        sweep(&at("missing"));
    }

    #[test]
    fn files_are_made_while_others_sweep() {
        let folder = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|s| {
            s.spawn(|| {
                while !done.load(Relaxed) {
                    sweep(folder.path());
                }
            });
            for n in 0..2000u32 {
                let made = SpillFile::named(folder.path()).unwrap();
                made.file().write_all_at(&n.to_le_bytes(), 0).unwrap();
            }
            done.store(true, Relaxed);
        });
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
