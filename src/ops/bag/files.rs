//! Bags of what files hold: lines, JSON values, records of tables. And files of what bags hold.

use super::source::of_parts;
use crate::data::{Args, Map, Next, Reads, Task, Value};
use crate::err;
use crate::io::text::{self, Compression, Piece};
use crate::op;
use crate::op::bags::{layer, partitionwise, value};
use crate::op::layers::call;
use crate::op::sequence::{Seq, pair, put};
use crate::op::{Inputs, Kind, Op, Token};
use crate::ops::text::json;
use crate::schedule::parse_bytes;
use crate::text::{Error, Result};
use smallvec::smallvec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(
        Kind::Now(read_text),
        "(read-text files :blocksize nil :linedelimiter nil :encoding \"utf-8\" :errors \"strict\" :files-per-partition nil :include-path false)",
        "The bag of the lines of text files, each with its end: a name, a pattern (`\"logs/*.log\"`), or a list of these. What ends in `.gz`, `.zst`, \
         `.bz2` or `.xz` is unpacked. `\\r\\n` reads as `\\n`, unless `:blocksize` is given.\n\
         A file is a partition, or several of about `:blocksize` bytes; large ones that are not packed are cut anyway, so that any file fits \
         in memory. With `:include-path`, elements are `[line path]`. `:errors` is \"strict\", \"replace\" or \"ignore\", for bytes that are not of \
         the encoding. Errors: `dsk::io` where no file is.",
        [],
        ["read-json", "read-csv", "write-text", "glob"]
    ),
    op!(
        Kind::Now(read_json),
        "(read-json files :lines nil :blocksize nil :encoding \"utf-8\")",
        "The bag of the JSON values in files, one a line, or, where a file begins with `[` (or `:lines` is false), the elements of one array. \
         Files and partitions are as in `read-text`. Errors: `dsk::value` with the file and the line.",
        [],
        ["read-text", "json/parse", "write-json"]
    ),
    op!(
        Kind::Now(read_csv),
        "(read-csv files :header true :delimiter \",\" :strings false :blocksize nil :encoding \"utf-8\")",
        "The bag of the rows of tables, as maps by the names in the first row; a list of names as `:header` where there is no such row, or nil for \
         rows as lists. Fields that read as integers or floats are those, empty ones nil; with `:strings true` all are strings. With \
         `:blocksize`, no field may hold the end of a line.",
        [],
        ["read-text", "read-json"]
    ),
    op!(
        Kind::Now(write_text),
        "(write-text target coll :encoding \"utf-8\")",
        "Writes the elements as lines, a file a partition: `*` in the target is the partition's number, a target without is a folder, or of a list the file. \
         Packed by the ending of the name. They appear when all are complete. Answers with their names.",
        [],
        ["write-json", "read-text"]
    ),
    op!(
        Kind::Now(write_json),
        "(write-json target coll)",
        "As `write-text`, each element as JSON on a line.",
        [],
        ["write-text", "json/write"]
    ),
    op!(
        Kind::Now(lines),
        "(bag/lines pieces :linedelimiter nil :encoding \"utf-8\" :errors \"strict\" :include-path false)",
        "The lines of files, or of pieces `[path start end]` of them. The task of `read-text`.",
        [],
        ["read-text"]
    ),
    op!(
        Kind::Now(json_values),
        "(bag/json pieces :lines nil :encoding \"utf-8\")",
        "The JSON values in files, or in pieces of them. The task of `read-json`.",
        [],
        ["read-json"]
    ),
    op!(
        Kind::Now(rows),
        "(bag/csv pieces :header true :delimiter \",\" :strings false :encoding \"utf-8\")",
        "The rows of tables, or of pieces of them. The task of `read-csv`.",
        [],
        ["read-csv"]
    ),
    op!(
        Kind::Now(written),
        "(bag/written path coll :as nil :json false :encoding \"utf-8\")",
        "Writes a file of the elements, packed as the name `:as` says, and answers with the list of its name. The task of `write-text`.",
        [],
        ["write-text"]
    ),
];

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
        return Ok(files.chunks(n).map(|files| files.iter().cloned().map(whole).collect()).collect());
    }
    let size = blocksize(args)?;
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

fn read_text(args: Args) -> Result<Value> {
    let files = named(&args)?;
    let parts = partitions(&args, files, args.size_or_nil("files-per-partition")?, true)?;
    let mut keywords = given(&args, &["linedelimiter", "encoding", "errors", "include-path"]);
    // Where nobody asked for blocks, ends of lines read alike.
    if args.is_nil("blocksize") && args.is_nil("linedelimiter") {
        keywords.retain(|(name, _)| *name != "linedelimiter");
    } else if args.is_nil("linedelimiter") {
        keywords.push(("linedelimiter", Value::from("\n")));
    }
    encoding(&args)?;
    if !matches!(args.name("errors")?.as_str(), "strict" | "replace" | "ignore") {
        return Err(args.wrong("errors", "\"strict\", \"replace\" or \"ignore\""));
    }
    Ok(bag(&args, "bag/lines", parts, keywords))
}

fn encoding(args: &Args) -> Result<&'static encoding_rs::Encoding> {
    let name = args.name("encoding")?;
    // Python writes `latin-1` and `utf_8` for what the web calls `latin1` and `utf-8`.
    let spelled = [name.to_string(), name.replace('_', "-"), name.replace(['-', '_'], "")];
    let found = spelled.iter().find_map(|name| encoding_rs::Encoding::for_label(name.as_bytes()));
    found.ok_or_else(|| {
        err!(Value, "there is no encoding `{name}`")
            .label(args.span, "in this call")
            .help("\"utf-8\" and \"latin-1\" are some")
    })
}

/// The bytes of a piece as text. `errors` says what is done with bytes that are none.
fn decoded(
    piece: &Piece,
    bytes: Vec<u8>,
    start: u64,
    encoding: &'static encoding_rs::Encoding,
    errors: &str,
) -> Result<String> {
    if encoding == encoding_rs::UTF_8 {
        let bad = match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(bad) => bad,
        };
        let at = bad.utf8_error().valid_up_to();
        let bytes = bad.into_bytes();
        return match errors {
            "replace" => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            "ignore" => Ok(bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()),
            _ => {
                let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
                let place = if start == 0 { format!("line {line}, ") } else { String::new() };
                let byte = start + at as u64;
                Err(err!(Value, "`{}` is not UTF-8: {place}byte {byte} is 0x{:02x}", piece.path.display(), bytes[at])
                    .help(match errors {
                        "strict" => "`:encoding \"latin-1\"` reads other encodings; `:errors \"replace\"` goes on",
                        _ => "`:encoding \"latin-1\"` reads other encodings",
                    }))
            }
        };
    }
    let (text, _, wrong) = encoding.decode(&bytes);
    if wrong && matches!(errors, "strict" | "refuse") {
        return Err(err!(Value, "`{}` is not {}", piece.path.display(), encoding.name())
            .help("`:errors \"replace\"` goes on where bytes are none of it"));
    }
    Ok(text.into_owned())
}

/// Ends of lines as `\n`.
fn unified(text: String) -> String {
    match memchr::memchr(b'\r', text.as_bytes()) {
        None => text,
        Some(_) => text.replace("\r\n", "\n").replace('\r', "\n"),
    }
}

fn lines(args: Args) -> Result<Value> {
    listed(&args, each_line)
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
    end: &'a str,
    line: &'a str,
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

    /// The error about a record, with the line of the file that it came from.
    fn told(&self, error: Error) -> Error {
        if error.code() == crate::text::Code::Interrupted {
            return error;
        }
        let line = self.line.trim_end();
        let shown: String = line.chars().take(120).collect();
        let more = if shown.len() < line.len() { "…" } else { "" };
        error.help(format!("in line {} of `{}`: {shown}{more}", self.line_number(), self.piece.path.display()))
    }
}

/// The lines of a piece, one by one, with where they come from.
fn each_line_of(
    args: &Args,
    piece: &Piece,
    delimiter: Option<&str>,
    errors: &str,
    next: &mut dyn FnMut(&Origin) -> Result<bool>,
) -> Result<()> {
    let encoding = encoding(args)?;
    let end = delimiter.unwrap_or("\n");
    let mut before = 0;
    let mut part = |bytes: Vec<u8>, start: u64| {
        let text = decoded(piece, bytes, start, encoding, errors)?;
        let text = if delimiter.is_none() { unified(text) } else { text };
        let mut n = 0;
        for line in text::lines(&text, end) {
            args.check_interrupt(n)?;
            if !next(&Origin { piece, start, before, n, end, line })? {
                return Ok(false);
            }
            n += 1;
        }
        before += n;
        Ok(true)
    };
    if encoding.is_ascii_compatible() {
        return piece.chunks(end.as_bytes(), &mut part);
    }
    // Bytes of its ends of lines may be parts of other characters.
    let (bytes, start) = piece.bytes(end.as_bytes())?;
    part(bytes, start).map(drop)
}

/// The lines of pieces, one by one.
pub fn each_line(args: &Args, reads: &Reads, next: &mut Next) -> Result<()> {
    let errors = args.name("errors")?;
    let include_path = args.bool("include-path")?;
    let delimiter = args.text_or_nil("linedelimiter")?.filter(|text| !text.is_empty());
    let mut on = true;
    for piece in &pieces(args)? {
        let path = Value::from(piece.path.to_string_lossy().into_owned());
        each_line_of(args, piece, delimiter.as_deref(), &errors, &mut |origin| {
            let line = if reads.is_nothing() { Value::Nil } else { Value::from(origin.line) };
            let record = if include_path { pair(line, path.clone()) } else { line };
            on = next(record).map_err(|error| origin.told(error))?;
            Ok(on)
        })?;
        if !on {
            break;
        }
    }
    Ok(())
}

fn read_json(args: Args) -> Result<Value> {
    let files = named(&args)?;
    encoding(&args)?;
    let lines = match args.bool_or_nil("lines")? {
        Some(lines) => lines,
        None => !begins_an_array(&files[0])?,
    };
    let parts = partitions(&args, files, None, lines)?;
    let mut keywords = given(&args, &["encoding"]);
    keywords.push(("lines", Value::Bool(lines)));
    Ok(bag(&args, "bag/json", parts, keywords))
}

/// Whether the first thing in a file is a `[`. Lines may be arrays, too: then the first line is whole.
fn begins_an_array(path: &Path) -> Result<bool> {
    let first = text::head(path, 1 << 20)?;
    let text = String::from_utf8_lossy(&first);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let (line, more) = text.split_once('\n').unwrap_or((text, ""));
    Ok(text.starts_with('[') && (more.trim().is_empty() || json::value_of(line.trim(), &Reads::NOTHING).is_err()))
}

fn json_values(args: Args) -> Result<Value> {
    listed(&args, each_json)
}

/// The JSON values in pieces, one by one.
pub fn each_json(args: &Args, reads: &Reads, next: &mut Next) -> Result<()> {
    let by_lines = args.bool_or_nil("lines")?.unwrap_or(true);
    let not_json = |piece: &Piece, line: usize, problem: serde_json::Error| -> Error {
        // The problem's own line is that of the text that it was given.
        let problem = problem.to_string();
        let what = problem.split(" at line ").next().unwrap_or(&problem);
        let error = err!(Value, "`{}`, line {line}: this is not JSON: {what}", piece.path.display());
        if by_lines { error.help("`:lines false` reads a file that is one JSON value") } else { error }
    };
    let mut on = true;
    for piece in &pieces(args)? {
        if by_lines {
            each_line_of(args, piece, Some("\n"), "refuse", &mut |origin| {
                let line = origin.line.trim_start_matches('\u{feff}').trim();
                if line.is_empty() {
                    return Ok(true);
                }
                let record =
                    json::value_of(line, reads).map_err(|problem| not_json(piece, origin.line_number(), problem))?;
                on = next(record).map_err(|error| origin.told(error))?;
                Ok(on)
            })?;
        } else {
            let (bytes, start) = piece.bytes(b"\n")?;
            let text = decoded(piece, bytes, start, encoding(args)?, "refuse")?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let whole =
                json::value_of(text, &Reads::All).map_err(|problem| not_json(piece, problem.line(), problem))?;
            let items = match whole {
                Value::List(items) => items.to_vec(),
                one => vec![one],
            };
            for item in items {
                on = on && next(item)?;
            }
        }
        if !on {
            break;
        }
    }
    Ok(())
}

fn read_csv(args: Args) -> Result<Value> {
    let files = named(&args)?;
    encoding(&args)?;
    match args.value("header") {
        Value::Bool(_) | Value::Nil | Value::List(_) => {}
        _ => return Err(args.wrong("header", "true, nil, or a list of names")),
    }
    let keywords = given(&args, &["delimiter", "strings", "encoding", "header"]);
    let parts = partitions(&args, files, None, false)?;
    Ok(bag(&args, "bag/csv", parts, keywords))
}

/// The names in the first row of a piece's file, which each file has for itself.
fn first_row(args: &Args, piece: &Piece) -> Result<Vec<Value>> {
    let whole = Piece { path: piece.path.clone(), range: None };
    // The first line, or more where a name holds the end of one.
    let head = match Compression::of(&piece.path) {
        Compression::None => Piece { range: Some((0, 1 << 16)), ..whole },
        _ => whole,
    };
    let first = records(args, &head, Some(1))?.pop();
    let first = first.ok_or_else(|| err!(Value, "`{}` is empty, and has no first row", piece.path.display()))?;
    Ok(Seq::of(first).map_or_else(|_| Vec::new(), Seq::into_vec))
}

/// Rows of a piece, as lists of strings.
fn records(args: &Args, piece: &Piece, most: Option<usize>) -> Result<Vec<Value>> {
    let delimiter = args.text("delimiter")?;
    let &[delimiter] = delimiter.as_bytes() else {
        return Err(args.wrong("delimiter", "a string of one ASCII character"));
    };
    let (bytes, start) = piece.bytes(b"\n")?;
    let text = decoded(piece, bytes, start, encoding(args)?, "refuse")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let mut all = Vec::new();
    for (n, record) in reader.records().take(most.unwrap_or(usize::MAX)).enumerate() {
        args.check_interrupt(n)?;
        let record = record.map_err(|problem| err!(Value, "`{}`: {problem}", piece.path.display()))?;
        all.push(Value::list(record.iter().map(Value::from).collect()));
    }
    Ok(all)
}

/// A field as the number it reads as, nil for nothing.
fn typed(field: Value) -> Value {
    let Some(text) = field.as_text() else { return field };
    let text = text.trim();
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    match text {
        "" => Value::Nil,
        "nan" | "NaN" | "inf" | "-inf" => text.parse().map_or(field, Value::Float),
        _ if !numeric => field,
        _ => match text.parse::<i64>() {
            Ok(n) => Value::Int(n),
            Err(_) => text.parse().map_or(field, Value::Float),
        },
    }
}

fn rows(args: Args) -> Result<Value> {
    let strings = args.bool("strings")?;
    let mut all = Vec::new();
    for piece in pieces(&args)? {
        let first = piece.range.is_none_or(|(start, _)| start == 0);
        let (header, skip) = match args.value("header") {
            Value::Bool(true) => (Some(first_row(&args, &piece)?), first),
            Value::List(names) => (Some(names.to_vec()), false),
            _ => (None, false),
        };
        if let Some(names) = &header
            && let Some(twice) =
                names.iter().enumerate().find(|(n, name)| names[..*n].iter().any(|other| other.same_key(name)))
        {
            return Err(err!(Value, "`{}`: two columns have the name {:?}", piece.path.display(), twice.1)
                .help("a list of names as `:header`, or nil, is taken instead of the first row"));
        }
        let records = records(&args, &piece, None)?;
        for (n, record) in records.into_iter().enumerate().skip(usize::from(skip)) {
            args.check_interrupt(n)?;
            let fields = Seq::of(record).map_err(|_| err!(Internal, "a row is a list"))?.into_vec();
            let fields: Vec<Value> = if strings { fields } else { fields.into_iter().map(typed).collect() };
            let Some(names) = &header else {
                all.push(Value::list(fields));
                continue;
            };
            if fields.len() > names.len() {
                let (path, row) = (piece.path.display(), n + 1);
                return Err(err!(
                    Value,
                    "`{path}`, row {row}: {} fields, and there are {} names",
                    fields.len(),
                    names.len()
                ));
            }
            let mut map = Map::with_capacity(names.len());
            let fields = fields.into_iter().chain(std::iter::repeat(Value::Nil));
            names.iter().zip(fields).try_for_each(|(name, field)| put(&mut map, name.clone(), field))?;
            all.push(Value::map(map));
        }
    }
    Ok(Value::list(all))
}

/// The names of the files that so many partitions are written to. `one` says that there is but one, which may be named.
fn outputs(args: &Args, target: &str, n: usize, one: bool) -> Result<Vec<String>> {
    let width = n.saturating_sub(1).to_string().len();
    let number = |k: usize| format!("{k:0width$}");
    match target.matches('*').count() {
        1 => Ok((0..n).map(|k| target.replace('*', &number(k))).collect()),
        0 if one => Ok(vec![target.to_string()]),
        0 => Ok((0..n).map(|k| format!("{}/{}.part", target.trim_end_matches('/'), number(k))).collect()),
        _ => Err(err!(Value, "{}: one `*` stands for the number of the partition", args.function.name)
            .label(args.span, "in this call")),
    }
}

pub fn write_text(args: Args) -> Result<Value> {
    write(args, false)
}

pub fn write_json(args: Args) -> Result<Value> {
    write(args, true)
}

fn write(args: Args, json: bool) -> Result<Value> {
    // Either may come first: `(write-text b "out/*.txt")` and `(->> b (write-text "out/*.txt"))`.
    let (target, coll) = match args.value("target") {
        target @ (Value::Str(_) | Value::Keyword(_)) => (target.clone(), args.value("coll").clone()),
        coll => (args.value("coll").clone(), coll.clone()),
    };
    let Some(target) = target.as_text().filter(|name| !name.is_empty()) else {
        return Err(args.wrong("target", "the name of a file"));
    };
    let is_list = layer(&coll).is_none();
    let coll = match is_list {
        false => coll,
        true => {
            let items = Seq::of(coll).map_err(|coll| args.wrong_value("coll", &coll, "a bag or a list"))?;
            of_parts(vec![items.into_value()], &args)
        }
    };
    let n = layer(&coll).map_or(1, |layer| layer.grid[0]);
    let names = outputs(&args, target, n, is_list)?;
    // Files may be written over that are still read: each waits under another name until all are complete.
    let unfinished = Unfinished(names.iter().map(|name| text::unfinished(Path::new(name))).collect());
    let paths: Arc<Vec<Value>> =
        Arc::new(unfinished.0.iter().map(|path| Value::from(path.to_string_lossy().into_owned())).collect());
    let all: Arc<Vec<Value>> = Arc::new(names.iter().map(|name| Value::from(name.as_str())).collect());
    let of = |all: Arc<Vec<Value>>| {
        Task::index(move |index| index.first().and_then(|p| all.get(*p as usize)).cloned().unwrap_or_default())
    };
    let mut inputs = Inputs::default();
    let part = inputs.of_partition(&coll);
    let mut keywords = vec![("as", of(all.clone())), ("json", Task::data(Value::Bool(json)))];
    if !json && args.is_given("encoding") {
        encoding(&args)?;
        keywords.push(("encoding", Task::data(args.value("encoding").clone())));
    }
    let files = partitionwise("written", n, inputs, call("bag/written", vec![of(paths), part], keywords), args.span);
    args.host.compute(&[files], args.span)?;
    for (path, name) in unfinished.0.iter().zip(&names) {
        std::fs::rename(path, name).map_err(|error| text::failed(Path::new(name), "written", &error))?;
    }
    Ok(Value::List(Arc::new(all.to_vec().into())))
}

/// Files that are gone when this is, unless they have got their names.
struct Unfinished(Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| drop(std::fs::remove_file(path)));
    }
}

fn written(mut args: Args) -> Result<Value> {
    let (path, json, encoding) = (args.text("path")?, args.bool("json")?, encoding(&args)?);
    let items = args.seq("coll")?;
    let name = args.name_or_nil("as")?.unwrap_or_else(|| path.clone());
    let target = Path::new(name.as_str());
    text::write(Path::new(path.as_str()), target, |out| {
        for (n, item) in items.iter().enumerate() {
            args.check_interrupt(n)?;
            let line = match item {
                _ if json => json::text_of(item)?.into(),
                Value::Str(text) | Value::Keyword(text) => text.clone(),
                other => crate::read::print(other).into(),
            };
            let end = if line.ends_with('\n') { "" } else { "\n" };
            let (bytes, _, unsaid) = encoding.encode(&line);
            if unsaid {
                return Err(err!(Value, "`{name}`: {} cannot say {line:?}", encoding.name()));
            }
            out.write_all(&bytes)
                .and_then(|()| out.write_all(end.as_bytes()))
                .map_err(|e| text::failed(target, "written", &e))?;
        }
        Ok(())
    })?;
    Ok(Value::list(vec![Value::Str(path)]))
}
