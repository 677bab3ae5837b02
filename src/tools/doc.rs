//! `dsk doc`: the reference, from what ops and the prelude say of themselves.

use super::job::{Job, complain};
use super::Options;
use crate::data::Value;
use crate::engine::Engine;
use crate::err;
use crate::op::Op;
use crate::ops::OPS;
use crate::text::suggest::nearest;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

/// One name of the reference.
struct Entry {
    name: String,
    usage: String,
    doc: String,
    examples: &'static [(&'static str, &'static str)],
    see: &'static [&'static str],
}

impl Entry {
    fn first_line(&self) -> &str {
        self.doc.lines().next().unwrap_or_default()
    }
}

/// Prints what there is to say of a name; the list of all without one; the whole of it as Markdown if asked for.
pub fn show(options: &Options, name: Option<&str>, markdown: bool) -> ExitCode {
    let job = match Job::start(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    let entries = reference(&job.engine);
    let text = match name {
        None if markdown => page(&entries),
        None => list(&entries),
        Some(name) => match entries.iter().find(|entry| entry.name == name) {
            Some(entry) => article(entry),
            None => {
                let error = err!(Unbound, "the reference has no `{name}`");
                complain(&match nearest(name, entries.iter().map(|entry| entry.name.as_str())) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                });
                return ExitCode::FAILURE;
            }
        },
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&err!(Io, "standard output cannot be written: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Ops in documentation order, then what the prelude defines, by name.
fn reference(engine: &Engine) -> Vec<Entry> {
    let of_op = |op: &&'static Op| Entry {
        name: op.name().into(),
        usage: op.usage.into(),
        doc: op.doc.into(),
        examples: op.examples,
        see: op.see,
    };
    let mut entries: Vec<Entry> = OPS.iter().map(of_op).collect();
    let ops = entries.len();
    let mut names = engine.names();
    names.sort_unstable();
    for name in names {
        // Other names of an op show the op's own.
        if entries[..ops].iter().any(|entry| entry.name == name) {
            continue;
        }
        if let Some(Value::Function(f)) = engine.get(&name)
            && let Some(doc) = &f.doc
        {
            entries.push(Entry { usage: f.usage(), doc: doc.to_string(), name, examples: &[], see: &[] });
        }
    }
    entries
}

fn list(entries: &[Entry]) -> String {
    let width = entries.iter().map(|e| e.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "{:width$}  {}", entry.name, entry.first_line());
    }
    text
}

fn article(entry: &Entry) -> String {
    let mut text = format!("{}\n\n{}\n", entry.usage, entry.doc.trim_end());
    if !entry.examples.is_empty() {
        text.push('\n');
    }
    for (expression, value) in entry.examples {
        let _ = writeln!(text, "  {expression}  ;=> {value}");
    }
    if !entry.see.is_empty() {
        let _ = writeln!(text, "\nSee also: {}", entry.see.join(", "));
    }
    text
}

fn page(entries: &[Entry]) -> String {
    let mut text = String::from("# Reference\n");
    for entry in entries {
        let _ = writeln!(text, "\n## `{}`\n\n```clojure\n{}\n```\n\n{}", entry.name, entry.usage, entry.doc.trim_end());
        if !entry.examples.is_empty() {
            text.push_str("\n```clojure\n");
            for (expression, value) in entry.examples {
                let _ = writeln!(text, "{expression}  ;=> {value}");
            }
            text.push_str("```\n");
        }
        if !entry.see.is_empty() {
            let names: Vec<String> = entry.see.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(text, "\nSee also: {}", names.join(", "));
        }
    }
    text
}
