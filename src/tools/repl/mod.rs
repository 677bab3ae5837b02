//! The interactive session: a form in, its value out. `*1 *2 *3` are the last values, `*e` the last error; Ctrl-C stops a
//! computation or clears the line, Ctrl-D leaves.

mod helper;

use super::Options;
use super::job::Job;
use super::run::shown;
use crate::data::Value;

use crate::text::{Error, Result};
use helper::Helper;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Editor};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const GREETING: &str = "Ctrl-D leaves, Tab completes, (doc sum) explains, (apropos \"mean\") finds.";
/// Lines of history that are kept.
const KEPT: usize = 10_000;
/// As wide as what the helper shows in its place while brackets are open.
const PROMPT: &str = "dsk> ";

/// Holds a session on a terminal; a program that comes in on standard input is run instead.
pub fn start(options: &Options) -> ExitCode {
    if !std::io::stdin().is_terminal() {
        return super::run::program(options, vec!["-".into()]);
    }
    let job = match Job::session(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    if !options.quiet {
        say(&format!("dsk {}. {GREETING}", env!("CARGO_PKG_VERSION")));
    }
    match session(&job) {
        Ok(()) => job.end(Ok(())),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "dsk: the terminal cannot be used: {e}");
            ExitCode::FAILURE
        }
    }
}

fn session(job: &Job) -> rustyline::Result<()> {
    let mut editor: Editor<Helper, DefaultHistory> = Editor::new()?;
    editor.set_helper(Some(Helper::new(&job.engine)));
    editor.set_completion_type(CompletionType::List);
    editor.set_auto_add_history(false);
    editor.set_max_history_size(KEPT)?;
    let history = history_file();
    if let Some(path) = &history {
        // No history yet is no error.
        let _ = editor.load_history(path);
    }
    for name in ["*1", "*2", "*3", "*e"] {
        // Before there is a value, or an error, it is nil.
        let _ = job.engine.set(name, Value::Nil);
    }
    for entry in 1.. {
        match editor.readline(PROMPT) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                let _ = editor.add_history_entry(text.as_str());
                if let Some(path) = &history {
                    let _ = editor.append_history(path);
                }
                evaluate(job, &format!("repl:{entry}"), &text);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Evaluates what was typed, and shows the value of every form; an error ends it.
fn evaluate(job: &Job, name: &str, text: &str) {
    let done = job.engine.read(name, text).and_then(|forms| {
        for form in &forms {
            let value = job.engine.eval_form(form)?;
            if !matches!(value, Value::Nil) {
                say(&shown(&job.engine, Some(form), &value)?);
            }
            remember(job, value)?;
        }
        Ok(())
    });
    if let Err(error) = done.map_err(|error| told_to_replay(job, error)) {
        job.report(&error);
        // The session goes on without `*e` if the error cannot even be described.
        let _ = job.engine.set("*e", job.engine.error_value(&error));
    }
}

/// Says how to run the task that failed again.
fn told_to_replay(job: &Job, error: Error) -> Error {
    let failed = job.engine.failed_task().map(|key| key.quoted());
    match error.task().map(|task| task.key.clone()).filter(|key| failed.as_ref() == Some(key)) {
        Some(key) => error.help(format!("`(replay '{key})` runs this task again, alone")),
        None => error,
    }
}

/// Moves the last values down one place.
fn remember(job: &Job, value: Value) -> Result<(), Error> {
    let last = |name: &str| job.engine.get(name).unwrap_or_default();
    job.engine.set("*3", last("*2"))?;
    job.engine.set("*2", last("*1"))?;
    job.engine.set("*1", value)
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A terminal that is gone ends the session at the next prompt.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// `DSK_HISTORY`, or where programs of this system keep such things.
fn history_file() -> Option<PathBuf> {
    let path = std::env::var_os("DSK_HISTORY").map(PathBuf::from).or_else(|| {
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        Some(state.or_else(home)?.join("dsk").join("history"))
    })?;
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    Some(path)
}
