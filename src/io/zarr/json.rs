//! JSON, as metadata and attributes are written in, and the values it stands for.

use crate::data::{Block, Complex64, DType, Dims, Map, Value};
use crate::err;
use crate::text::Result;
pub use serde_json::Value as Json;
use serde_json::{Number, json};

/// Before the names of numbers that JSON does not have, which Python writes all the same: `NaN`, `Infinity`, `-Infinity`.
const MARK: char = '\0';
const NAMES: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// What a text says.
///
/// # Errors
/// Says where it is no JSON.
pub fn parse(text: &[u8]) -> std::result::Result<Json, String> {
    serde_json::from_slice(text).or_else(|error| match named_numbers(text) {
        Some(text) => serde_json::from_slice(&text).map_err(|e| e.to_string()),
        None => Err(error.to_string()),
    })
}

/// The text with every bare `NaN` and its like as a marked string; `None` where there are none.
fn named_numbers(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let (mut at, mut quoted, mut found) = (0, false, false);
    while at < text.len() {
        let rest = &text[at..];
        if !quoted && let Some(name) = NAMES.iter().find(|name| rest.starts_with(name.as_bytes())) {
            out.extend_from_slice(b"\"\\u0000");
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
            at += name.len();
            found = true;
            continue;
        }
        if quoted && rest[0] == b'\\' {
            out.extend_from_slice(&rest[..rest.len().min(2)]);
            at += 2;
            continue;
        }
        quoted ^= rest[0] == b'"';
        out.push(rest[0]);
        at += 1;
    }
    found.then_some(out)
}

/// JSON as text, in which numbers that were read by their names are written as those again.
///
/// # Errors
/// Says what cannot be written.
pub fn text(json: &Json) -> std::result::Result<String, String> {
    let mut text = serde_json::to_string_pretty(json).map_err(|e| e.to_string())?;
    for name in NAMES {
        text = text.replace(&format!("\"\\u0000{name}\""), name);
    }
    text.push('\n');
    Ok(text)
}

/// A number, also one that has a name.
pub fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(n) => n.as_f64(),
        Json::String(name) => match name.trim_start_matches(MARK) {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A list of sizes.
pub fn sizes(json: &Json) -> Option<Dims> {
    json.as_array()?.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok())).collect()
}

/// The members of an object as a map.
pub fn to_map(json: &Json) -> Map {
    let mut map = Map::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        map.set(name, to_value(value));
    }
    map
}

/// The value that JSON stands for: lists of numbers, and such lists of one length, are arrays.
fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(text) if text.starts_with(MARK) => number(json).map_or(Value::Nil, Value::Float),
        Json::String(text) => Value::str(text.as_str()),
        Json::Object(_) => Value::map(to_map(json)),
        Json::Array(items) => {
            array(json).map_or_else(|| Value::list(items.iter().map(to_value).collect()), Value::from)
        }
    }
}

/// Nested lists of numbers as an array of the least dtype that holds them all.
fn array(json: &Json) -> Option<Block> {
    let mut shape = Dims::new();
    let mut first = json;
    while let Json::Array(items) = first {
        shape.push(items.len());
        first = items.first()?;
    }
    let mut leaves = Vec::new();
    gather(json, &shape, &mut leaves)?;
    if leaves.iter().all(|n| n.is_boolean()) {
        return Some(Block::from_slice(&shape, &leaves.iter().map(|n| n.as_bool() == Some(true)).collect::<Vec<_>>()));
    }
    if let Some(integers) = leaves.iter().map(|n| n.as_i64()).collect::<Option<Vec<_>>>() {
        return Some(Block::from_slice(&shape, &integers));
    }
    let marked = |n: &Json| n.is_number() || n.as_str().is_some_and(|s| s.starts_with(MARK));
    let floats = leaves.iter().map(|n| number(n).filter(|_| marked(n))).collect::<Option<Vec<f64>>>()?;
    Some(Block::from_slice(&shape, &floats))
}

fn gather<'a>(json: &'a Json, shape: &[usize], leaves: &mut Vec<&'a Json>) -> Option<()> {
    let Some((&n, inner)) = shape.split_first() else {
        leaves.push(json);
        return (!json.is_array()).then_some(());
    };
    let items = json.as_array().filter(|items| items.len() == n)?;
    items.iter().try_for_each(|item| gather(item, inner, leaves))
}

/// Values may be nested so deep, fewer times than readers of JSON go along with.
const DEEPEST: usize = 64;

/// Attributes as JSON.
///
/// # Errors
/// `dsk::type` for values other than numbers, strings, arrays, and lists and maps of them, and for those that are nested too deep.
pub fn from_map(map: &Map) -> Result<Json> {
    object(map, 0)
}

fn object(map: &Map, depth: usize) -> Result<Json> {
    let mut object = serde_json::Map::new();
    for (name, value) in map.iter() {
        let Some(name) = name.as_text().filter(|n| !n.is_empty()) else {
            return Err(err!(Type, "the name of an attribute is a keyword or string, not {}", name.a_type_name()));
        };
        let Some(json) = from_value(value, depth + 1) else {
            return Err(err!(Type, "the attribute `{name}` cannot be a value like this one").help(format!(
                "numbers, strings, arrays, and lists and maps of them, up to {DEEPEST} deep, can be attributes"
            )));
        };
        object.insert(name.to_string(), json);
    }
    Ok(Json::Object(object))
}

fn from_value(value: &Value, depth: usize) -> Option<Json> {
    if depth > DEEPEST {
        return None;
    }
    Some(match value {
        Value::Nil => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(n) => json!(n),
        Value::Float(x) => from_float(*x),
        Value::Complex(c) => json!([from_float(c.re), from_float(c.im)]),
        Value::Str(text) | Value::Keyword(text) => json!(text.as_str()),
        Value::Block(block) => from_block(block)?,
        Value::List(items) => Json::Array(items.iter().map(|item| from_value(item, depth + 1)).collect::<Option<_>>()?),
        Value::Map(map) => object(map, depth).ok()?,
        _ => return None,
    })
}

fn from_block(block: &Block) -> Option<Json> {
    if block.ndim() > 0 {
        let parts = (0..block.shape()[0]).map(|at| from_block(&block.take_axis(0, at)));
        return Some(Json::Array(parts.collect::<Option<_>>()?));
    }
    Some(match block.dtype() {
        DType::U64 => json!(block.get::<u64>(&[])),
        dtype if dtype.is_complex() => {
            let c = block.cast(DType::C128).ok()?.get::<Complex64>(&[]);
            json!([from_float(c.re), from_float(c.im)])
        }
        _ => from_value(&block.item(), 0)?,
    })
}

/// A number, or the name of one that JSON does not have.
pub fn from_float(x: f64) -> Json {
    match Number::from_f64(x) {
        Some(number) => Json::Number(number),
        None if x.is_nan() => json!("NaN"),
        None => json!(if x > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_are_read_where_python_wrote_them() {
        let json = parse(br#"{"a": NaN, "b": [1.5, -Infinity], "c": "NaN \" Infinity", "d": "NaN"}"#).unwrap();
        let map = to_map(&json);
        assert!(matches!(map.get_text("a"), Some(Value::Float(x)) if x.is_nan()));
        assert!(matches!(map.get_text("b"), Some(Value::Block(b)) if b.get::<f64>(&[1]) == f64::NEG_INFINITY));
        assert_eq!(map.get_text("c").and_then(Value::as_text), Some("NaN \" Infinity"));
        assert_eq!(map.get_text("d").and_then(Value::as_text), Some("NaN"));
        assert!(parse(b"{\"a\": NaN").is_err());
        assert!(parse(b"{\"a\\").is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    /// A group is written anew when an array is stored in it.
    #[test]
    fn what_was_read_is_written_as_it_was() {
        let json = parse(br#"{"a": NaN, "b": [1.5, -Infinity, Infinity], "c": "NaN"}"#).unwrap();
        let written: String = text(&json).unwrap().split_whitespace().collect();
        assert_eq!(written, r#"{"a":NaN,"b":[1.5,-Infinity,Infinity],"c":"NaN"}"#);
    }

    #[test]
    fn attributes_are_not_nested_without_end() {
        let nested = |depth: usize| {
            let mut map = Map::new();
            map.set("a", (1..depth).fold(Value::Int(1), |inner, _| Value::list(vec![inner, Value::str("s")])));
            map
        };
        let json = from_map(&nested(DEEPEST)).unwrap();
        assert!(parse(text(&json).unwrap().as_bytes()).is_ok_and(|read| read == json));
        for depth in [DEEPEST + 1, 200_000] {
            assert!(from_map(&nested(depth)).unwrap_err().help_lines()[0].contains("64 deep"));
        }
    }

    #[test]
    fn lists_of_numbers_are_arrays_if_they_are_of_one_length() {
        let value = |text: &str| to_value(&parse(text.as_bytes()).unwrap());
        assert!(matches!(value("[[1, 2], [3, 4]]"), Value::Block(b) if b.shape() == [2, 2] && b.dtype() == DType::I64));
        assert!(matches!(value("[1, 2.5]"), Value::Block(b) if b.dtype() == DType::F64));
        assert!(matches!(value("[true, false]"), Value::Block(b) if b.dtype() == DType::Bool));
        for text in ["[]", "[[1], [2, 3]]", "[\"NaN\", 1]", "[[1], 2]", "[null]", "[[]]"] {
            assert!(matches!(value(text), Value::List(_)), "{text}");
        }
    }
}
