//! Files that are written under another name until they are complete.

use super::{Compression, failed};
use crate::text::Result;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A name beside a file's own for what is not complete.
pub fn unfinished(path: &Path) -> PathBuf {
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
