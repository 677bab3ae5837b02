//! `dsk doc`: the reference, from what ops and the prelude say of themselves.

use super::Options;
use super::job::{Job, complain};
use crate::engine::Engine;
use crate::err;
use crate::ops::{CHAPTERS, all};
use crate::text::suggest::nearest;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

/// Prints what there is to say of a name; the list of all without one; the whole of it as Markdown if asked for.
pub fn show(options: &Options, name: Option<&str>, markdown: bool) -> ExitCode {
    let job = match Job::start(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    let engine = &job.engine;
    let text = match name {
        None if markdown => page(engine),
        None => list(engine),
        Some(name) => match article(engine, name) {
            Some(article) => article,
            None => {
                let error = err!(Unbound, "the reference has no `{name}`");
                complain(&match nearest(name, engine.names().iter().map(String::as_str)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                });
                return ExitCode::FAILURE;
            }
        },
    };
    match writeln!(std::io::stdout().lock(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&err!(Io, "standard output cannot be written: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Usage, text, examples, related names.
fn article(engine: &Engine, name: &str) -> Option<String> {
    crate::ops::doc(name).or_else(|| Some(format!("{}\n\n{}", engine.usage(name)?, engine.doc(name)?)))
}

/// The chapters of the reference: a title, and names with the first line of what is said of each. Ops stand in
/// documentation order; what the prelude defines comes last, by name.
fn chapters(engine: &Engine) -> Vec<(&'static str, Vec<(String, String)>)> {
    let first_line = |doc: &str| doc.lines().next().unwrap_or_default().to_owned();
    let mut chapters: Vec<_> = CHAPTERS
        .iter()
        .map(|chapter| {
            let ops = chapter.ops.iter().copied().flatten();
            (chapter.title, ops.map(|op| (op.name().to_owned(), first_line(op.doc))).collect::<Vec<_>>())
        })
        .filter(|(_, names)| !names.is_empty())
        .collect();
    let is_op = |name: &str| all().any(|op| op.name() == name) || crate::ops::ALIASES.iter().any(|(a, _)| *a == name);
    let prelude = engine.names().into_iter().filter(|name| !is_op(name));
    let prelude = prelude.filter_map(|name| engine.doc(&name).map(|doc| (name, first_line(&doc))));
    chapters.push(("Said in dsk itself", prelude.collect()));
    chapters
}

fn list(engine: &Engine) -> String {
    let chapters = chapters(engine);
    let names = chapters.iter().flat_map(|(_, names)| names);
    let width = names.map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, names) in &chapters {
        let _ = writeln!(text, "{title}");
        for (name, line) in names {
            let _ = writeln!(text, "  {name:width$}  {line}");
        }
        text.push('\n');
    }
    text
}

fn page(engine: &Engine) -> String {
    let mut text = String::from("# Reference\n");
    for (title, names) in chapters(engine) {
        let _ = writeln!(text, "\n## {title}");
        for (name, _) in names {
            let article = article(engine, &name).unwrap_or_default();
            let _ = writeln!(text, "\n### `{name}`\n\n```text\n{}\n```", article.trim_end());
        }
    }
    text
}
