//! `re/…`: regular expressions, the pattern first. A pattern is a literal, `#"\d+"`, or a string; the syntax is that of
//! the `regex` crate, which has no look-around, and takes time linear in the text.

use crate::data::{Args, Map, Str, Value};
use crate::err;
use crate::op;
use crate::op::{Kind, Op};
use crate::text::Result;
use regex::{Captures, Regex};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Now(re_match), "(re/match pattern s)",
        "What the pattern matches at the start of the string; nil where it does not.\n\
         With named groups, a map from names to what they matched; with groups, a list of the whole and of each; else a string.",
        ["(re/match #\"(?P<k>\\w+)=(?P<v>\\d+)\" \"a=1\")" => "{:k \"a\" :v \"1\"}", "(re/match #\"\\d+\" \"12x\")" => "\"12\"",
         "(re/match #\"(a)(b)?\" \"ac\")" => "[\"a\" \"a\" nil]", "(re/match #\"b\" \"ab\")" => "nil"],
        ["re/find", "re/test"]),
    op!(Kind::Now(find), "(re/find pattern s)", "What the pattern first matches, as `re/match` has it; nil where it does not.",
        ["(re/find #\"\\d+\" \"ab12\")" => "\"12\""], ["re/match", "re/find-all"]),
    op!(Kind::Now(find_all), "(re/find-all pattern s)", "All that the pattern matches, without overlaps.",
        ["(re/find-all #\"\\d\" \"1a2\")" => "[\"1\" \"2\"]"], ["re/find"]),
    op!(Kind::Now(test), "(re/test pattern s)", "Whether the pattern matches anywhere.",
        ["(re/test #\"^a\" \"ab\")" => "true"], ["re/match"]),
    op!(Kind::Now(replace), "(re/replace pattern new s :count -1)",
        "Every match replaced, or the first `:count`: by a string, in which `$1` and `${name}` are groups, or by what a \
         function makes of the match.",
        ["(re/replace #\"(\\w)=(\\w)\" \"$2=$1\" \"a=b\")" => "\"b=a\"",
         "(re/replace #\"[a-z]\" str/upper \"a1b\")" => "\"A1B\""],
        ["str/replace"]),
    op!(Kind::Now(split), "(re/split pattern s :maxsplit -1)", "The parts between matches.",
        ["(re/split #\",\\s*\" \"a, b,c\")" => "[\"a\" \"b\" \"c\"]"], ["str/split"]),
    op!(Kind::Now(escape), "(re/escape s)", "The string as a pattern that matches just it.",
        ["(re/escape \"a.b\")" => "\"a\\\\.b\""], ["regex"]),
    op!(Kind::Now(regex), "(regex pattern)", "The regular expression of a string: `#\"…\"`, as a function.",
        ["(re/test (regex \"a+\") \"caat\")" => "true"], ["re/escape"]),
];

/// The pattern; `dsk::value` where a string is none.
fn pattern(args: &Args) -> Result<Arc<Regex>> {
    match args.value("pattern") {
        Value::Regex(regex) => Ok(regex.clone()),
        Value::Str(text) => Regex::new(text).map(Arc::new).map_err(|problem| {
            err!(Value, "{}: {:?} is no regular expression", args.function.name, text.as_str())
                .label(args.span, "in this call")
                .help(problem.to_string())
        }),
        _ => Err(args.wrong("pattern", "a regular expression or a string")),
    }
}

/// What was matched: a map of named groups, a list of groups, or the whole.
pub(super) fn matched(regex: &Regex, captures: &Captures) -> Value {
    let group = |n: usize| captures.get(n).map_or(Value::Nil, |m| Value::from(m.as_str()));
    if regex.captures_len() == 1 {
        return group(0);
    }
    let mut named = Map::new();
    for (n, name) in regex.capture_names().enumerate() {
        if let Some(name) = name {
            named.set(name, group(n));
        }
    }
    if named.is_empty() { Value::list((0..captures.len()).map(group).collect()) } else { Value::map(named) }
}

fn pattern_and_text(args: &Args) -> Result<(Arc<Regex>, Str)> {
    Ok((pattern(args)?, args.text("s")?))
}

fn re_match(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    // The leftmost match is at the start if there is one there.
    let captures = regex.captures(&s).filter(|c| c.get(0).is_some_and(|whole| whole.start() == 0));
    Ok(captures.map_or(Value::Nil, |c| matched(&regex, &c)))
}

fn find(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    Ok(regex.captures(&s).map_or(Value::Nil, |c| matched(&regex, &c)))
}

fn find_all(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    if regex.captures_len() == 1 {
        return Ok(Value::list(regex.find_iter(&s).map(|m| Value::from(m.as_str())).collect()));
    }
    Ok(Value::list(regex.captures_iter(&s).map(|c| matched(&regex, &c)).collect()))
}

fn test(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    Ok(Value::Bool(regex.is_match(&s)))
}

fn replace(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    let count = usize::try_from(args.int("count")?).unwrap_or(usize::MAX);
    if let Value::Str(new) = args.value("new") {
        if count == 0 {
            return Ok(Value::Str(s));
        }
        // The regex crate takes 0 for "all".
        let limit = if count == usize::MAX { 0 } else { count };
        return Ok(regex.replacen(&s, limit, new.as_str()).into_owned().into());
    }
    let f = args.function("new")?;
    let mut out = String::with_capacity(s.len());
    let mut end = 0;
    for captures in regex.captures_iter(&s).take(count) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&s[end..whole.start()]);
        match args.apply(&f, [matched(&regex, &captures)])? {
            Value::Str(new) => out.push_str(&new),
            other => return Err(args.wrong_value("new", &other, "a function that answers with strings")),
        }
        end = whole.end();
    }
    out.push_str(&s[end..]);
    Ok(out.into())
}

fn split(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    let cuts = usize::try_from(args.int("maxsplit")?).unwrap_or(usize::MAX);
    Ok(Value::list(regex.splitn(&s, cuts.saturating_add(1)).map(Value::from).collect()))
}

fn escape(args: Args) -> Result<Value> {
    Ok(regex::escape(&args.text("s")?).into())
}

fn regex(args: Args) -> Result<Value> {
    pattern(&args).map(Value::Regex)
}
