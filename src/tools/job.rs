//! One run of the command: an engine set up by the options, Ctrl-C, and the exit status.

use super::Options;
use super::profile::Profile;
use super::progress::Progress;
use crate::engine::Engine;
use crate::text::{Code, Error};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The exit status of a program that failed.
const FAILED: u8 = 1;
/// The exit status of wrong usage.
const USAGE: u8 = 2;
/// The exit status after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

pub struct Job {
    pub engine: Engine,
    profile: Option<(Arc<Profile>, PathBuf)>,
}

impl Job {
    /// An engine as the options say, which Ctrl-C cancels; the second time ends the process.
    pub fn start(options: &Options) -> Result<Job, ExitCode> {
        let mut config = options.config().map_err(|error| {
            complain(&error);
            ExitCode::from(USAGE)
        })?;
        if Progress::wanted(config.progress) {
            config.observers.push(Arc::new(Progress::default()));
        }
        let profile = options.profile.clone().map(|path| (Arc::new(Profile::default()), path));
        if let Some((profile, _)) = &profile {
            config.observers.push(profile.clone());
        }
        let engine = Engine::with_config(config);
        let canceller = engine.canceller();
        let handled = ctrlc::set_handler(move || {
            if !canceller.cancel() {
                std::process::exit(INTERRUPTED.into());
            }
        });
        if let Err(e) = handled {
            let _ = writeln!(std::io::stderr(), "dsk: Ctrl-C will not be handled: {e}");
        }
        Ok(Job { engine, profile })
    }

    /// Shows an error, with the text that caused it.
    pub fn report(&self, error: &Error) {
        let _ = write!(std::io::stderr(), "{}", self.engine.report(error, std::io::stderr().is_terminal()));
    }

    /// Ends the run: writes the profile, reports what failed, and gives the exit status.
    pub fn end(self, done: Result<(), Error>) -> ExitCode {
        if let Some((profile, path)) = &self.profile
            && let Err(e) = profile.write(path)
        {
            let _ = writeln!(std::io::stderr(), "dsk: {} cannot be written: {e}", path.display());
        }
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                self.report(&error);
                ExitCode::from(if error.code() == Code::Interrupted { INTERRUPTED } else { FAILED })
            }
        }
    }
}

/// An error that no source stands behind.
pub fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "dsk: {error}");
    for line in error.help_lines() {
        let _ = writeln!(std::io::stderr(), "     {line}");
    }
}
