//! Files of the system: opening them, what tells one state of them from another, and saying what is wrong.

use crate::err;
use crate::text::{Error, Result, suggest};
use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Opens a file for reading.
///
/// # Errors
/// `dsk::io` for one that is not there, may not be read, or is a folder or device.
pub fn open(path: &Path) -> Result<File> {
    // Opening a pipe would wait for a writer, if the system were not told otherwise.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = options.open(path).map_err(|e| system_error(path, &e))?;
    match file.metadata().map_err(|e| system_error(path, &e))?.is_file() {
        true => Ok(file),
        false => Err(err!(Io, "`{}` is not a file", path.display())),
    }
}

/// Tells a file from another one of its name, and from itself after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    device: u64,
    file: u64,
    len: u64,
    written: (i64, i64),
}

impl Stamp {
    pub fn of(about: &Metadata) -> Stamp {
        let written = (about.mtime(), about.mtime_nsec());
        Stamp { device: about.dev(), file: about.ino(), len: about.len(), written }
    }

    /// Whether it is of the same file, whatever was written to that.
    pub fn is_of(self, other: Stamp) -> bool {
        (self.device, self.file) == (other.device, other.file)
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Stamp { device, file, len, written } = self;
        write!(f, "{device}:{file} {len} {}.{:09}", written.0, written.1)
    }
}

/// Fails where the file at a path is not the one it was: another one, or one that was written to and of which `is_same` does not hold
/// any more.
///
/// # Errors
/// `dsk::io` that tells of it.
pub fn check_still(path: &Path, was: Stamp, target: &dyn Fn() -> String, is_same: impl FnOnce() -> bool) -> Result<()> {
    match std::fs::metadata(path).map(|about| Stamp::of(&about)) {
        Ok(now) if now == was || now.is_of(was) && is_same() => Ok(()),
        _ => Err(replaced(&target())),
    }
}

/// The error of an array that was opened, and is another one by now.
pub fn replaced(target: &str) -> Error {
    err!(Io, "`{target}` was replaced after it was opened").help("call `read-array` again for what is there now")
}

/// The state of a file as a number: another one once the file was written to. `None` where it was changed a moment ago, so that
/// the next change may leave the same time.
pub fn state(file: &File) -> Option<u64> {
    let about = file.metadata().ok()?;
    is_settled(&about).then(|| {
        let mut state = DefaultHasher::new();
        let (written, changed) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
        (about.dev(), about.ino(), about.len(), written, changed).hash(&mut state);
        state.finish()
    })
}

/// Whether the times of a file tell it from what it will be after the next change. Systems stamp changes with a clock that ticks some
/// hundred times a second, or once in two seconds where only whole seconds are kept: of two changes within a tick the second one
/// leaves no trace. (Git has the same trouble, and the same way out.)
fn is_settled(about: &Metadata) -> bool {
    let tick = if about.ctime_nsec() == 0 { Duration::from_secs(2) } else { Duration::from_millis(50) };
    let changed = Duration::new(about.ctime().max(0) as u64, about.ctime_nsec().clamp(0, 999_999_999) as u32);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.checked_sub(changed).is_some_and(|since| since > tick)
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
