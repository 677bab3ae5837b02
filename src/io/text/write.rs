//! Files that are written under another name until they are complete.

use super::{Compression, failed};
use crate::err;
use crate::text::Result;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where a file is written: beside its own place until it is complete. What is there stays until then, and for good if it never is.
pub struct Place {
    /// Where it is to be: where a link leads.
    target: PathBuf,
    /// Where it is written.
    path: PathBuf,
    /// It is no file but a device or a pipe, which is written to at once.
    direct: bool,
}

impl Place {
    /// The place of a file that is to have a name.
    ///
    /// # Errors
    /// `dsk::io` for a folder, `dsk::value` for a name that asks for a packing which is not known.
    pub fn of(name: &str) -> Result<Place> {
        let path = PathBuf::from(name);
        super::check_packing(&path)?;
        let target = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => std::fs::canonicalize(&path).unwrap_or(path),
            _ => path,
        };
        match std::fs::metadata(&target) {
            Ok(found) if found.is_dir() => Err(err!(Io, "`{name}` cannot be written: it is a folder")),
            Ok(found) if !found.is_file() => Ok(Place { path: target.clone(), target, direct: true }),
            _ => Ok(Place { path: unfinished(&target), target, direct: false }),
        }
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what was written in its place, with the permissions of what was there.
    pub fn complete(&self) -> Result<()> {
        if self.direct {
            return Ok(());
        }
        let permissions = std::fs::metadata(&self.target).map(|found| found.permissions());
        permissions
            .map_or(Ok(()), |permissions| std::fs::set_permissions(&self.path, permissions))
            .and_then(|()| std::fs::rename(&self.path, &self.target))
            .map_err(|error| failed(&self.target, "written", &error))
    }
}

impl Drop for Place {
    /// What was not completed is gone.
    fn drop(&mut self) {
        if !self.direct {
            // It is not there if it was completed, or never begun.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A name beside a file's own for what is not complete.
fn unfinished(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
    path.with_file_name(format!(".{name}.{process}-{count}.unfinished"))
}

/// Writes a file by a function, packed as another name says, in a folder that is made if it has to be.
pub fn write(path: &Path, name: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let io = |error: std::io::Error| failed(name, "written", &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    writer(std::fs::File::create(path).map_err(io)?, name, write)
}

/// Writes to `out` by a function, packed as the name says.
fn writer(out: impl Write, path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let io = |error: std::io::Error| failed(path, "written", &error);
    let mut out = BufWriter::with_capacity(1 << 16, out);
    match Compression::of(path) {
        Compression::None => write(&mut out)?,
        Compression::Gzip => {
            let mut packed = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            write(&mut packed)?;
            packed.finish().map_err(io)?;
        }
        Compression::Zstd => {
            let mut packed = zstd::stream::write::Encoder::new(&mut out, 0).map_err(io)?;
            write(&mut packed)?;
            packed.finish().map_err(io)?;
        }
        Compression::Bzip2 => {
            let mut packed = bzip2::write::BzEncoder::new(&mut out, bzip2::Compression::default());
            write(&mut packed)?;
            packed.finish().map_err(io)?;
        }
        Compression::Xz => {
            let mut packed = liblzma::write::XzEncoder::new(&mut out, 6);
            write(&mut packed)?;
            packed.finish().map_err(io)?;
        }
    }
    out.flush().map_err(io)
}
