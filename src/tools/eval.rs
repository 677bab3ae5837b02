//! `dsk eval --json`: forms in, a line of JSON out for each, as they come; so that another program can converse with dsk.

use super::feed::Feed;
use super::job::Job;
use super::{Options, json};
use crate::data::Task;
use crate::err;
use crate::read::Forms;
use crate::text::{Error, Result, SourceId};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;

/// Reads forms from a file (`-` is standard input), and writes and flushes a line after each. Goes on after errors:
/// the status tells only whether the conversation itself worked.
pub fn converse(options: &Options, file: &str) -> ExitCode {
    let job = match Job::start(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    // Standard output is for answers.
    job.engine.set_output(std::io::stderr());
    let done = if file == "-" {
        Conversation::new(&job, "<stdin>").hold(std::io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(|e| err!(Io, "{file} cannot be read: {e}"));
        opened.and_then(|opened| Conversation::new(&job, file).hold(BufReader::new(opened)))
    };
    job.end(done)
}

struct Conversation<'a> {
    job: &'a Job,
    name: &'a str,
    feed: Feed,
    /// Lines read so far.
    lines: usize,
    /// Where in the input that begins which `feed` holds.
    begin: Place,
    /// Where in the input each text begins that was read from `feed`: spans count from there.
    texts: Vec<(SourceId, Place)>,
}

/// So many lines, then so many characters of the next one.
#[derive(Clone, Copy, Default)]
struct Place {
    lines: usize,
    columns: usize,
}

impl<'a> Conversation<'a> {
    fn new(job: &'a Job, name: &'a str) -> Self {
        Conversation { job, name, feed: Feed::default(), lines: 0, begin: Place::default(), texts: Vec::new() }
    }

    fn hold(mut self, mut input: impl BufRead) -> Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = input.read_until(b'\n', &mut line).map_err(|e| err!(Io, "{} cannot be read: {e}", self.name))?;
            if n == 0 {
                return self.take(true);
            }
            self.lines += 1;
            match std::str::from_utf8(&line) {
                Ok(text) => {
                    if self.feed.push(text) {
                        self.take(false)?;
                    }
                }
                Err(_) => {
                    self.feed.take();
                    self.begin = Place { lines: self.lines, columns: 0 };
                    self.answer(&json::failure(&err!(Syntax, "the line is not UTF-8 text"), Some((self.lines, 1))))?;
                }
            }
        }
    }

    /// Answers every form that is whole; at the end of the input also one that is not.
    fn take(&mut self, end: bool) -> Result<()> {
        let text = self.feed.take();
        let source = self.job.engine.sources().add(self.name, text.as_str());
        self.texts.push((source, self.begin));
        let mut forms = Forms::new(source, &text);
        loop {
            let before = forms.offset();
            let answer = match forms.next() {
                None => break,
                Some(Ok(form)) => self.evaluate(&form),
                Some(Err(error)) if error.is_incomplete() && !end => {
                    let (done, rest) = text.split_at(before);
                    let line = done.rfind('\n').map_or(0, |at| at + 1);
                    let columns = done[line..].chars().count() + if line == 0 { self.begin.columns } else { 0 };
                    self.begin = Place { lines: self.begin.lines + done.matches('\n').count(), columns };
                    self.feed.push(rest);
                    return Ok(());
                }
                Some(Err(error)) => json::failure(&error, self.position(&error)),
            };
            self.answer(&answer)?;
        }
        self.begin = Place { lines: self.lines, columns: 0 };
        Ok(())
    }

    /// The line that answers a form.
    fn evaluate(&self, form: &Task) -> String {
        let engine = &self.job.engine;
        match engine.eval_form(form).and_then(|value| json::answer(&engine.compute(&value)?)) {
            Ok(answer) => answer,
            Err(error) => {
                let error = error.at(form.span);
                json::failure(&error, self.position(&error))
            }
        }
    }

    /// Line and column of an error in the whole input.
    fn position(&self, error: &Error) -> Option<(usize, usize)> {
        let span = error.span();
        let (line, column) = self.job.engine.sources().get(span.source)?.position(span.start as usize);
        let begin = self.texts.iter().rev().find(|(id, _)| *id == span.source).map_or(Place::default(), |(_, p)| *p);
        Some((begin.lines + line, column + if line == 1 { begin.columns } else { 0 }))
    }

    fn answer(&self, line: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.map_err(|e| err!(Io, "standard output cannot be written: {e}"))
    }
}
