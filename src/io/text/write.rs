//! Files that appear when they are complete.

use super::{Compression, failed};
use crate::text::Result;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file by a function, packed as its name says. What was there before stays until all is written.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let io = |error: std::io::Error| failed(path, "written", &error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut temporary = tempfile::Builder::new();
    // As the program's other files, less what the user's mask takes away: a temporary one would be for its owner alone.
    #[cfg(unix)]
    temporary.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = temporary.prefix(".dsk-").tempfile_in(folder).map_err(io)?;
    writer(file.as_file(), path, write)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Writes to `out` by a function, packed as the name says.
pub fn writer(out: impl Write, path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
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
