//! Tasks, values and graphs as text.
//!
//! There are two ways to write a value. `Display` (and [`print`]) is what the reader reads back: `read(print(task)) == task`,
//! and a value is what quoting its text gives. [`show`] is what a session shows: arrays laid out as NumPy lays them out, a
//! lazy array as a line about it. [`brief`] is the former, cut short, for messages.

use super::{layout, reader::reads_as_symbol};
use crate::data::{
    Array, Block, Complex64, Element, Form, Function, Graph, Key, Slice, Task, Value, cancel, task::deep,
};
use crate::err;
use crate::text::{Error, Result};
use crate::with_dtype;
use rustc_hash::FxHashSet;
use std::fmt::{self, Display, Formatter, Write};
use std::sync::Arc;

/// Bytes of the longest text: of lists that share their parts a text may be longer than any memory.
const LONGEST: usize = 1 << 30;

/// A value as text that reads back: quoting the text gives the value. Functions are written as their name or source,
/// arrays as the call that makes them, lazy values as the name of their layer.
pub fn print(value: &Value) -> String {
    value.to_string()
}

/// As [`print`], of values that a program made: `dsk::limit` where the text is longer than a gigabyte, `dsk::interrupted` where
/// it is no longer wanted.
pub fn print_bounded(value: &Value) -> Result<String> {
    print_within(value, LONGEST)
}

fn print_within(value: &Value, limit: usize) -> Result<String> {
    let mut out = Cut { text: String::new(), limit, cancels: true };
    match write!(out, "{value}") {
        Ok(()) => Ok(out.text),
        Err(_) => Err(too_long(limit)),
    }
}

/// Why a text has no end.
fn too_long(limit: usize) -> Error {
    match cancel::check() {
        Err(interrupted) => interrupted,
        Ok(()) => err!(Limit, "the text of the value is longer than {limit} bytes")
            .help("a list that holds another twice, which holds another twice, has as many elements as that makes"),
    }
}

/// A value as a session shows it. Errors are those of [`print_bounded`].
pub fn show(value: &Value) -> Result<String> {
    show_within(value, LONGEST)
}

fn show_within(value: &Value, limit: usize) -> Result<String> {
    let apart = |value: &Value| is_shown_apart(value, &mut FxHashSet::default());
    match value {
        Value::Block(block) => Ok(layout::block(block)),
        Value::Array(array) => Ok(describe(array)),
        Value::Delayed(delayed) => {
            let tasks = plural(Graph::of(std::slice::from_ref(&delayed.layer)).len(), "task");
            Ok(match delayed.partitions() {
                Some(n) => format!("bag in {}, {tasks}, {}", plural(n, "partition"), delayed.layer.name),
                None => format!("lazy value {}, {tasks}", delayed.layer.name),
            })
        }
        Value::List(items) if items.iter().any(apart) => {
            let items = all_shown(items.iter().map(|item| deep(|| show_within(item, limit))), limit)?;
            Ok(format!("[{}]", layout::beside_or_below(&items)))
        }
        Value::Map(map) if map.iter().any(|(_, v)| apart(v)) => {
            let pair = |(k, v): (&Value, &Value)| {
                let key = show_within(k, limit)?;
                let value = deep(|| show_within(v, limit))?
                    .replace('\n', &format!("\n{}", " ".repeat(key.chars().count() + 1)));
                Ok(format!("{key} {value}"))
            };
            let pairs = all_shown(map.iter().map(pair), limit)?;
            Ok(format!("{{{}}}", layout::beside_or_below(&pairs)))
        }
        other => print_within(other, limit),
    }
}

/// Texts that are not too long together.
fn all_shown(texts: impl Iterator<Item = Result<String>>, limit: usize) -> Result<Vec<String>> {
    let (mut all, mut len) = (Vec::new(), 0);
    for text in texts {
        let text = text?;
        len += text.len();
        if len > limit || cancel::cancelled() {
            return Err(too_long(limit));
        }
        all.push(text);
    }
    Ok(all)
}

/// Whether a session shows something else than what reads back. `seen` are the lists and maps that were looked into.
fn is_shown_apart(value: &Value, seen: &mut FxHashSet<usize>) -> bool {
    match value {
        Value::Block(_) | Value::Array(_) | Value::Delayed(_) => true,
        Value::List(items) if seen.insert(Arc::as_ptr(items) as usize) => {
            deep(|| items.iter().any(|v| is_shown_apart(v, seen)))
        }
        Value::Map(map) if seen.insert(Arc::as_ptr(map) as usize) => {
            deep(|| map.iter().any(|(_, v)| is_shown_apart(v, seen)))
        }
        _ => false,
    }
}

/// A task cut off after about `limit` bytes, for messages: what is cut is `…`. Takes no longer than the text is long.
pub fn brief(task: &Task, limit: usize) -> String {
    let mut out = Cut { text: String::new(), limit, cancels: false };
    if write!(out, "{task}").is_err() {
        out.text.push('…');
    }
    out.text
}

/// Takes `limit` bytes, then fails, which ends the writing.
struct Cut {
    text: String,
    limit: usize,
    /// Fails when the text is no longer wanted, too.
    cancels: bool,
}

impl Write for Cut {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.text.len());
        if self.cancels && cancel::cancelled() {
            return Err(fmt::Error);
        }
        if s.len() <= room {
            self.text.push_str(s);
            return Ok(());
        }
        self.text.push_str(&s[..s.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}

/// `array<float64>[1000 1000] in 4 blocks of [500 500], 8.0 MB, 12 tasks, add-3f`
fn describe(array: &Array) -> String {
    let blocks = array.chunks.block_count();
    if !array.unknown.is_none() {
        let tasks = Graph::of(std::slice::from_ref(&array.layer)).len();
        let noun = if blocks == 1 { "block" } else { "blocks" };
        let (shape, tasks) = (array.shown_shape(), plural(tasks, "task"));
        return format!("array<{}>{shape} in {blocks} {noun}, {tasks}, {}", array.dtype, array.layer.name);
    }
    let largest: Vec<String> = array.chunks.axes().iter().map(|a| a.iter().max().unwrap_or(&0).to_string()).collect();
    let regular = array.chunks.axes().iter().all(|a| a.iter().rev().skip(1).all(|n| *n == a[0]));
    let (noun, up_to) = (if blocks == 1 { "block" } else { "blocks" }, if regular { "" } else { "at most " });
    let tasks = Graph::of(std::slice::from_ref(&array.layer)).len();
    format!(
        "array<{}>{} in {blocks} {noun} of {up_to}[{}], {}, {}, {}",
        array.dtype,
        shape(&array.shape()),
        largest.join(" "),
        bytes(array.nbytes()),
        plural(tasks, "task"),
        array.layer.name
    )
}

fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// A shape as it is written: `[1000 1000]`.
pub fn shape(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sizes.join(" "))
}

/// A number of bytes to two digits, in powers of 1000: `8.0 MB`, `512 B`.
pub fn bytes(n: usize) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut x = n as f64;
    if n < 1000 {
        return format!("{n} B");
    }
    for unit in units {
        x /= 1000.0;
        if x < 999.5 || unit == "EB" {
            return if x < 9.95 { format!("{x:.1} {unit}") } else { format!("{x:.0} {unit}") };
        }
    }
    unreachable!("the last unit takes everything")
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => f.write_str(&float(*x)),
            Value::Complex(c) => f.write_str(&complex(**c)),
            Value::Str(s) => string(f, s),
            Value::Keyword(name) => {
                f.write_str(":")?;
                if reads_as_keyword(name) { f.write_str(name) } else { bars(f, name) }
            }
            Value::Regex(r) => regex(f, r.as_str()),
            Value::Slice(s) => write!(f, "{s}"),
            Value::Ellipsis => f.write_str("..."),
            Value::NewAxis => f.write_str("newaxis"),
            Value::List(items) => deep(|| {
                f.write_str("[")?;
                separated(f, items.iter(), |f, v| v.fmt(f))?;
                f.write_str("]")
            }),
            Value::Map(map) => deep(|| {
                f.write_str("{")?;
                separated(f, map.iter(), |f, (k, v)| write!(f, "{k} {v}"))?;
                f.write_str("}")
            }),
            Value::Code(task) => task.fmt(f),
            Value::Function(function) => print_function(f, function),
            Value::Block(block) => print_block(f, block),
            Value::Array(array) => symbol(f, &array.layer.name),
            Value::Delayed(delayed) => symbol(f, &delayed.layer.name),
            Value::Graph(graph) => write!(f, "(graph {graph})"),
        }
    }
}

impl Display for Task {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match &self.form {
            Form::Data(v) => {
                if holds_code(v) {
                    f.write_str("'")?;
                }
                v.fmt(f)
            }
            Form::Key(key) => print_key(f, key),
            Form::Call(items) => deep(|| call(f, items)),
            Form::List(items) => deep(|| {
                f.write_str("[")?;
                separated(f, items.iter(), |f, t| t.fmt(f))?;
                f.write_str("]")
            }),
            Form::Map(pairs) => deep(|| {
                f.write_str("{")?;
                separated(f, pairs.iter(), |f, (k, v)| write!(f, "{k} {v}"))?;
                f.write_str("}")
            }),
            // Only in the task of a whole layer, which stands for many: the n-th input, and a value of the index.
            Form::Input(n) => write!(f, "$%{n}"),
            Form::Index(_) => f.write_str("$index"),
        }
    }
}

/// A quoted map of keys to tasks, a line each: what `graph` takes.
impl Display for Graph {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("'{")?;
        for (n, (key, task)) in self.tasks().iter().enumerate() {
            if n > 0 {
                f.write_str("\n  ")?;
            }
            print_key(f, key)?;
            write!(f, " {task}")?;
        }
        f.write_str("}")
    }
}

fn separated<T>(
    f: &mut Formatter,
    items: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut Formatter, T) -> fmt::Result,
) -> fmt::Result {
    for (n, item) in items.enumerate() {
        if n > 0 {
            f.write_str(" ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

/// Whether a value is, or holds, code, which must be quoted to be data.
fn holds_code(value: &Value) -> bool {
    match value {
        Value::Code(_) => true,
        Value::List(items) => deep(|| items.iter().any(holds_code)),
        Value::Map(map) => deep(|| map.iter().any(|(k, v)| holds_code(k) || holds_code(v))),
        _ => false,
    }
}

fn call(f: &mut Formatter, items: &[Task]) -> fmt::Result {
    if let [head, body] = items
        && let Some(prefix) = head.as_symbol().and_then(|name| match name.as_str() {
            "quote" => Some("'"),
            "quasiquote" => Some("`"),
            // `~@` would be another prefix.
            "unquote" if body.as_symbol().is_none_or(|name| name != "@") => Some("~"),
            "unquote-splicing" => Some("~@"),
            _ => None,
        })
    {
        return write!(f, "{prefix}{body}");
    }
    f.write_str("(")?;
    separated(f, items.iter().enumerate(), |f, (n, task)| match &task.form {
        // `:` as the head of a call is the function; the slice is `::` there.
        Form::Data(Value::Slice(s)) if n == 0 && **s == Slice::ALL => f.write_str("::"),
        Form::Key(key) if n == 0 && key.name == ":" && key.index.is_empty() => f.write_str(":"),
        _ => task.fmt(f),
    })?;
    f.write_str(")")
}

fn print_key(f: &mut Formatter, key: &Key) -> fmt::Result {
    if key.index.is_empty() {
        return symbol(f, &key.name);
    }
    f.write_str("[")?;
    symbol(f, &key.name)?;
    key.index.iter().try_for_each(|i| write!(f, " {i}"))?;
    f.write_str("]")
}

fn symbol(f: &mut Formatter, name: &str) -> fmt::Result {
    // Most names are plain words; the reader knows the rest.
    let word = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !matches!(name, "nil" | "true" | "false" | "inf" | "nan" | "newaxis");
    let plain = word && !name.starts_with("inf") && !name.starts_with("nan") || reads_as_symbol(name);
    if plain { f.write_str(name) } else { bars(f, name) }
}

fn reads_as_keyword(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_?!/.*".contains(&b))
}

/// `|any text|`
fn bars(f: &mut Formatter, name: &str) -> fmt::Result {
    f.write_str("|")?;
    escaped(f, name, '|')?;
    f.write_str("|")
}

fn string(f: &mut Formatter, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    escaped(f, text, '"')?;
    f.write_str("\"")
}

fn escaped(f: &mut Formatter, text: &str, quote: char) -> fmt::Result {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if c != quote && c != '\\' && !c.is_control() {
            continue;
        }
        f.write_str(&text[plain..at])?;
        match c {
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            '\0' => f.write_str("\\0")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", c as u32)?,
            c => write!(f, "\\{c}")?,
        }
        plain = at + c.len_utf8();
    }
    f.write_str(&text[plain..])
}

/// Everything as it is but quotes, which end the literal.
fn regex(f: &mut Formatter, pattern: &str) -> fmt::Result {
    f.write_str("#\"")?;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            ('"', _) => f.write_str("\\\"")?,
            (c, false) => f.write_char(c)?,
            (_, true) => match chars.next() {
                // An escaped quote would read as a quote alone.
                Some('"') => f.write_str("\\x22")?,
                Some(next) => write!(f, "\\{next}")?,
                None => f.write_str("\\")?,
            },
        }
    }
    f.write_str("\"")
}

fn print_function(f: &mut Formatter, function: &Function) -> fmt::Result {
    match function.callable.source() {
        Some(task) => task.fmt(f),
        None => symbol(f, &function.name),
    }
}

/// The shortest text that reads back as this float, as Python writes it: `1.0` `0.1` `1e+20` `inf`.
pub fn float(x: f64) -> String {
    shortest(x, &format!("{x:e}"), format!("{x}"))
}

fn float32(x: f32) -> String {
    shortest(x.into(), &format!("{x:e}"), format!("{x}"))
}

/// From the digits in scientific and in plain notation: the one that is easier to read.
fn shortest(x: f64, scientific: &str, mut plain: String) -> String {
    if !x.is_finite() {
        return if x.is_nan() { "nan".into() } else { plain };
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        return plain;
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `1+2j` `2j` `nan-infj`, as Python writes it.
fn complex(c: Complex64) -> String {
    join_parts((c.re, &float(c.re)), &float(c.im))
}

fn join_parts((re, real): (f64, &str), imaginary: &str) -> String {
    let whole = |part: &str| part.strip_suffix(".0").unwrap_or(part).to_string();
    if re == 0.0 && re.is_sign_positive() {
        return format!("{}j", whole(imaginary));
    }
    let plus = if imaginary.starts_with('-') { "" } else { "+" };
    format!("{}{plus}{}j", whole(real), whole(imaginary))
}

/// `(array [[1.0 2.0] [3.0 4.0]] :dtype :f8)`; with `:shape` and a flat list where an axis is empty.
fn print_block(f: &mut Formatter, block: &Block) -> fmt::Result {
    let whole = block.contiguous();
    let shape = whole.shape();
    f.write_str("(array ")?;
    with_dtype!(whole.dtype(), T => {
        let elements = whole.as_slice::<T>().unwrap_or_default();
        let nested = if whole.is_empty() { &[0][..] } else { shape };
        nest(f, nested, elements, &|f, x| match x.value() {
            Some(_) => f.write_str(&element(x)),
            // A uint64 beyond int64, which is no number of a program.
            None => write!(f, "\"{}\"", element(x)),
        })?;
    });
    write!(f, " :dtype :{}", whole.dtype().short())?;
    if whole.is_empty() && shape.len() != 1 {
        write!(f, " :shape {}", self::shape(shape))?;
    }
    f.write_str(")")
}

fn nest<T>(
    f: &mut Formatter,
    shape: &[usize],
    elements: &[T],
    each: &dyn Fn(&mut Formatter, &T) -> fmt::Result,
) -> fmt::Result {
    let Some((&n, inner)) = shape.split_first() else {
        return elements.first().map_or(Ok(()), |x| each(f, x));
    };
    let size = elements.len() / n.max(1);
    f.write_str("[")?;
    separated(f, 0..n, |f, i| deep(|| nest(f, inner, &elements[i * size..(i + 1) * size], each)))?;
    f.write_str("]")
}

/// An element of an array so that it reads back in its own precision.
pub(super) fn element<T: crate::data::Element>(x: &T) -> String {
    let any: &dyn std::any::Any = x;
    if let Some(x) = any.downcast_ref::<f32>() {
        return float32(*x);
    }
    if let Some(c) = any.downcast_ref::<crate::data::Complex32>() {
        return join_parts((c.re.into(), &float32(c.re)), &float32(c.im));
    }
    if let Some(n) = any.downcast_ref::<u64>() {
        return n.to_string();
    }
    x.value().map_or_else(String::new, |v| v.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Map, Str};
    use crate::read::read_one;
    use crate::text::{Code, SourceId};
    use proptest::prelude::*;

    #[test]
    fn texts_without_end_are_refused_or_cancelled() {
        let nested = |leaf: Value| (0..300).fold(leaf, |x, _| Value::list(vec![x.clone(), x]));
        let code = |text: Result<String>| text.map_err(|e| e.code());
        let plain = nested(Value::Nil);
        let apart = nested(Value::from(Block::from_slice(&[2], &[1.0, 2.0])));
        assert_eq!(code(print_within(&plain, 10_000)), Err(Code::Limit));
        assert_eq!(code(show_within(&plain, 10_000)), Err(Code::Limit));
        assert_eq!(code(show_within(&apart, 10_000)), Err(Code::Limit));
        let cancelled = std::sync::atomic::AtomicBool::new(true);
        cancel::during(&cancelled, || {
            assert_eq!(code(print_bounded(&plain)), Err(Code::Interrupted));
            assert_eq!(code(show(&apart)), Err(Code::Interrupted));
        });
        assert_eq!(print_bounded(&Value::from(vec![1i64, 2])).unwrap(), "[1 2]");
    }

    #[test]
    fn floats_are_written_as_floats() {
        for (x, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (f64::NEG_INFINITY, "-inf"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(float(x), text);
        }
        assert_eq!(complex(Complex64::new(1.0, -2.5)), "1-2.5j");
        assert_eq!(complex(Complex64::new(0.0, 2.0)), "2j");
        assert_eq!(complex(Complex64::new(-0.0, f64::NAN)), "-0+nanj");
    }

    #[test]
    fn short_forms_are_used_where_they_read_back() {
        for text in [
            "'x",
            "`(f ~x ~@xs)",
            "(quote)",
            "(quote a b)",
            "(unquote @)",
            "(: 1 2)",
            "(:: 1)",
            "[: ::2 ... newaxis]",
            "|two words|",
            ":|two words|",
            "(f |:| |1| |nil|)",
            "{:a 1 \"b\" [x y]}",
            "#\"a\\\"\\d\"",
            "()",
        ] {
            assert_eq!(read_one(SourceId(1), text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn blocks_are_written_as_the_call_that_makes_them() {
        let text = |b: Block| Task::data(b).to_string();
        assert_eq!(text(Block::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.5])), "(array [[1.0 2.0] [3.0 4.5]] :dtype :f8)");
        assert_eq!(text(Block::zeros(crate::data::DType::I32, &[0, 3])), "(array [] :dtype :i4 :shape [0 3])");
        assert_eq!(text(Block::scalar(0.1f32)), "(array 0.1 :dtype :f4)");
        assert_eq!(text(Block::from_slice(&[1], &[u64::MAX])), "(array [\"18446744073709551615\"] :dtype :u8)");
    }

    #[test]
    fn brief_is_cut_and_does_not_write_what_is_cut() {
        let block = Value::from(Block::zeros(crate::data::DType::F64, &[100_000]));
        let task = Task::call(vec![Task::symbol("sum"), Task::data(block), Task::symbol("x")]);
        assert_eq!(brief(&task, 24), "(sum (array [0.0 0.0 0.0…");
        assert_eq!(brief(&Task::symbol("x"), 24), "x");
    }

    #[test]
    fn deep_tasks_are_written() {
        let mut task = Task::symbol("x");
        for _ in 0..100_000 {
            task = Task::list(vec![task]);
        }
        assert_eq!(task.to_string().len(), 200_001);
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z][a-z0-9-]{0,6}[#?!]?",
            2 => "[-+*/<>=!?_.$&%a-z0-9#@:|'\\\\ ]{0,5}",
            1 => any::<String>(),
            1 => prop::sample::select(vec!["nil", "inf", "nanj", "inf+2j", ":", "@", "1e5", "-", "...", "quote", "%&"])
                .prop_map(String::from),
        ]
    }

    fn scalar() -> impl Strategy<Value = Value> {
        let bound = || prop::option::of(any::<i64>());
        prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            any::<f32>().prop_map(|x| Value::Float(x.into())),
            (any::<f64>(), any::<f64>()).prop_map(|(re, im)| Value::complex(re, im)),
            any::<String>().prop_map(Value::str),
            name().prop_map(Value::keyword),
            (bound(), bound(), bound()).prop_map(|(start, stop, step)| Slice { start, stop, step }.into()),
            Just(Value::Ellipsis),
            Just(Value::NewAxis),
            "[a-z\"|.*]{0,8}"
                .prop_filter_map("an expression", |s| regex::Regex::new(&s).ok())
                .prop_map(|r| Value::Regex(r.into())),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![4 => scalar(), 1 => name().prop_map(Value::symbol)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
                prop::collection::vec((scalar(), inner), 0..4).prop_map(|pairs| {
                    let mut map = Map::new();
                    pairs.into_iter().for_each(|(k, v)| drop(map.insert(k, v)));
                    Value::map(map)
                }),
            ]
        })
    }

    fn task() -> impl Strategy<Value = Task> {
        let leaf = prop_oneof![value().prop_map(Task::data), name().prop_map(Task::symbol)];
        leaf.prop_recursive(4, 48, 5, |inner| {
            let items = || prop::collection::vec(inner.clone(), 0..5);
            let prefix = prop::sample::select(vec!["quote", "quasiquote", "unquote", "unquote-splicing"]);
            prop_oneof![
                items().prop_map(Task::call),
                items().prop_map(Task::list),
                (prefix, inner.clone()).prop_map(|(p, t)| Task::call(vec![Task::symbol(p), t])),
                prop::collection::btree_map(name(), inner.clone(), 0..4).prop_map(|pairs| {
                    let pairs = pairs.into_iter().map(|(k, v)| (Task::data(Value::keyword(k)), v));
                    Task::new(Form::Map(pairs.collect()), crate::text::Span::NONE)
                }),
            ]
        })
    }

    fn graph() -> impl Strategy<Value = Vec<(Key, Task)>> {
        let key = (name(), prop::collection::vec(any::<u32>(), 0..3)).prop_map(|(n, i)| Key::block(Str::from(n), &i));
        prop::collection::vec((key, task()), 0..6)
    }

    proptest! {
        #[test]
        fn a_task_reads_back(task in task()) {
            let text = task.to_string();
            let read = read_one(SourceId(1), &text).map_err(|e| TestCaseError::fail(format!("{e:?}: {text}")))?;
            prop_assert_eq!(read, task, "{}", text);
        }

        #[test]
        fn a_value_is_what_quoting_its_text_gives(value in value()) {
            let text = print(&value);
            let read = read_one(SourceId(1), &text).map_err(|e| TestCaseError::fail(format!("{e:?}: {text}")))?;
            prop_assert!(read.quoted().same(&value), "{}", text);
        }

        #[test]
        fn a_graph_reads_back(tasks in graph()) {
            let graph = Graph::from_tasks(tasks);
            let text = graph.to_string();
            let read = read_one(SourceId(1), &text).map_err(|e| TestCaseError::fail(format!("{e:?}: {text}")))?;
            let Form::Call(quote) = &read.form else { panic!("{text} is not quoted") };
            let Form::Map(pairs) = &quote[1].form else { panic!("{text} is not a map") };
            let pairs = pairs.iter().map(|(k, t)| (Graph::key_of(k).unwrap(), t.clone()));
            prop_assert_eq!(Graph::from_tasks(pairs.collect()).tasks(), graph.tasks(), "{}", text);
        }
    }
}
