//! The shortest way to call what tasks call once a record: on a string at hand, without sorting arguments to parameters. Everything
//! else, errors too, goes the long way.

use super::regex::match_at_start;
use super::strings::ascii_words;
use crate::data::{Direct, Str, Value};

/// The short way of an op.
pub fn direct(name: &str) -> Option<Direct> {
    Some(match name {
        "str/lower" => |window| text(window, |s| cased(s, |b| b.is_ascii_uppercase(), str::to_ascii_lowercase)),
        "str/upper" => |window| text(window, |s| cased(s, |b| b.is_ascii_lowercase(), str::to_ascii_uppercase)),
        "str/strip" => |window| stripped(window, true, true),
        "str/lstrip" => |window| stripped(window, true, false),
        "str/rstrip" => |window| stripped(window, false, true),
        "str/split" => split,
        "str/startswith" => |window| test(window, |s, part| s.starts_with(part)),
        "str/endswith" => |window| test(window, |s, part| s.ends_with(part)),
        "str/contains" => |window| test(window, |s, part| s.contains(part)),
        "re/match" => re_match,
        "re/test" => re_test,
        _ => return None,
    })
}

/// Puts the answer where it belongs.
fn answer(window: &mut [Value], value: Value) -> bool {
    window[0] = value;
    true
}

/// A function of one string.
fn text(window: &mut [Value], f: impl FnOnce(&Str) -> Option<Value>) -> bool {
    let [Value::Str(s)] = window else { return false };
    match f(s) {
        Some(value) => answer(window, value),
        None => false,
    }
}

/// An ASCII string in another case; itself where no letter changes.
fn cased(s: &Str, changes: fn(&u8) -> bool, change: fn(&str) -> String) -> Option<Value> {
    if !s.is_ascii() {
        return None;
    }
    Some(if s.as_bytes().iter().any(changes) { Value::from(change(s)) } else { Value::Str(s.clone()) })
}

fn stripped(window: &mut [Value], start: bool, end: bool) -> bool {
    let (s, rest) = match &*window {
        [Value::Str(s)] => (s, trimmed(s, char::is_whitespace, start, end)),
        [Value::Str(s), Value::Str(chars)] if s.is_ascii() && chars.is_ascii() => {
            let bytes = s.as_bytes();
            let drop = |b: &u8| chars.as_bytes().contains(b);
            let from = if start { bytes.iter().position(|b| !drop(b)).unwrap_or(bytes.len()) } else { 0 };
            let to = if end { bytes.iter().rposition(|b| !drop(b)).map_or(from, |at| at + 1) } else { bytes.len() };
            (s, &s[from..to.max(from)])
        }
        _ => return false,
    };
    let value = if rest.len() == s.len() { Value::Str(s.clone()) } else { Value::from(rest) };
    answer(window, value)
}

fn trimmed(s: &str, drop: fn(char) -> bool, start: bool, end: bool) -> &str {
    let s = if start { s.trim_start_matches(drop) } else { s };
    if end { s.trim_end_matches(drop) } else { s }
}

fn split(window: &mut [Value]) -> bool {
    let parts = match window {
        [Value::Str(s)] if s.is_ascii() => ascii_words(s).map(Value::from).collect(),
        [Value::Str(s)] => s.split_whitespace().map(Value::from).collect(),
        [Value::Str(s), Value::Str(sep)] if !sep.is_empty() => s.split(sep.as_str()).map(Value::from).collect(),
        _ => return false,
    };
    answer(window, Value::list(parts))
}

fn test(window: &mut [Value], f: fn(&str, &str) -> bool) -> bool {
    let [Value::Str(s), Value::Str(part)] = window else { return false };
    let holds = f(s, part);
    answer(window, Value::Bool(holds))
}

fn re_match(window: &mut [Value]) -> bool {
    let [Value::Regex(regex), Value::Str(s)] = window else { return false };
    let value = match_at_start(regex, s);
    answer(window, value)
}

fn re_test(window: &mut [Value]) -> bool {
    let [Value::Regex(regex), Value::Str(s)] = window else { return false };
    let holds = regex.is_match(s);
    answer(window, Value::Bool(holds))
}
