//! `dsk fmt`: programs laid out the one way.

use super::run::standard_input;
use crate::err;
use crate::io::text::{self, Place};
use crate::read::format;
use crate::text::{Result, Sources, report};
use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Lays files out in their places; `-` is standard input, laid out on standard output. With `check` nothing is written but
/// the names of files that are not laid out so. Goes on with the next file after one that cannot be read.
pub fn files(files: &[String], check: bool) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let sources = Arc::new(Sources::default());
    for file in files {
        let done = if check { checked(file, &sources) } else { replaced(file, &sources).map(|()| true) };
        match done {
            Ok(true) => {}
            Ok(false) => status = ExitCode::FAILURE,
            Err(error) => {
                let shown = report(&error.with_sources(&sources), std::io::stderr().is_terminal());
                let _ = write!(std::io::stderr(), "{shown}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// The text of a file, and the same laid out.
fn laid_out(file: &str, sources: &Sources) -> Result<(String, String)> {
    let (name, text) = match file {
        "-" => ("<stdin>", standard_input()?),
        _ => (file, text::program(Path::new(file))?),
    };
    let source = sources.add(name, text.as_str());
    let formatted = format(source, &text)?;
    Ok((text, formatted))
}

/// Whether a file is laid out; its name is printed if not.
fn checked(file: &str, sources: &Sources) -> Result<bool> {
    let (text, formatted) = laid_out(file, sources)?;
    if text != formatted {
        print(format_args!("{file}\n"))?;
    }
    Ok(text == formatted)
}

fn replaced(file: &str, sources: &Sources) -> Result<()> {
    let (text, formatted) = laid_out(file, sources)?;
    if file == "-" {
        return print(format_args!("{formatted}"));
    }
    if text == formatted {
        return Ok(());
    }
    let path = Path::new(file);
    let failed = |error: std::io::Error| text::failed(path, "written", &error);
    if !path.is_file() {
        return Err(err!(Io, "`{file}` is no file that could be replaced").help("`-` is standard input"));
    }
    // A file that is not to be written is not to be replaced either.
    OpenOptions::new().write(true).open(path).map_err(failed)?;
    let place = Place::of(file)?;
    std::fs::write(place.path(), formatted).map_err(failed)?;
    place.complete()
}

fn print(text: std::fmt::Arguments) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_fmt(text)
        .and_then(|()| out.flush())
        .map_err(|error| err!(Io, "standard output cannot be written: {error}"))
}
