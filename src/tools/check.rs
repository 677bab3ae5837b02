//! `dsk check`: what is wrong with programs, without running them.

use super::run::standard_input;
use crate::engine::Engine;
use crate::io::text::program;
use crate::schedule::Config;
use crate::text::report;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Arrays that are made to know their shapes take no more: larger ones are known only if they are lazy.
const MEMORY_LIMIT: usize = 1 << 20;

/// Reports all that is wrong with files; `-` is standard input. Nothing is printed of those in which nothing is.
pub fn files(files: &[String]) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for file in files {
        let (name, text) = match &**file {
            "-" => ("<stdin>", standard_input()),
            _ => (&**file, program(Path::new(file))),
        };
        let problems = match text {
            Ok(text) => checker().check(name, &text),
            Err(error) => vec![error],
        };
        for problem in problems {
            let _ = write!(std::io::stderr(), "{}", report(&problem, std::io::stderr().is_terminal()));
            status = ExitCode::FAILURE;
        }
    }
    status
}

/// An engine whose macros print nothing.
fn checker() -> Engine {
    let engine = Engine::with_config(Config { memory_limit: MEMORY_LIMIT, workers: 1, ..Config::default() });
    engine.set_output(std::io::sink());
    engine
}
