//! Tables in files: a record a row.

use super::{Origin, bag, encoding, given, listed, named, partitions, pieces};
use crate::data::{Args, Map, Next, Reads, Value};
use crate::err;
use crate::io::text::{self, Compression, Encoding, Errors, Piece};
use crate::op;
use crate::op::sequence::put;
use crate::op::{Kind, Op};
use crate::text::{Error, Result};
use csv::StringRecord;
use std::io::{BufReader, Cursor, Read};

pub static OPS: &[Op] = &[
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
        Kind::Now(rows),
        "(bag/csv pieces :header true :delimiter \",\" :strings false :encoding \"utf-8\")",
        "The rows of tables, or of pieces of them. The task of `read-csv`.",
        [],
        ["read-csv"]
    ),
];

fn read_csv(args: Args) -> Result<Value> {
    let files = named(&args)?;
    match args.value("header") {
        Value::Bool(_) | Value::Nil | Value::List(_) => {}
        _ => return Err(args.wrong("header", "true, nil, or a list of names")),
    }
    delimiter(&args)?;
    let keywords = given(&args, &["delimiter", "strings", "encoding", "header"]);
    let parts = partitions(&args, files, None, false)?;
    Ok(bag(&args, "bag/csv", parts, keywords))
}

fn delimiter(args: &Args) -> Result<u8> {
    match args.text("delimiter")?.as_bytes() {
        &[byte] if byte.is_ascii() => Ok(byte),
        _ => Err(args.wrong("delimiter", "a string of one ASCII character")),
    }
}

fn rows(args: Args) -> Result<Value> {
    listed(&args, each_row)
}

/// The rows of pieces, one by one.
pub fn each_row(args: &Args, reads: &Reads, next: &mut Next) -> Result<()> {
    let strings = args.bool("strings")?;
    let named = matches!(args.value("header"), Value::Bool(true) | Value::List(_));
    let shown = |fields: &StringRecord| fields.iter().collect::<Vec<_>>().join(",");
    for piece in &pieces(args)? {
        let begins = piece.range.is_none_or(|(start, _)| start == 0);
        // None as long as they are not known: the first row says them.
        let mut names = match args.value("header") {
            Value::Bool(true) if begins => None,
            Value::Bool(true) => Some(first_row(args, piece)?),
            Value::List(names) => Some(names.to_vec()),
            _ => Some(Vec::new()),
        };
        if let Some(names) = &names {
            check_names(piece, names)?;
        }
        let on = each_record(args, piece, &mut |origin, fields| {
            let Some(names) = &names else {
                let first: Vec<Value> = fields.iter().map(Value::from).collect();
                check_names(piece, &first)?;
                names = Some(first);
                return Ok(true);
            };
            let value = |field: &str| if strings { Value::from(field) } else { typed(field) };
            if !named {
                let row = Value::list(fields.iter().map(value).collect());
                return next(row).map_err(|error| origin.told(error, &shown(fields)));
            }
            if fields.len() > names.len() {
                let (path, line) = (piece.path.display(), origin.line_number());
                let (have, wanted) = (fields.len(), names.len());
                let error = err!(Value, "`{path}`, line {line}: {have} fields, and there are {wanted} names");
                return Err(error.help("`:header nil` reads rows as lists"));
            }
            let mut map = Map::with_capacity(names.len());
            for (n, name) in names.iter().enumerate() {
                // What nobody reads is not made.
                if name.as_text().is_none_or(|name| reads.has(name)) {
                    put(&mut map, name.clone(), fields.get(n).map_or(Value::Nil, value))?;
                }
            }
            next(Value::map(map)).map_err(|error| origin.told(error, &shown(fields)))
        })?;
        if names.is_none() {
            return Err(no_first_row(piece));
        }
        if !on {
            break;
        }
    }
    Ok(())
}

fn check_names(piece: &Piece, names: &[Value]) -> Result<()> {
    let same = |(n, name): &(usize, &Value)| names[..*n].iter().any(|other| other.same_key(name));
    match names.iter().enumerate().find(same) {
        None => Ok(()),
        Some((_, twice)) => Err(err!(Value, "`{}`: two columns have the name {twice:?}", piece.path.display())
            .help("a list of names as `:header`, or nil, is taken instead of the first row")),
    }
}

/// The names in the first row of a piece's file, which each file has for itself.
fn first_row(args: &Args, piece: &Piece) -> Result<Vec<Value>> {
    // The first line, or more where a name holds the end of one.
    let range = (Compression::of(&piece.path) == Compression::None).then_some((0, 1 << 16));
    let mut first = None;
    each_record(args, &Piece { path: piece.path.clone(), range }, &mut |_, fields| {
        first = Some(fields.iter().map(Value::from).collect());
        Ok(false)
    })?;
    first.ok_or_else(|| no_first_row(piece))
}

fn no_first_row(piece: &Piece) -> Error {
    err!(Value, "`{}` is empty, and has no first row", piece.path.display())
}

/// What is read behind the last row. Where a quote was never closed, it is taken for a part of that.
const END: &str = "\u{1}\u{2}the end\u{2}\u{1}";

/// The rows of a piece and where they begin, one by one. Whether all were wanted.
fn each_record(
    args: &Args,
    piece: &Piece,
    next: &mut dyn FnMut(&Origin, &StringRecord) -> Result<bool>,
) -> Result<bool> {
    let (bytes, start): (Box<dyn Read>, u64) = match encoding(args)? {
        Encoding::Utf8 | Encoding::Utf8Marked => piece.reader(b"\n")?,
        other => {
            let (bytes, start) = piece.bytes(b"\n")?;
            (Box::new(Cursor::new(other.decode(bytes, start, &piece.path, Errors::Refuse)?)), start)
        }
    };
    let end = format!("\n\"{END}\"\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(args)?)
        .from_reader(BufReader::with_capacity(1 << 17, bytes.chain(end.as_bytes())));
    let mut record = StringRecord::new();
    let origin = |n: usize| Origin { piece, start, before: 0, n, end: "\n" };
    let mut count = 0;
    loop {
        args.check_interrupt(count)?;
        let before = reader.position().line() as usize - 1;
        let more = reader.read_record(&mut record).map_err(|problem| unreadable(&problem, piece, &origin(before)))?;
        let n = record.position().map_or(before, |at| at.line() as usize - 1);
        if !more || record.get(record.len().wrapping_sub(1)).is_some_and(|last| last.contains(END) && last != END) {
            let (path, line) = (piece.path.display(), origin(n).line_number());
            return Err(err!(Value, "`{path}`, line {line}: a quote that is opened in this row is never closed"));
        }
        if record.len() == 1 && record.get(0) == Some(END) {
            return Ok(true);
        }
        // A byte order mark is no part of the first field.
        if count == 0 && start == 0 && record.get(0).is_some_and(|first| first.starts_with('\u{feff}')) {
            let fields = record.iter().map(|field| field.trim_start_matches('\u{feff}'));
            record = fields.collect();
        }
        if !next(&origin(n), &record)? {
            return Ok(false);
        }
        count += 1;
    }
}

/// The error where rows cannot be read.
fn unreadable(problem: &csv::Error, piece: &Piece, origin: &Origin) -> Error {
    match problem.kind() {
        csv::ErrorKind::Io(error) => text::failed(&piece.path, "read", error),
        csv::ErrorKind::Utf8 { .. } => {
            err!(Value, "`{}` is not UTF-8: line {}", piece.path.display(), origin.line_number())
                .help("`:encoding` names another encoding, as \"latin-1\"")
        }
        _ => err!(Value, "`{}`, line {}: {problem}", piece.path.display(), origin.line_number()),
    }
}

/// A field as the number it reads as, nil for nothing.
fn typed(field: &str) -> Value {
    let text = field.trim();
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let float = || text.parse().map_or_else(|_| Value::from(field), Value::Float);
    match text {
        "" => Value::Nil,
        "nan" | "NaN" | "inf" | "-inf" => float(),
        _ if !numeric => Value::from(field),
        _ => text.parse().map_or_else(|_| float(), Value::Int),
    }
}
