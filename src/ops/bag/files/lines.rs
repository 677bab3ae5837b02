//! Lines of text files.

use super::{Origin, bag, encoding, given, listed, named, partitions, pieces};
use crate::data::{Args, Next, Reads, Value};
use crate::io::text::{self, Errors, Piece};
use crate::op;
use crate::op::sequence::pair;
use crate::op::{Kind, Op};
use crate::text::Result;

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
        Kind::Now(lines),
        "(bag/lines pieces :linedelimiter nil :encoding \"utf-8\" :errors \"strict\" :include-path false)",
        "The lines of files, or of pieces `[path start end]` of them. The task of `read-text`.",
        [],
        ["read-text"]
    ),
];

fn read_text(args: Args) -> Result<Value> {
    let files = named(&args)?;
    let parts = partitions(&args, files, args.size_or_nil("files-per-partition")?, true)?;
    let mut keywords = given(&args, &["encoding", "errors", "include-path"]);
    // Where nobody asked for blocks, ends of lines read alike.
    if !args.is_nil("linedelimiter") {
        keywords.extend(given(&args, &["linedelimiter"]));
    } else if !args.is_nil("blocksize") {
        keywords.push(("linedelimiter", Value::from("\n")));
    }
    errors(&args)?;
    Ok(bag(&args, "bag/lines", parts, keywords))
}

fn errors(args: &Args) -> Result<Errors> {
    match args.name("errors")?.as_str() {
        "strict" => Ok(Errors::Refuse),
        "replace" => Ok(Errors::Replace),
        "ignore" => Ok(Errors::Ignore),
        _ => Err(args.wrong("errors", "\"strict\", \"replace\" or \"ignore\"")),
    }
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

/// The lines of a piece, one by one, with where they come from.
pub(super) fn each_line_of(
    args: &Args,
    piece: &Piece,
    delimiter: Option<&str>,
    errors: Errors,
    next: &mut dyn FnMut(&Origin, &str) -> Result<bool>,
) -> Result<()> {
    let encoding = encoding(args)?;
    let end = delimiter.unwrap_or("\n");
    let mut before = 0;
    let mut part = |bytes: Vec<u8>, start: u64| {
        let text = encoding.decode(bytes, start, &piece.path, errors)?;
        let text = if delimiter.is_none() { unified(text) } else { text };
        let mut n = 0;
        for line in text::lines(&text, end) {
            args.check_interrupt(n)?;
            if !next(&Origin { piece, start, before, n, end }, line)? {
                return Ok(false);
            }
            n += 1;
        }
        before += n;
        Ok(true)
    };
    if encoding.is_read_in_parts() {
        return piece.chunks(end.as_bytes(), &mut part);
    }
    // Bytes of its ends of lines may be parts of other characters.
    let (bytes, start) = piece.bytes(end.as_bytes())?;
    part(bytes, start).map(drop)
}

/// The lines of pieces, one by one.
pub fn each_line(args: &Args, reads: &Reads, next: &mut Next) -> Result<()> {
    let errors = errors(args)?;
    let include_path = args.bool("include-path")?;
    let delimiter = args.text_or_nil("linedelimiter")?.filter(|text| !text.is_empty());
    let mut on = true;
    for piece in &pieces(args)? {
        let path = Value::from(piece.path.to_string_lossy().into_owned());
        each_line_of(args, piece, delimiter.as_deref(), errors, &mut |origin, line| {
            let value = if reads.is_nothing() { Value::Nil } else { Value::from(line) };
            let record = if include_path { pair(value, path.clone()) } else { value };
            on = next(record).map_err(|error| origin.told(error, line))?;
            Ok(on)
        })?;
        if !on {
            break;
        }
    }
    Ok(())
}
