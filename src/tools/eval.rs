//! `dsk eval --json`: forms in, a line of JSON out for each, as they come; so that another program can converse with dsk.

use super::feed::Feed;
use super::job::Job;
use super::{Options, json};
use crate::data::{Task, Value};
use crate::err;
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
    /// Lines read so far, and those before what `feed` holds.
    lines: usize,
    before: usize,
    /// The lines before each piece of text that was evaluated: spans count from the piece's begin.
    pieces: Vec<(SourceId, usize)>,
}

impl<'a> Conversation<'a> {
    fn new(job: &'a Job, name: &'a str) -> Self {
        Conversation { job, name, feed: Feed::default(), lines: 0, before: 0, pieces: Vec::new() }
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
                    let position = (self.lines, 1);
                    self.before = self.lines;
                    self.answer(&json::failure(&err!(Syntax, "the line is not UTF-8 text"), Some(position)))?;
                }
            }
        }
    }

    /// Answers the forms that are whole; at the end of the input also what is not.
    fn take(&mut self, end: bool) -> Result<()> {
        let forms = match self.job.engine.read(self.name, self.feed.text()) {
            Err(error) if error.is_incomplete() && !end => return Ok(()),
            forms => forms,
        };
        self.feed.take();
        match forms {
            Ok(forms) => {
                for form in &forms {
                    let result = self.job.engine.eval_form(form).and_then(|value| self.job.engine.compute(&value));
                    self.answer(&self.line(form, result))?;
                }
            }
            Err(error) => self.answer(&json::failure(&error, self.position(&error)))?,
        }
        self.before = self.lines;
        Ok(())
    }

    fn line(&self, form: &Task, result: Result<Value>) -> String {
        match result {
            Ok(value) => json::answer(&value, &|task| self.job.engine.show(&task.quoted())),
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
        let before = self.pieces.iter().rev().find(|(id, _)| *id == span.source).map_or(0, |(_, before)| *before);
        Some((before + line, column))
    }

    fn answer(&self, line: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.map_err(|e| err!(Io, "standard output cannot be written: {e}"))
    }
}
