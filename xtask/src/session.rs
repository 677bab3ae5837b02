//! A conversation with `dsk eval --json`: one form out, one line of JSON back.

use crate::Result;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Session {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Session {
    /// Starts the command, in the folder that relative paths are to mean.
    pub fn start(dsk: &Path, folder: &Path) -> Result<Session> {
        let mut child = Command::new(dsk)
            .args(["eval", "--json", "-"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{} did not start: {e}", dsk.display()))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let from = BufReader::new(from.ok_or("dsk has no standard output")?);
        Ok(Session { child, to, from })
    }

    /// Evaluates one form, written on one line, and gives the text of its value as JSON.
    pub fn ask(&mut self, form: &str) -> Result<String> {
        let to = self.to.as_mut().ok_or("dsk has no standard input")?;
        writeln!(to, "{form}").and_then(|()| to.flush()).map_err(|e| format!("dsk went away: {e}"))?;
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|e| format!("dsk went away: {e}"))?;
        if line.is_empty() {
            return Err(format!("dsk ended without an answer to {form}"));
        }
        let value = line.trim_end().strip_suffix('}').and_then(|line| line.split_once("\"value\":"));
        match value {
            Some((_, value)) if line.starts_with("{\"ok\":true") => Ok(value.to_owned()),
            _ => Err(format!("{form}\n{}", line.trim_end())),
        }
    }

    /// Evaluates a form whose value is a number, or a list of them.
    pub fn numbers(&mut self, form: &str) -> Result<Vec<f64>> {
        let value = self.ask(form)?;
        let number = |text: &str| text.parse().map_err(|_| format!("{form} answered with {text}, which is no number"));
        value.trim_matches(['[', ']']).split(',').map(number).collect()
    }

    /// The most memory the process has held so far, in bytes, where the system tells.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }

    /// Ends the conversation.
    pub fn end(mut self) -> Result {
        drop(self.to.take());
        let status = self.child.wait().map_err(|e| format!("dsk did not end: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("dsk ended with {status}")) }
    }
}
