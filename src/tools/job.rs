//! One run of the command: an engine set up by the options, Ctrl-C, and the exit status.

use super::Options;
use super::profile::Profile;
use super::progress::Progress;
use crate::engine::Engine;
use crate::err;
use crate::schedule::Config;
use crate::text::{Code, Error};
use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The exit status of a program that failed.
const FAILED: u8 = 1;
/// The exit status of wrong usage.
const USAGE: u8 = 2;
/// The exit status after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// The part of the memory limit that kept results may take in a session.
const CACHED: usize = 10;

pub struct Job {
    pub engine: Engine,
    profile: Option<(Arc<Profile>, PathBuf)>,
}

impl Job {
    /// An engine as the options say, for a program: Ctrl-C cancels it, and the second time ends the process.
    pub fn start(options: &Options) -> Result<Job, ExitCode> {
        Job::with(options, configured(options)?, |engine| {
            let error = err!(Interrupted, "the program was interrupted");
            let _ = write!(std::io::stderr(), "{}", engine.report(&error, std::io::stderr().is_terminal()));
            std::process::exit(INTERRUPTED.into())
        })
    }

    /// The same for a session: Ctrl-C cancels what it computes, and never ends the session. Who explores asks for much the same again and
    /// again, so results are kept.
    pub fn session(options: &Options) -> Result<Job, ExitCode> {
        let mut config = configured(options)?;
        config.cache.get_or_insert(config.memory_limit / CACHED);
        Job::with(options, config, |_| ())
    }

    /// `uncancelled` is called when Ctrl-C comes and there is nothing that it had not cancelled before.
    fn with(
        options: &Options,
        mut config: Config,
        uncancelled: impl Fn(&Engine) + Send + 'static,
    ) -> Result<Job, ExitCode> {
        if Progress::wanted(config.progress) {
            config.observers.push(Arc::new(Progress::default()));
        }
        let profile = options.profile.clone().map(|path| (Arc::new(Profile::default()), path));
        if let Some((_, path)) = &profile {
            // Told now, not when everything is computed.
            let made = OpenOptions::new().write(true).create(true).truncate(false).open(path);
            made.map_err(|e| unwritten(path, &e))?;
        }
        if let Some((profile, _)) = &profile {
            config.observers.push(profile.clone());
        }
        let engine = Engine::with_config(config);
        let (canceller, handle) = (engine.canceller(), engine.clone());
        let handled = ctrlc::set_handler(move || {
            if !canceller.cancel() {
                uncancelled(&handle);
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
        let unwritten = match &self.profile {
            Some((profile, path)) => profile.write(path).err().map(|e| unwritten(path, &e)),
            None => None,
        };
        match done {
            Ok(()) => unwritten.unwrap_or(ExitCode::SUCCESS),
            Err(error) => {
                self.report(&error);
                ExitCode::from(if error.code() == Code::Interrupted { INTERRUPTED } else { FAILED })
            }
        }
    }
}

fn configured(options: &Options) -> Result<Config, ExitCode> {
    options.config().map_err(|error| {
        complain(&error);
        ExitCode::from(USAGE)
    })
}

/// Says that a profile cannot be written, and gives the exit status.
fn unwritten(path: &Path, e: &std::io::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "dsk: the profile {} cannot be written: {e}", path.display());
    ExitCode::from(FAILED)
}

/// An error that no source stands behind.
pub fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "dsk: {error}");
    for line in error.help_lines() {
        let _ = writeln!(std::io::stderr(), "     {line}");
    }
}
