//! A file in the making: written beside the one it is to be, which it replaces only once it is complete.

use super::files;
use crate::err;
use crate::text::Result;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file `x.incomplete`, which will be `x`. It is locked: whoever else wants to make `x` sees that somebody is at it.
pub struct Draft {
    /// As the program names it.
    named: PathBuf,
    /// Where a link leads to.
    target: PathBuf,
    path: PathBuf,
    file: File,
    overwrite: bool,
}

impl Draft {
    /// Makes an empty file beside `path`. What a failed store left there is gone: a file that begins with `signature`, or is empty.
    ///
    /// # Errors
    /// `dsk::io` for a path where there is a file already, unless it may be overwritten, or where none can be made.
    pub fn create(path: &Path, overwrite: bool, signature: &[u8]) -> Result<Draft> {
        let named = path.to_path_buf();
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink());
        let target =
            if is_link { std::fs::canonicalize(path).unwrap_or_else(|_| named.clone()) } else { named.clone() };
        check_free(&named, overwrite)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|f| !f.is_dir()) {
            return Err(err!(Io, "`{}` cannot be made: there is no folder `{}`", path.display(), folder.display()));
        }
        let mut name = target.as_os_str().to_os_string();
        name.push(".incomplete");
        let path = PathBuf::from(name);
        let cannot = |e: &std::io::Error| err!(Io, "`{}` cannot be made: {e}", path.display());
        let not_ours = || {
            err!(Io, "there is `{}`, which no store left there", path.display())
                .help("stores write under that name until they are done: rename it")
        };
        if path.is_dir() {
            return Err(not_ours());
        }
        loop {
            let mut options = OpenOptions::new();
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            options.read(true).write(true).create(true).truncate(false).custom_flags(flags.bits() as i32);
            let file = options.open(&path).map_err(|e| cannot(&e))?;
            // Some file systems know no locks: any other answer will do.
            if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
                return Err(err!(Io, "`{}` is being written already", named.display())
                    .help(format!("another store is writing `{}`", path.display())));
            }
            let about = file.metadata().map_err(|e| cannot(&e))?;
            if !about.is_file() {
                return Err(err!(Io, "`{}` cannot be made: `{}` is not a file", named.display(), path.display()));
            }
            // Whoever was at it may have finished before the lock was ours: then this is no longer the file of that name.
            let same =
                std::fs::symlink_metadata(&path).is_ok_and(|at| (at.dev(), at.ino()) == (about.dev(), about.ino()));
            if same {
                let mut start = vec![0; about.len().min(signature.len() as u64) as usize];
                file.read_exact_at(&mut start, 0).map_err(|e| cannot(&e))?;
                if !signature.starts_with(&start) {
                    return Err(not_ours());
                }
                file.set_len(0).map_err(|e| cannot(&e))?;
                return Ok(Draft { named, target, path, file, overwrite });
            }
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it lies until it is finished.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in place of what it replaces, whose permissions it takes over.
    ///
    /// # Errors
    /// `dsk::io` where there is another file by now, or the system refuses.
    pub fn finish(&self) -> Result<()> {
        check_free(&self.named, self.overwrite)?;
        if let Ok(about) = std::fs::metadata(&self.target) {
            // Files of others may be replaced, but not given the same owner: then it keeps its own permissions.
            let _ = self.file.set_permissions(about.permissions());
        }
        std::fs::rename(&self.path, &self.target)
            .map_err(|e| err!(Io, "`{}` cannot be written: {e}", self.named.display()))
    }

    /// Leaves it to the next one who makes the file, or removes it.
    pub fn abandon(&self, keep: bool) {
        if !keep {
            // Nothing to be done where even this fails: the next store will replace it.
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Whether a file of that name may be made.
fn check_free(path: &Path, overwrite: bool) -> Result<()> {
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(files::system_error(path, &e)),
        Ok(about) => about,
    };
    if !about.is_file() {
        return Err(err!(Io, "`{shown}` is not a file: an array cannot take its place"));
    }
    if !overwrite {
        return Err(
            err!(Io, "`{shown}` is there already").help("`:overwrite true` replaces it, once the new one is complete")
        );
    }
    match OpenOptions::new().write(true).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(err!(Io, "`{shown}` may not be written to: permission denied"))
        }
        Err(e) => Err(files::system_error(path, &e)),
    }
}
