//! The shortest way to call what tasks call once a record: on a string at hand, without sorting arguments to parameters. Everything
//! else, errors too, goes the long way.

use super::bytes::Bytes;
use super::date;
use super::json::value_of;
use super::regex::match_at_start;
use crate::data::{Answer, Direct, Packed, Str, Value};
use std::sync::LazyLock;

/// The short way of an op.
pub fn direct(name: &str) -> Option<Direct> {
    Some(match name {
        "str/lower" => |args, _, answer| cased(args, b'A', str::to_ascii_lowercase, answer),
        "str/upper" => |args, _, answer| cased(args, b'a', str::to_ascii_uppercase, answer),
        "str/strip" => |args, _, answer| stripped(args, true, true, answer),
        "str/lstrip" => |args, _, answer| stripped(args, true, false, answer),
        "str/rstrip" => |args, _, answer| stripped(args, false, true, answer),
        "str/split" => |args, _, answer| split(args, answer),
        "str/startswith" => |args, _, answer| test(args, |s, part| s.starts_with(part), answer),
        "str/endswith" => |args, _, answer| test(args, |s, part| s.ends_with(part), answer),
        "str/contains" => |args, _, answer| test(args, |s, part| s.contains(part), answer),
        "re/match" => |args, reads, answer| match args {
            [Value::Regex(regex), Value::Str(s)] => answer.give(match_at_start(regex, s, reads)),
            _ => false,
        },
        "re/test" => |args, _, answer| match args {
            [Value::Regex(regex), Value::Str(s)] => answer.give(Value::Bool(regex.is_match(s))),
            _ => false,
        },
        "date/parse" => |args, _, answer| match args {
            [Value::Str(text)] => date::read(text).is_some_and(|at| answer.give(at)),
            _ => false,
        },
        "json/parse" => |args, reads, answer| match args {
            [Value::Str(text)] => value_of(text, reads).is_ok_and(|value| answer.give(value)),
            _ => false,
        },
        _ => return None,
    })
}

/// An ASCII string with the letters from `first` on in the other case.
#[inline(always)]
fn cased(args: &[&Value], first: u8, change: fn(&str) -> String, answer: &mut Answer) -> bool {
    let [whole @ Value::Str(s)] = args else { return false };
    if let Some(short) = s.packed() {
        if !short.is_ascii() {
            return false;
        }
        let changed = short.with_case_changed(first);
        return if changed == short { answer.give_same(whole) } else { answer.give(Value::packed(changed)) };
    }
    if !s.is_ascii() {
        return false;
    }
    let changes = |b: &u8| (first..first + 26).contains(b);
    match s.as_bytes().iter().any(changes) {
        true => answer.give(Value::from(change(s))),
        false => answer.give_same(whole),
    }
}

/// A string without what is at its ends; white space, or the characters of a second one.
#[inline(always)]
fn stripped(args: &[&Value], start: bool, end: bool, answer: &mut Answer) -> bool {
    if let [whole @ Value::Str(s), Value::Str(chars)] = args
        && let (Some(s), Some(chars)) = (s.packed(), chars.packed())
        && s.is_ascii()
        && chars.is_ascii()
    {
        let rest = s.without(chars, start, end);
        return if rest == s { answer.give_same(whole) } else { answer.give(Value::packed(rest)) };
    }
    let (whole, s, (from, to)) = match args {
        [whole @ Value::Str(s)] if is_ascii(s) => {
            (whole, s, kept(s.as_bytes(), |b| char::from(b).is_whitespace(), start, end))
        }
        [whole @ Value::Str(s), Value::Str(chars)] if is_ascii(s) && is_ascii(chars) => {
            (whole, s, kept(s.as_bytes(), |b| chars.as_bytes().contains(&b), start, end))
        }
        _ => return false,
    };
    match s.packed() {
        Some(short) => answer.give(Value::packed(short.part(from, to))),
        None if to - from == s.len() => answer.give_same(whole),
        None => answer.give(Value::from(&s[from..to])),
    }
}

#[inline(always)]
fn is_ascii(s: &Str) -> bool {
    match s.packed() {
        Some(short) => short.is_ascii(),
        None => s.as_str().is_ascii(),
    }
}

/// Where what is left begins and ends.
#[inline(always)]
fn kept(bytes: &[u8], drop: impl Fn(u8) -> bool, start: bool, end: bool) -> (usize, usize) {
    let (mut from, mut to) = (0, bytes.len());
    while start && from < to && drop(bytes[from]) {
        from += 1;
    }
    while end && to > from && drop(bytes[to - 1]) {
        to -= 1;
    }
    (from, to)
}

fn split(args: &[&Value], answer: &mut Answer) -> bool {
    // Most words have four letters or more.
    let some = |s: &Str| Vec::with_capacity(s.len() / 5 + 1);
    answer.give(Value::list(match args {
        [Value::Str(s)] if s.is_ascii() => {
            let mut parts = some(s);
            SPACE.parts(s.as_bytes(), |start, end| parts.push(part(s, start, end)));
            parts
        }
        [Value::Str(s)] => s.split_whitespace().map(Value::from).collect(),
        [Value::Str(s), Value::Str(sep)] if !sep.is_empty() => s.split(sep.as_str()).map(Value::from).collect(),
        _ => return false,
    }))
}

/// Python's white space.
static SPACE: LazyLock<Bytes> = LazyLock::new(|| Bytes::of([(9, 13), (32, 32)]));

/// A part of a text.
#[inline(always)]
fn part(text: &str, start: usize, end: usize) -> Value {
    match Packed::part_of(text, start, end) {
        Some(short) => Value::packed(short),
        None => Value::from(&text[start..end]),
    }
}

fn test(args: &[&Value], f: fn(&str, &str) -> bool, answer: &mut Answer) -> bool {
    match args {
        [Value::Str(s), Value::Str(part)] => answer.give(Value::Bool(f(s, part))),
        _ => false,
    }
}
