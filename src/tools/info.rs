//! `dsk info`: what is in a file.

use super::job::complain;
use crate::err;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints what each file holds; goes on with the next after one that cannot be read.
pub fn show(files: &[PathBuf]) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for file in files {
        let shown = crate::io::stored::listing(file, &crate::read::print).and_then(|text| {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).map_err(|e| err!(Io, "standard output cannot be written: {e}"))
        });
        if let Err(error) = shown {
            complain(&error);
            status = ExitCode::FAILURE;
        }
    }
    status
}
