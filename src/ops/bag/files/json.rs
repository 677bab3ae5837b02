//! JSON values in files: one a line, or the elements of an array.

use super::lines::each_line_of;
use super::{Origin, bag, encoding, given, listed, named, partitions, pieces};
use crate::data::{Args, Next, Reads, Value};
use crate::err;
use crate::io::text::{self, Errors, Piece};
use crate::op;
use crate::op::{Kind, Op};
use crate::ops::text::json;
use crate::text::{Error, Result};
use std::borrow::Cow;
use std::path::Path;

pub static OPS: &[Op] = &[
    op!(
        Kind::Now(read_json),
        "(read-json files :lines nil :blocksize nil :encoding \"utf-8\")",
        "The bag of the JSON values in files, one a line, or, where a file begins with `[` (or `:lines` is false), the elements of one array. \
         Files and partitions are as in `read-text`. Errors: `dsk::value` with the file and the line.",
        [],
        ["read-text", "json/parse", "write-json"]
    ),
    op!(
        Kind::Now(json_values),
        "(bag/json pieces :lines nil :encoding \"utf-8\")",
        "The JSON values in files, or in pieces of them. The task of `read-json`.",
        [],
        ["read-json"]
    ),
];

fn read_json(args: Args) -> Result<Value> {
    let files = named(&args)?;
    let lines = match args.bool_or_nil("lines")? {
        Some(lines) => lines,
        None => !begins_an_array(&files[0])?,
    };
    if !lines && !args.is_nil("blocksize") {
        return Err(err!(Value, "read-json: an array cannot be read in parts")
            .label(args.span, "in this call")
            .help("leave out `:blocksize`: no more than an element is held at a time"));
    }
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
    let mut on = true;
    for piece in &pieces(args)? {
        match by_lines {
            true => each_line_of(args, piece, Some("\n"), Errors::Refuse, &mut |origin, line| {
                let text = line.trim_start_matches('\u{feff}').trim();
                if text.is_empty() {
                    return Ok(true);
                }
                let record = json::value_of(text, reads)
                    .map_err(|problem| not_json(piece, origin.line_number(), line, &problem))?;
                on = next(record).map_err(|error| origin.told(error, line))?;
                Ok(on)
            })?,
            false => each_element(args, piece, reads, &mut |value| {
                on = next(value)?;
                Ok(on)
            })?,
        }
        if !on {
            break;
        }
    }
    Ok(())
}

/// The elements of the array that a file is, one by one.
fn each_element(args: &Args, piece: &Piece, reads: &Reads, next: &mut Next) -> Result<()> {
    let (encoding, name) = (encoding(args)?, piece.path.display().to_string());
    let decode = |bytes: Vec<u8>| encoding.decode(bytes, 0, &piece.path, Errors::Refuse);
    let failed = |error: &std::io::Error| text::failed(&piece.path, "read", error);
    let mut element = |bytes: &[u8], line: usize| {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::from(text),
            // It says what is wrong with them.
            Err(_) => Cow::from(decode(bytes.to_vec())?),
        };
        let text = text.trim_start_matches('\u{feff}');
        let value = json::value_of(text, reads)
            .map_err(|problem| not_json(piece, line + problem.line().saturating_sub(1), text, &problem))?;
        let origin = Origin { piece, start: 0, before: line - 1, n: 0, end: "\n" };
        next(value).map_err(|error| origin.told(error, text))
    };
    let mut reader = piece.reader(b"\n")?.0;
    if matches!(encoding, text::Encoding::Utf8 | text::Encoding::Utf8Marked | text::Encoding::Ascii) {
        return text::elements(&mut reader, &name, &failed, &mut element);
    }
    // Bytes of a comma or a quote may be parts of other characters.
    let text = decode(piece.bytes(b"\n")?.0)?;
    text::elements(&mut text.as_bytes(), &name, &failed, &mut element)
}

/// The error about a text that is no JSON, with what stands there.
fn not_json(piece: &Piece, line: usize, text: &str, problem: &serde_json::Error) -> Error {
    // The problem's own line is that of the text that it was given.
    let said = problem.to_string();
    let what = said.split(" at line ").next().unwrap_or(&said);
    let column = problem.column();
    let line_of = text.lines().nth(problem.line().saturating_sub(1)).unwrap_or_default();
    // Forty characters on both sides.
    let (from, shown) = (column.saturating_sub(40), line_of.chars().skip(column.saturating_sub(40)).take(80));
    let (before, shown) = (if from > 0 { "…" } else { "" }, shown.collect::<String>());
    err!(Value, "`{}`, line {line}, column {column}: this is not JSON: {what}", piece.path.display())
        .help(format!("there: {before}{}", shown.trim_end()))
}
