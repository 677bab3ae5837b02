//! Values and errors as JSON, one line each: what `dsk eval --json` answers with.

use crate::data::task::deep;
use crate::data::{Block, Complex32, Complex64, Element, Value};
use crate::err;
use crate::text::{Error, Result};
use crate::with_dtype;
use std::fmt::Write;

/// `{"ok":true,"type":"int","value":3}`. The value is concrete.
/// `dsk::limit` where it is too long.
pub fn answer(value: &Value) -> Result<String> {
    let mut out = String::from("{\"ok\":true,\"type\":\"");
    match value {
        // An array of no dimensions is the number in it, also where that number is beyond what `Value::Int` holds.
        Value::Block(b) if b.ndim() > 0 => {
            let shape: Vec<String> = b.shape().iter().map(usize::to_string).collect();
            let _ = write!(out, "array\",\"dtype\":\"{}\",\"shape\":[{}]", b.dtype(), shape.join(","));
        }
        _ => {
            out.push_str(kind(value));
            out.push('"');
        }
    }
    out.push_str(",\"value\":");
    Writer { out: &mut out }.value(value);
    out.push('}');
    if out.len() > LONGEST {
        return Err(err!(Limit, "the answer would be longer than {LONGEST} bytes"));
    }
    Ok(out)
}

/// `{"ok":false,"code":"dsk::shape","message":"…","line":3,"column":7}`; `null` for a place that is not known.
pub fn failure(error: &Error, position: Option<(usize, usize)>) -> String {
    let mut out = format!("{{\"ok\":false,\"code\":\"{}\",\"message\":", error.code());
    string(&mut out, error.message());
    let (line, column) = position.unzip();
    let number = |n: Option<usize>| n.map_or("null".to_owned(), |n| n.to_string());
    let _ = write!(out, ",\"line\":{},\"column\":{}}}", number(line), number(column));
    out
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Block(b) => match b.dtype().kind() {
            crate::data::Kind::Bool => "bool",
            crate::data::Kind::Float => "float",
            crate::data::Kind::Complex => "complex",
            _ => "int",
        },
        // What has no counterpart in JSON is given as its text.
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Complex(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Function(_)
        | Value::Graph(_) => value.type_name(),
        _ => "string",
    }
}

/// Bytes of the longest answer.
const LONGEST: usize = 1 << 30;

struct Writer<'a> {
    out: &'a mut String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Value::Int(n) => {
                let _ = write!(self.out, "{n}");
            }
            Value::Float(x) => float(self.out, *x),
            Value::Complex(c) => c.write(self.out),
            Value::Str(s) | Value::Keyword(s) => string(self.out, s),
            Value::List(items) => self.sequence(items.iter(), |w, v| w.value(v)),
            Value::Map(map) => self.sequence(map.iter(), |w, (k, v)| w.sequence([k, v].into_iter(), |w, v| w.value(v))),
            Value::Block(b) => with_dtype!(b.dtype(), T => block::<T>(self.out, b)),
            Value::Graph(graph) => self.sequence(graph.tasks().iter(), |w, (key, task)| {
                w.sequence([key.to_string(), task.to_string()].iter(), |w, text| string(w.out, text));
            }),
            Value::Function(f) => string(self.out, &f.name),
            other => string(self.out, &other.to_string()),
        }
    }

    fn sequence<T>(&mut self, items: impl Iterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.out.push('[');
        deep(|| {
            for (n, item) in items.enumerate() {
                // Lists that share their parts may have no end.
                if self.out.len() > LONGEST {
                    break;
                }
                if n > 0 {
                    self.out.push(',');
                }
                each(self, item);
            }
        });
        self.out.push(']');
    }
}

/// How an element of an array is written.
trait Json: Element {
    fn write(self, out: &mut String);
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Json for $type {
            fn write(self, out: &mut String) {
                let _ = write!(out, "{self}");
            }
        }
    )*};
}

integers! { bool i8 i16 i32 i64 u8 u16 u32 u64 }

impl Json for f64 {
    fn write(self, out: &mut String) {
        float(out, self);
    }
}

impl Json for f32 {
    fn write(self, out: &mut String) {
        float(out, self.into());
    }
}

impl Json for Complex64 {
    fn write(self, out: &mut String) {
        out.push('[');
        float(out, self.re);
        out.push(',');
        float(out, self.im);
        out.push(']');
    }
}

impl Json for Complex32 {
    fn write(self, out: &mut String) {
        Complex64::new(self.re.into(), self.im.into()).write(out);
    }
}

/// Nested as the shape.
fn block<T: Json>(out: &mut String, block: &Block) {
    let whole = block.contiguous();
    nested(out, whole.shape(), whole.as_slice::<T>().unwrap_or_default());
}

fn nested<T: Json>(out: &mut String, shape: &[usize], elements: &[T]) {
    let Some((&length, inner)) = shape.split_first() else {
        if let Some(element) = elements.first() {
            element.write(out);
        }
        return;
    };
    let stride: usize = inner.iter().product();
    out.push('[');
    for n in 0..length {
        if n > 0 {
            out.push(',');
        }
        nested(out, inner, elements.get(n * stride..(n + 1) * stride).unwrap_or_default());
    }
    out.push(']');
}

/// The shortest text that reads back as the same float; a string for what JSON has no number for.
fn float(out: &mut String, x: f64) {
    let _ = if x.is_nan() {
        out.write_str("\"nan\"")
    } else if x.is_infinite() {
        out.write_str(if x > 0.0 { "\"inf\"" } else { "\"-inf\"" })
    } else {
        write!(out, "{x:?}")
    };
}

fn string(out: &mut String, text: &str) {
    // Writing a string to memory cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Map, Slice};
    use crate::err;

    fn line(value: impl Into<Value>) -> String {
        answer(&value.into()).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_a_line() {
        assert_eq!(line(Value::Nil), r#"{"ok":true,"type":"nil","value":null}"#);
        assert_eq!(line(true), r#"{"ok":true,"type":"bool","value":true}"#);
        assert_eq!(line(3i64), r#"{"ok":true,"type":"int","value":3}"#);
        assert_eq!(line(2.0), r#"{"ok":true,"type":"float","value":2.0}"#);
        assert_eq!(line(Value::complex(1.0, f64::NAN)), r#"{"ok":true,"type":"complex","value":[1.0,"nan"]}"#);
        assert_eq!(line("a\n\"b\u{1}"), "{\"ok\":true,\"type\":\"string\",\"value\":\"a\\n\\\"b\\u0001\"}");
        assert_eq!(line(Value::keyword("k")), r#"{"ok":true,"type":"string","value":"k"}"#);
        assert_eq!(line(Value::symbol("z")), r#"{"ok":true,"type":"string","value":"z"}"#);
        assert_eq!(line(Slice::new(1, 2)), r#"{"ok":true,"type":"string","value":"1:2"}"#);
        let mut map = Map::new();
        map.set("a", vec![1i64, 2].into());
        assert_eq!(line(Value::map(map)), r#"{"ok":true,"type":"map","value":[["a",[1,2]]]}"#);
    }

    #[test]
    fn floats_read_back_the_same_and_those_json_lacks_are_strings() {
        assert_eq!(
            line(vec![0.1, 1e300, -0.0, f64::INFINITY, f64::NEG_INFINITY]),
            r#"{"ok":true,"type":"list","value":[0.1,1e300,-0.0,"inf","-inf"]}"#
        );
    }

    #[test]
    fn arrays_nest_as_their_shape_and_tell_their_dtype() {
        let block = Block::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let expected = |value: &str, shape: &str, dtype: &str| {
            format!(r#"{{"ok":true,"type":"array","dtype":"{dtype}","shape":{shape},"value":{value}}}"#)
        };
        assert_eq!(line(block.clone()), expected("[[1.0,2.0],[3.0,4.0]]", "[2,2]", "float64"));
        assert_eq!(line(block.transpose(&[1, 0])), expected("[[1.0,3.0],[2.0,4.0]]", "[2,2]", "float64"));
        assert_eq!(line(Block::from_slice::<i8>(&[2, 0], &[])), expected("[[],[]]", "[2,0]", "int8"));
        let complex = Block::from_slice(&[1], &[Complex32::new(1.0, -1.0)]);
        assert_eq!(line(complex), expected("[[1.0,-1.0]]", "[1]", "complex64"));
    }

    #[test]
    fn an_array_of_no_dimensions_is_its_number() {
        assert_eq!(line(Block::scalar(u64::MAX)), r#"{"ok":true,"type":"int","value":18446744073709551615}"#);
        assert_eq!(line(Block::scalar(0.5f32)), r#"{"ok":true,"type":"float","value":0.5}"#);
        assert_eq!(line(Block::scalar(true)), r#"{"ok":true,"type":"bool","value":true}"#);
    }

    #[test]
    fn a_failure_tells_code_message_and_place() {
        let error = err!(Shape, "3 against \"4\"");
        assert_eq!(
            failure(&error, Some((3, 7))),
            r#"{"ok":false,"code":"dsk::shape","message":"3 against \"4\"","line":3,"column":7}"#
        );
        assert_eq!(
            failure(&error, None),
            r#"{"ok":false,"code":"dsk::shape","message":"3 against \"4\"","line":null,"column":null}"#
        );
    }
}
