//! Bags of what files hold: lines, JSON values, records of tables. And files of what bags hold.

pub mod csv;
pub mod json;
pub mod lines;
pub mod write;

pub use write::{write_json, write_text};

use crate::data::{Args, Next, Reads, Task, Value};
use crate::err;
use crate::io::text::{self, Compression, Encoding, Piece};
use crate::op::bags::value;
use crate::op::layers::call;
use crate::op::{Inputs, Token};
use crate::schedule::parse_bytes;
use crate::text::{Error, Result};
use smallvec::smallvec;
use std::path::PathBuf;
use std::sync::Arc;

/// Larger files are cut although nobody asked for it.
const LARGE: u64 = 32 << 20;
/// Into pieces of so many bytes.
const PIECE: u64 = 16 << 20;

/// The files that names and patterns mean.
fn named(args: &Args) -> Result<Vec<PathBuf>> {
    let names: Vec<Value> = match args.value("files") {
        Value::List(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    let mut all = Vec::new();
    for name in &names {
        let name = name.as_text().ok_or_else(|| args.wrong_value("files", name, "names of files"))?;
        all.extend(text::files(name).map_err(|error| error.label(args.span, "in this call"))?);
    }
    all.iter()
        .try_for_each(|path| text::check_packing(path).map_err(|error| error.label(args.span, "in this call")))?;
    match all.is_empty() {
        true => Err(err!(Value, "{}: there are no files", args.function.name).label(args.span, "in this call")),
        false => Ok(all),
    }
}

fn blocksize(args: &Args) -> Result<Option<u64>> {
    let size = match args.value("blocksize") {
        Value::Nil => return Ok(None),
        Value::Str(text) => parse_bytes(text),
        other => other.as_int().and_then(|n| usize::try_from(n).ok()),
    };
    let size = size.filter(|&n| n > 0).ok_or_else(|| args.wrong("blocksize", "bytes, as in 1000000 or \"16MB\""))?;
    Ok(Some(size as u64))
}

/// The partitions of files: which pieces each is made of.
fn partitions(args: &Args, files: Vec<PathBuf>, together: Option<usize>, cut: bool) -> Result<Vec<Vec<Piece>>> {
    let whole = |path: PathBuf| Piece { path, range: None };
    if let Some(n) = together {
        if n == 0 {
            return Err(args.wrong("files-per-partition", "an int of 1 or more"));
        }
        if !args.is_nil("blocksize") {
            return Err(err!(Value, "{} takes `:files-per-partition` or `:blocksize`, not both", args.function.name)
                .label(args.span, "in this call"));
        }
        return Ok(files.chunks(n).map(|files| files.iter().cloned().map(whole).collect()).collect());
    }
    let size = blocksize(args)?;
    let encoding = encoding(args)?;
    if size.is_some() && !encoding.is_read_in_parts() {
        return Err(err!(Value, "{}: files in this encoding cannot be read in parts", args.function.name)
            .label(args.span, "in this call")
            .help("leave out `:blocksize`"));
    }
    let cut = cut && encoding.is_read_in_parts();
    let mut all = Vec::new();
    for path in files {
        let large = || {
            let len = std::fs::metadata(&path).map_or(0, |found| found.len());
            cut && len > LARGE && Compression::of(&path) == Compression::None
        };
        match size.or_else(|| large().then_some(PIECE)) {
            Some(size) => all.extend(text::split(&path, size)?.into_iter().map(|piece| vec![piece])),
            None => all.push(vec![whole(path)]),
        }
    }
    Ok(all)
}

/// `["a.txt" ["b.txt" 0 100]]`: the pieces as tasks name them.
fn said(pieces: &[Piece]) -> Value {
    let one = |piece: &Piece| {
        let path = Value::from(piece.path.to_string_lossy().into_owned());
        match piece.range {
            None => path,
            Some((start, end)) => Value::list(vec![path, Value::Int(start as i64), Value::Int(end as i64)]),
        }
    };
    Value::list(pieces.iter().map(one).collect())
}

fn pieces(args: &Args) -> Result<Vec<Piece>> {
    let one = |value: &Value| {
        let path = |v: &Value| v.as_text().map(PathBuf::from);
        match value.as_list() {
            Some([name, start, end]) => {
                Some(Piece { path: path(name)?, range: Some((start.as_int()? as u64, end.as_int()? as u64)) })
            }
            Some(_) => None,
            None => Some(Piece { path: path(value)?, range: None }),
        }
    };
    args.list("pieces")?
        .iter()
        .map(|v| one(v).ok_or_else(|| args.wrong_value("pieces", v, "names of files, or pieces")))
        .collect()
}

/// The bag of what a task makes of each partition's pieces. Its name says what the files were when it was made.
fn bag(args: &Args, op: &'static str, partitions: Vec<Vec<Piece>>, keywords: Vec<(&'static str, Value)>) -> Value {
    let mut token = Token::new(args.function.name.clone()).with(&partitions);
    for piece in partitions.iter().flatten() {
        let found = std::fs::metadata(&piece.path).ok();
        token = token.with(found.and_then(|found| Some((found.len(), found.modified().ok()?))));
    }
    token = keywords.iter().fold(token, |token, (name, value)| token.with(name).value(value));
    let n = partitions.len();
    let all: Arc<Vec<Value>> = Arc::new(partitions.iter().map(|pieces| said(pieces)).collect());
    let pieces =
        Task::index(move |index| index.first().and_then(|p| all.get(*p as usize)).cloned().unwrap_or_default());
    let keywords = keywords.into_iter().map(|(name, value)| (name, Task::data(value))).collect();
    let task = call(op, vec![pieces], keywords).with_span(args.span);
    value(Inputs::default().layer(task, token.name(), smallvec![n], Default::default(), args.span))
}

/// What was given of these keywords.
fn given(args: &Args, names: &[&'static str]) -> Vec<(&'static str, Value)> {
    names.iter().filter(|name| args.is_given(name)).map(|name| (*name, args.value(name).clone())).collect()
}

fn encoding(args: &Args) -> Result<Encoding> {
    let name = args.name("encoding")?;
    Encoding::named(&name).ok_or_else(|| {
        err!(Value, "there is no encoding `{name}`").label(args.span, "in this call").help(
            "some are \"utf-8\", \"utf-8-sig\", \"ascii\", \"latin-1\", \"utf-16\", \"cp1252\", \"shift_jis\" and \"gbk\"",
        )
    })
}

/// What a source makes, as a list.
fn listed(args: &Args, source: fn(&Args, &Reads, &mut Next) -> Result<()>) -> Result<Value> {
    let mut all = Vec::new();
    source(args, &Reads::All, &mut |value| {
        all.push(value);
        Ok(true)
    })?;
    Ok(Value::list(all))
}

/// Where a record came from.
struct Origin<'a> {
    piece: &'a Piece,
    /// Where in the file the part of it begins that it stands in, the lines of the piece before that, and those in it before the record.
    start: u64,
    before: usize,
    n: usize,
    /// What ends a line.
    end: &'a str,
}

impl Origin<'_> {
    /// The number of the line in its file.
    fn line_number(&self) -> usize {
        let before = match self.piece.range {
            Some(_) => text::lines_before(&self.piece.path, self.start, self.end.as_bytes()).unwrap_or_default(),
            None => self.before,
        };
        before + self.n + 1
    }

    /// The error about a record, with the line of the file that it came from, and what stands there.
    fn told(&self, error: Error, record: &str) -> Error {
        if error.code() == crate::text::Code::Interrupted {
            return error;
        }
        let record = record.trim_end();
        let shown: String = record.chars().take(120).collect();
        let more = if shown.len() < record.len() { "…" } else { "" };
        error.help(format!("in line {} of `{}`: {shown}{more}", self.line_number(), self.piece.path.display()))
    }
}
