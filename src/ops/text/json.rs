//! `json/…`: values as JSON text (RFC 8259) and back.

use crate::data::{Args, Map, Packed, Reads, Value, cancel, task::deep};
use crate::err;
use crate::op;
use crate::op::args::described;
use crate::op::sequence::{Seq, check_text};
use crate::op::{Kind, Op};
use crate::text::Result;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt::{self, Write};

pub static OPS: &[Op] = &[
    op!(Kind::Now(parse), "(json/parse text)",
        "The value of a JSON text: objects are maps, in order, with strings for keys; a keyword finds them too. Errors: \
         `dsk::value`, with the line and column, where it is not JSON, or nested deeper than 128. Integers of more than 64 bits are \
         floats.",
        ["(json/parse \"{\\\"a\\\": [1, 2.5, null]}\")" => "{\"a\" [1 2.5 nil]}", "(:a (json/parse \"{\\\"a\\\": 1}\"))" => "1"],
        ["json/write"]),
    op!(Kind::Now(write), "(json/write x :indent nil)",
        "A value as JSON text, on one line or with lines indented by `:indent`. Keywords are strings, arrays nested lists, keys \
         that are numbers their text. What JSON cannot say (`nan`, `inf`, complex numbers, functions) is `dsk::value`.",
        ["(json/write {:a [1 2.0 nil true]})" => "\"{\\\"a\\\":[1,2.0,null,true]}\""], ["json/parse"]),
];

fn parse(args: Args) -> Result<Value> {
    let text = args.text("text")?;
    value_of(&text, &Reads::All)
        .map_err(|problem| err!(Value, "json/parse: the text is not JSON: {problem}").label(args.span, "in this call"))
}

/// The value of a JSON text, as far as it is read. What is left out is JSON, too, or this fails.
pub fn value_of(text: &str, reads: &Reads) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Json(reads).deserialize(&mut reader)?;
    reader.end().map(|()| value)
}

/// A value as JSON text on one line.
pub fn text_of(value: &Value) -> Result<String> {
    let mut out = String::new();
    put(&mut out, value, None, 0)?;
    Ok(out)
}

/// Makes a value while JSON is read, without another tree between. Of an object, entries that are not read are passed over.
struct Json<'a>(&'a Reads);

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        match self.0.is_nothing() {
            true => reader.deserialize_ignored_any(IgnoredAny).map(|_| Value::Nil),
            false => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        // Beyond int64 a number is still a number.
        Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Json(&Reads::All))? {
            all.push(item);
        }
        Ok(Value::list(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key_seed(Name(self.0))? {
            match name {
                None => drop(entries.next_value::<IgnoredAny>()?),
                Some(name) => {
                    let value = entries.next_value_seed(Json(&Reads::All))?;
                    // A string is always a key.
                    let _ = map.insert(name, value);
                }
            }
        }
        Ok(Value::map(map))
    }
}

/// The name of an entry, if that is read.
struct Name<'a>(&'a Reads);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<Value>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of an entry")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<Value>, E> {
        Ok(self.0.has(name).then(|| NAMES.with_borrow_mut(|names| names.value(name))))
    }
}

/// Names that came before: records of a kind share them.
struct Names(Vec<Value>);

thread_local! {
    static NAMES: RefCell<Names> = const { RefCell::new(Names(Vec::new())) };
}

impl Names {
    fn value(&mut self, name: &str) -> Value {
        const PLACES: usize = 1 << 8;
        // A short one lies in the value itself; a very long one would be held for as long as the thread lives.
        const LONG: usize = 256;
        if Packed::of(name).is_some() || name.len() > LONG {
            return Value::from(name);
        }
        self.0.resize(PLACES, Value::Nil);
        let bytes = name.as_bytes();
        let mixed = bytes.iter().fold(bytes.len(), |hash, b| hash.wrapping_mul(31).wrapping_add(usize::from(*b)));
        let place = &mut self.0[mixed % PLACES];
        if place.as_text() != Some(name) {
            *place = Value::from(name);
        }
        place.clone()
    }
}

fn write(args: Args) -> Result<Value> {
    let indent = args.size_or_nil("indent")?;
    if let Some(n) = indent.filter(|&n| n > 64) {
        return Err(err!(Value, "json/write: `:indent` is at most 64, found {n}").label(args.span, "in this call"));
    }
    let mut out = String::new();
    put(&mut out, &args.values[0], indent, 0)?;
    Ok(out.into())
}

/// A new line at a depth, where lines are wanted.
fn line(out: &mut String, indent: Option<usize>, depth: usize) {
    if let Some(n) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', n * depth));
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn put(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<()> {
    cancel::check()?;
    check_text(out.len())?;
    let unsaid = || err!(Value, "json/write: JSON has no way to say {}", described(value));
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => out.push_str(&n.to_string()),
        Value::Float(x) if x.is_finite() => out.push_str(&format!("{x:?}")),
        Value::Str(text) | Value::Keyword(text) => quoted(out, text),
        Value::Map(map) => {
            out.push('{');
            for (n, (key, value)) in map.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                match key {
                    Value::Str(text) | Value::Keyword(text) => quoted(out, text),
                    Value::Nil => quoted(out, "null"),
                    Value::Int(_) | Value::Float(_) | Value::Bool(_) => quoted(out, &crate::read::print(key)),
                    other => {
                        return Err(err!(Value, "json/write: {} cannot be the key of a JSON object", described(other)));
                    }
                }
                out.push_str(if indent.is_some() { ": " } else { ":" });
                deep(|| put(out, value, indent, depth + 1))?;
            }
            if !map.is_empty() {
                line(out, indent, depth);
            }
            out.push('}');
        }
        Value::Block(block) if block.ndim() == 0 && !matches!(block.item(), Value::Block(_)) => {
            put(out, &block.item(), indent, depth)?
        }
        Value::List(_) | Value::Block(_) => {
            let items = Seq::of(value.clone()).map_err(|_| unsaid())?;
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                line(out, indent, depth + 1);
                deep(|| put(out, item, indent, depth + 1))?;
            }
            if !items.is_empty() {
                line(out, indent, depth);
            }
            out.push(']');
        }
        _ => return Err(unsaid()),
    }
    Ok(())
}
