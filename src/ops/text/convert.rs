//! Between text and values.

use crate::data::{Args, Str, Value};
use crate::err;
use crate::op;
use crate::op::args::described;
use crate::op::sequence::check_text;
use crate::op::{Kind, Op};
use crate::read;
use crate::text::Result;

pub static OPS: &[Op] = &[
    op!(Kind::Now(str), "(str & xs)",
        "The values as text, one after the other: strings as they are, nil as nothing, everything else as it is printed.",
        ["(str 1 \"a\" :b nil [\"c\"])" => "\"1a:b[\\\"c\\\"]\"", "(str)" => "\"\""], ["pr-str", "format", "str/join"]),
    op!(Kind::Now(pr_str), "(pr-str & xs)", "The values as text that reads back, blanks between them.",
        ["(pr-str \"a\" [1.0 :b])" => "\"\\\"a\\\" [1.0 :b]\""], ["str"]),
    op!(Kind::Now(int), "(int x)",
        "An integer: of a float without its fraction, of a bool 0 or 1, of a string by reading it. `dsk::value` where there \
         is none.",
        ["(int 2.9)" => "2", "(int -2.9)" => "-2", "(int \" 42 \")" => "42", "(int true)" => "1"], ["float", "parse-int", "astype"]),
    op!(Kind::Now(float), "(float x)", "A float: of an integer, a bool, or a string by reading it.",
        ["(float 2)" => "2.0", "(float \"1e3\")" => "1000.0", "(float \"nan\")" => "nan"], ["int", "parse-float"]),
    op!(Kind::Now(bool), "(bool x)", "`false` of nil and `false`, `true` of everything else.",
        ["(bool nil)" => "false", "(bool 0)" => "true"], []),
    op!(Kind::Now(keyword), "(keyword x)", "The keyword of that name.", ["(keyword \"a\")" => ":a"], ["name", "symbol"]),
    op!(Kind::Now(symbol), "(symbol x)", "The symbol of that name, as quoted code.", ["(symbol \"a\")" => "a"], ["keyword"]),
    op!(Kind::Now(name), "(name x)", "The name of a keyword, symbol or function; of a string, itself.",
        ["(name :a)" => "\"a\"", "(name 'f)" => "\"f\""], ["keyword", "str"]),
    op!(Kind::Now(parse_int), "(parse-int text default? :base 10)",
        "The integer that the text is, in base 2 to 36; `default` where it is none, without one `dsk::value`.",
        ["(parse-int \"-12\")" => "-12", "(parse-int \"ff\" :base 16)" => "255", "(parse-int \"n/a\" nil)" => "nil"],
        ["int", "parse-float"]),
    op!(Kind::Now(parse_float), "(parse-float text default?)",
        "The number that the text is, as a float; `default` where it is none, without one `dsk::value`.",
        ["(parse-float \"1.5\")" => "1.5", "(parse-float \"x\" 0)" => "0"], ["float", "parse-int"]),
    op!(Kind::Now(ord), "(ord text)", "The number of a character in Unicode.", ["(ord \"a\")" => "97"], ["chr"]),
    op!(Kind::Now(chr), "(chr n)", "The character of a number in Unicode, as a string.", ["(chr 97)" => "\"a\""], ["ord"]),
];

/// A value as text, for people: strings without quotes.
pub(crate) fn display(value: &Value) -> Result<String> {
    match value {
        Value::Nil => Ok(String::new()),
        Value::Str(text) => Ok(text.to_string()),
        Value::Block(block) if block.ndim() > 0 => read::show(value),
        other => read::print_bounded(&other.clone().plain()),
    }
}

fn str(mut args: Args) -> Result<Value> {
    let xs = std::mem::take(&mut args.rest);
    if let [Value::Str(text)] = &xs[..] {
        return Ok(Value::Str(text.clone()));
    }
    let mut all = String::new();
    for x in &xs {
        let text = display(x)?;
        check_text(all.len() + text.len())?;
        all.push_str(&text);
    }
    Ok(all.into())
}

fn pr_str(args: Args) -> Result<Value> {
    let all: Vec<String> = args.rest.iter().map(read::print_bounded).collect::<Result<_>>()?;
    Ok(all.join(" ").into())
}

fn not_a(what: &str, found: &Value, args: &Args) -> crate::text::Error {
    err!(Value, "{}: {} is not {what}", args.function.name, described(found)).label(args.span, "in this call")
}

/// The integer that a text is: digits, a sign, `_` between digits.
fn integer(text: &str, base: u32) -> Option<std::result::Result<i64, ()>> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let well = digits.chars().all(|c| c == '_' || c.is_digit(base))
        && digits.starts_with(|c: char| c.is_digit(base))
        && digits.ends_with(|c: char| c.is_digit(base));
    well.then(|| i64::from_str_radix(&text.replace('_', ""), base).map_err(drop))
}

fn read_int(args: &Args, text: &str, base: u32) -> Result<Option<Value>> {
    match integer(text, base) {
        None => Ok(None),
        Some(Ok(n)) => Ok(Some(Value::Int(n))),
        Some(Err(())) => Err(err!(Overflow, "{}: {text} is beyond 64-bit integers", args.function.name)
            .label(args.span, "in this call")
            .help("floats go further: `(float text)`")),
    }
}

/// The float that a text is, in Python's and dsk's ways of writing one.
fn read_float(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust also takes "infinity" in any case; so does Python.
    text.replace('_', "").parse().ok().filter(|_| !text.starts_with('_') && !text.ends_with('_'))
}

fn int(args: Args) -> Result<Value> {
    let x = args.values[0].clone().plain();
    match &x {
        Value::Int(_) => Ok(x),
        Value::Bool(b) => Ok(Value::Int((*b).into())),
        Value::Float(f) if f.is_finite() => {
            let whole = f.trunc();
            // Both ends are exact: 2^63 is no int64, -2^63 is.
            if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
                Ok(Value::Int(whole as i64))
            } else {
                Err(err!(Overflow, "int: {x:?} is beyond 64-bit integers").label(args.span, "in this call"))
            }
        }
        Value::Float(_) => Err(not_a("an integer", &x, &args)),
        Value::Str(text) => read_int(&args, text, 10)?.ok_or_else(|| not_a("an integer", &x, &args)),
        _ => Err(args.wrong("x", "a number or a string")),
    }
}

fn float(args: Args) -> Result<Value> {
    let x = args.values[0].clone();
    match &x {
        Value::Bool(b) => Ok(Value::Float(f64::from(*b))),
        Value::Str(text) => read_float(text).map(Value::Float).ok_or_else(|| not_a("a number", &x, &args)),
        _ => x.as_float().map(Value::Float).ok_or_else(|| args.wrong("x", "a real number or a string")),
    }
}

fn bool(args: Args) -> Result<Value> {
    args.values[0].truth().map(Value::Bool)
}

/// The name of what has one.
fn name_of(args: &Args) -> Result<Str> {
    match args.value("x") {
        Value::Str(s) | Value::Keyword(s) => Ok(s.clone()),
        Value::Function(f) => Ok(f.name.clone()),
        Value::Code(task) if task.as_symbol().is_some() => Ok(task.as_symbol().cloned().unwrap_or_default()),
        _ => Err(args.wrong("x", "a string, keyword or symbol")),
    }
}

fn keyword(args: Args) -> Result<Value> {
    name_of(&args).map(Value::Keyword)
}

fn symbol(args: Args) -> Result<Value> {
    name_of(&args).map(Value::symbol)
}

fn name(args: Args) -> Result<Value> {
    name_of(&args).map(Value::Str)
}

fn parse_int(args: Args) -> Result<Value> {
    let base = args.int("base")?;
    let Some(base) = u32::try_from(base).ok().filter(|b| (2..=36).contains(b)) else {
        return Err(err!(Value, "parse-int: `:base` is from 2 to 36, found {base}").label(args.span, "in this call"));
    };
    let text = args.text("text")?;
    match read_int(&args, &text, base)? {
        Some(n) => Ok(n),
        None if args.is_given("default") => Ok(args.value("default").clone()),
        None => Err(not_a("an integer", &Value::Str(text), &args)),
    }
}

fn parse_float(args: Args) -> Result<Value> {
    let text = args.text("text")?;
    match read_float(&text) {
        Some(x) => Ok(Value::Float(x)),
        None if args.is_given("default") => Ok(args.value("default").clone()),
        None => Err(not_a("a number", &Value::Str(text), &args)),
    }
}

fn ord(args: Args) -> Result<Value> {
    let text = args.text("text")?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(Value::Int(u32::from(c).into())),
        _ => Err(args.wrong("text", "a string of one character")),
    }
}

fn chr(args: Args) -> Result<Value> {
    let n = args.int("n")?;
    let c = u32::try_from(n).ok().and_then(char::from_u32);
    let c = c.ok_or_else(|| err!(Value, "chr: {n} is the number of no character").label(args.span, "in this call"))?;
    Ok(op::sequence::character(c))
}
