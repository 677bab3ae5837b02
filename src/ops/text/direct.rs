//! The shortest way to call what tasks call once a record: on a string at hand, without sorting arguments to parameters. Everything
//! else, errors too, goes the long way.

use super::bytes::Bytes;
use super::date;
use super::json::value_of;
use super::regex::match_at_start;
use crate::data::{Answer, Direct, Edit, Packed, Str, Value};
use std::sync::LazyLock;

/// The short way of an op.
pub fn direct(name: &str) -> Option<Direct> {
    let edits = |call, edit| Some(Direct { call, edit });
    let answers = |call| Some(Direct { call, edit: |_| None });
    match name {
        "str/lower" => edits(
            |args, _, answer| cased(args, b'A', str::to_ascii_lowercase, answer),
            |more| more.is_empty().then_some(Edit::Case(b'A')),
        ),
        "str/upper" => edits(
            |args, _, answer| cased(args, b'a', str::to_ascii_uppercase, answer),
            |more| more.is_empty().then_some(Edit::Case(b'a')),
        ),
        "str/strip" => edits(|args, _, answer| stripped(args, true, true, answer), |more| strip(more, true, true)),
        "str/lstrip" => edits(|args, _, answer| stripped(args, true, false, answer), |more| strip(more, true, false)),
        "str/rstrip" => edits(|args, _, answer| stripped(args, false, true, answer), |more| strip(more, false, true)),
        "str/split" => answers(|args, _, answer| split(args, answer)),
        "str/startswith" => answers(|args, _, answer| test(args, |s, part| s.starts_with(part), answer)),
        "str/endswith" => answers(|args, _, answer| test(args, |s, part| s.ends_with(part), answer)),
        "str/contains" => answers(|args, _, answer| test(args, |s, part| s.contains(part), answer)),
        "re/match" => answers(|args, reads, answer| match args {
            [Value::Regex(regex), Value::Str(s)] => answer.give(match_at_start(regex, s, reads)),
            _ => false,
        }),
        "re/test" => answers(|args, _, answer| match args {
            [Value::Regex(regex), Value::Str(s)] => answer.give(Value::Bool(regex.is_match(s))),
            _ => false,
        }),
        "date/parse" => answers(|args, _, answer| match args {
            [Value::Str(text)] => date::read(text).is_some_and(|at| answer.give(at)),
            _ => false,
        }),
        "json/parse" => answers(|args, reads, answer| match args {
            [Value::Str(text)] => value_of(text, reads).is_ok_and(|value| answer.give(value)),
            _ => false,
        }),
        _ => None,
    }
}

/// White space, or the characters of the second argument, are taken away.
fn strip(more: &[&Value], start: bool, end: bool) -> Option<Edit> {
    let bits = |bytes: &[u8]| bytes.iter().fold(0, |all, b| all | 1 << b);
    let chars = match more {
        [] => bits(b" \t\n\r\x0b\x0c"),
        [Value::Str(chars)] if chars.is_ascii() => bits(chars.as_bytes()),
        _ => return None,
    };
    Some(Edit::Strip { chars, start, end })
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
    let [whole @ Value::Str(s), more @ ..] = args else { return false };
    let Some(Edit::Strip { chars, .. }) = strip(more, start, end) else { return false };
    if let Some(short) = s.packed() {
        if !short.is_ascii() {
            return false;
        }
        let rest = short.without(chars, start, end);
        return if rest == short { answer.give_same(whole) } else { answer.give(Value::packed(rest)) };
    }
    if !s.is_ascii() {
        return false;
    }
    let (from, to) = kept(s.as_bytes(), |b| chars >> b & 1 != 0, start, end);
    if to - from == s.len() { answer.give_same(whole) } else { answer.give(Value::from(&s[from..to])) }
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
