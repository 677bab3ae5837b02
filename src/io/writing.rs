//! What formats say of an array that is being written: the mark it has until it is complete, the room there is, and what went wrong.

use super::listing::size_text;
use crate::err;
use crate::text::Error;
use std::path::Path;

/// The attribute that tells an unfinished array from one of the user's that happens to have such a name: the number of the
/// process that writes it, and 0 once that has failed. A number, so that changing it takes no new space on a full disk.
pub const MARK: &str = "dsk-incomplete";
pub const FAILED: i64 = 0;

/// Whether the process that wrote a mark is at it still.
pub fn is_being_written(mark: i64) -> bool {
    let pid = i32::try_from(mark).ok().filter(|&id| id > 0).and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// The error of a target that cannot be written.
pub fn cannot_write(target: &str, what: &str) -> Error {
    let full = what.contains("No space left") || what.contains("os error 28");
    err!(Io, "`{target}` cannot be written: {}", if full { "the disk is full" } else { what })
}

/// Bytes that can still be written where a file is, or will be, and the folders it is in; as many as there may be where that cannot be
/// told.
pub fn room(path: &Path) -> u64 {
    let there = path.ancestors().find(|at| at.exists()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(there).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// Whether so many bytes can be written.
///
/// # Errors
/// Says how many there is room for.
pub fn check_room(path: &Path, bytes: u64) -> Result<(), String> {
    let room = room(path);
    match bytes <= room {
        true => Ok(()),
        false => Err(format!("{} are to be written, and the disk has {} left", size_text(bytes), size_text(room))),
    }
}
