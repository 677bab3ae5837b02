//! `str/…`: Python's methods of strings, the string first. Positions and widths count characters.

use super::convert::display;
use crate::data::{Args, Str, Value};
use crate::err;
use crate::op;
use crate::op::sequence::{character, check_text};
use crate::op::{Kind, Op};
use crate::text::Result;

pub static OPS: &[Op] = &[
    op!(Kind::Now(reverse), "(str/reverse s)", "The characters from last to first.", ["(str/reverse \"abc\")" => "\"cba\""], ["reverse"]),
    op!(Kind::Now(strip), "(str/strip s :chars nil)", "Without white space at both ends; or without any of `:chars`.",
        ["(str/strip \"  a \")" => "\"a\"", "(str/strip \"xxaxy\" \"xy\")" => "\"a\""], ["str/lstrip", "str/rstrip"]),
    op!(Kind::Now(lstrip), "(str/lstrip s :chars nil)", "Without white space, or any of `:chars`, at the start.",
        ["(str/lstrip \"  a \")" => "\"a \""], ["str/strip"]),
    op!(Kind::Now(rstrip), "(str/rstrip s :chars nil)", "Without white space, or any of `:chars`, at the end.",
        ["(str/rstrip \"a\\n\")" => "\"a\""], ["str/strip"]),
    op!(Kind::Now(removeprefix), "(str/removeprefix s prefix)", "Without a prefix, where it begins with it.",
        ["(str/removeprefix \"abc\" \"a\")" => "\"bc\""], ["str/removesuffix"]),
    op!(Kind::Now(removesuffix), "(str/removesuffix s suffix)", "Without a suffix, where it ends with it.",
        ["(str/removesuffix \"a.txt\" \".txt\")" => "\"a\""], ["str/removeprefix"]),
    op!(Kind::Now(split), "(str/split s :sep nil :maxsplit -1)",
        "The parts between separators, a string or a regular expression; without one, the words between white space. With \
         `:maxsplit`, that many cuts at most.",
        ["(str/split \" a  b \")" => "[\"a\" \"b\"]", "(str/split \"a,,b\" \",\")" => "[\"a\" \"\" \"b\"]",
         "(str/split \"a b c\" :maxsplit 1)" => "[\"a\" \"b c\"]"],
        ["str/rsplit", "str/join", "str/partition", "re/split"]),
    op!(Kind::Now(rsplit), "(str/rsplit s :sep nil :maxsplit -1)", "As `str/split`, with `:maxsplit` counted from the end.",
        ["(str/rsplit \"a.b.c\" \".\" 1)" => "[\"a.b\" \"c\"]"], ["str/split"]),
    op!(Kind::Now(splitlines), "(str/splitlines s :keepends false)", "The lines, without their ends unless `:keepends` is true.",
        ["(str/splitlines \"a\\nb\\r\\n\")" => "[\"a\" \"b\"]"], ["str/split"]),
    op!(Kind::Now(join), "(str/join sep coll)", "The elements as text, with `sep` between them.",
        ["(str/join \", \" [1 \"b\" :c])" => "\"1, b, :c\""], ["str/split", "str", "interpose"]),
    op!(Kind::Now(replace), "(str/replace s old new :count -1)", "Every `old` replaced by `new`, or the first `:count` of them.",
        ["(str/replace \"aba\" \"a\" \"x\")" => "\"xbx\"", "(str/replace \"aba\" \"a\" \"x\" 1)" => "\"xba\""], ["re/replace"]),
    op!(Kind::Now(startswith), "(str/startswith s prefix :start nil :end nil)", "Whether it begins with a string, or with one of a list.",
        ["(str/startswith \"abc\" \"ab\")" => "true", "(str/startswith \"abc\" [\"x\" \"a\"])" => "true"], ["str/endswith"]),
    op!(Kind::Now(endswith), "(str/endswith s suffix :start nil :end nil)", "Whether it ends with a string, or with one of a list.",
        ["(str/endswith \"a.gz\" \".gz\")" => "true"], ["str/startswith"]),
    op!(Kind::Now(contains), "(str/contains s part)", "Whether it holds the part.",
        ["(str/contains \"abc\" \"bc\")" => "true"], ["str/find", "contains?"]),
    op!(Kind::Now(find), "(str/find s part :start nil :end nil)", "Where the part first begins; -1 where it is not there.",
        ["(str/find \"añb\" \"b\")" => "2", "(str/find \"a\" \"x\")" => "-1"], ["str/rfind", "str/index", "index-of"]),
    op!(Kind::Now(rfind), "(str/rfind s part :start nil :end nil)", "Where the part last begins; -1 where it is not there.",
        ["(str/rfind \"aba\" \"a\")" => "2"], ["str/find"]),
    op!(Kind::Now(index), "(str/index s part :start nil :end nil)", "Where the part first begins; `dsk::value` where it is not there.",
        ["(str/index \"abc\" \"c\")" => "2"], ["str/find"]),
    op!(Kind::Now(rindex), "(str/rindex s part :start nil :end nil)", "Where the part last begins; `dsk::value` where it is not there.",
        ["(str/rindex \"cac\" \"c\")" => "2"], ["str/rfind"]),
    op!(Kind::Now(count), "(str/count s part :start nil :end nil)", "How often the part is there, without overlaps.",
        ["(str/count \"banana\" \"an\")" => "2"], ["str/find", "count"]),
    op!(Kind::Now(partition), "(str/partition s sep)", "What is before the first separator, the separator, and what is after.",
        ["(str/partition \"k=v=w\" \"=\")" => "[\"k\" \"=\" \"v=w\"]", "(str/partition \"k\" \"=\")" => "[\"k\" \"\" \"\"]"],
        ["str/rpartition", "str/split"]),
    op!(Kind::Now(rpartition), "(str/rpartition s sep)", "What is before the last separator, the separator, and what is after.",
        ["(str/rpartition \"a/b/c\" \"/\")" => "[\"a/b\" \"/\" \"c\"]"], ["str/partition"]),
    op!(Kind::Now(zfill), "(str/zfill s width)", "With zeros before it, after a sign, up to a width.",
        ["(str/zfill \"-7\" 4)" => "\"-007\""], ["str/rjust", "format"]),
    op!(Kind::Now(ljust), "(str/ljust s width :fill \" \")", "With a character after it, up to a width.",
        ["(str/ljust \"a\" 3 \".\")" => "\"a..\""], ["str/rjust", "str/center"]),
    op!(Kind::Now(rjust), "(str/rjust s width :fill \" \")", "With a character before it, up to a width.",
        ["(str/rjust \"a\" 3)" => "\"  a\""], ["str/ljust", "str/zfill"]),
    op!(Kind::Now(center), "(str/center s width :fill \" \")", "With a character on both sides, up to a width.",
        ["(str/center \"a\" 3 \"*\")" => "\"*a*\""], ["str/ljust"]),
    op!(Kind::Now(matches), "(str/match s pattern)",
        "Whether a pattern with `*`, `?` and `[ab]` matches all of it; of a list or a bag, the strings that it matches.",
        ["(str/match \"a.txt\" \"*.txt\")" => "true", "(str/match [\"ab\" \"c\"] \"?\")" => "[\"c\"]"], ["re/match", "glob"]),
    op!(Kind::Now(repeat), "(str/repeat s n)", "`n` times one after the other.", ["(str/repeat \"ab\" 2)" => "\"abab\""], ["repeat"]),
    op!(Kind::Now(chars), "(str/chars s)", "The characters, each as a string.", ["(str/chars \"añ\")" => "[\"a\" \"ñ\"]"], ["vec", "ord"]),
    op!(Kind::Now(length), "(str/length s)", "How many characters there are.", ["(str/length \"añ\")" => "2"], ["count"]),
    op!(Kind::Now(expandtabs), "(str/expandtabs s :tabsize 8)", "With blanks for tabs, up to the next column that is a multiple of `:tabsize`.",
        ["(str/expandtabs \"a\\tb\" 4)" => "\"a   b\""], ["str/ljust"]),
];

fn matches(args: Args) -> Result<Value> {
    let pattern = args.text("pattern")?;
    let pattern = glob::Pattern::new(&pattern).map_err(|error| {
        err!(Value, "str/match: `{pattern}` is not a pattern: {error}").label(args.span, "in this call")
    })?;
    match args.value("s") {
        Value::List(items) => {
            let mut kept = Vec::new();
            for item in items.iter() {
                let text = item.as_text().ok_or_else(|| args.wrong_value("s", item, "strings"))?;
                if pattern.matches(text) {
                    kept.push(item.clone());
                }
            }
            Ok(Value::list(kept))
        }
        _ => Ok(Value::Bool(pattern.matches(&args.text("s")?))),
    }
}

fn reverse(args: Args) -> Result<Value> {
    Ok(Value::from(args.text("s")?.chars().rev().collect::<String>()))
}

fn expandtabs(args: Args) -> Result<Value> {
    let (s, size) = (args.text("s")?, args.int("tabsize")?);
    let size = usize::try_from(size).unwrap_or(0);
    let (mut out, mut column) = (String::with_capacity(s.len()), 0usize);
    for c in s.chars() {
        match c {
            '\t' => {
                let blanks = if size == 0 { 0 } else { size - column % size };
                check_text(out.len().saturating_add(blanks))?;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    Ok(out.into())
}

/// A part of a string as a value; the string itself where it is all of it.
fn part(whole: &Str, part: &str) -> Value {
    if part.len() == whole.len() { Value::Str(whole.clone()) } else { Value::from(part) }
}

fn stripped(args: &Args, start: bool, end: bool) -> Result<Value> {
    let s = args.text("s")?;
    let chars = args.text_or_nil("chars")?;
    let drop = |c: char| chars.as_ref().map_or_else(|| c.is_whitespace(), |chars| chars.contains(c));
    let mut rest = s.as_str();
    if start {
        rest = rest.trim_start_matches(drop);
    }
    if end {
        rest = rest.trim_end_matches(drop);
    }
    Ok(part(&s, rest))
}

fn strip(args: Args) -> Result<Value> {
    stripped(&args, true, true)
}

fn lstrip(args: Args) -> Result<Value> {
    stripped(&args, true, false)
}

fn rstrip(args: Args) -> Result<Value> {
    stripped(&args, false, true)
}

fn removeprefix(args: Args) -> Result<Value> {
    let (s, prefix) = (args.text("s")?, args.text("prefix")?);
    Ok(part(&s, s.strip_prefix(prefix.as_str()).unwrap_or(&s)))
}

fn removesuffix(args: Args) -> Result<Value> {
    let (s, suffix) = (args.text("s")?, args.text("suffix")?);
    Ok(part(&s, s.strip_suffix(suffix.as_str()).unwrap_or(&s)))
}

fn texts<'a>(parts: impl Iterator<Item = &'a str>) -> Value {
    Value::list(parts.map(Value::from).collect())
}

/// How many cuts at most; a negative number is no limit.
fn most(args: &Args, param: &str) -> Result<usize> {
    Ok(usize::try_from(args.int(param)?).unwrap_or(usize::MAX))
}

/// The separator, which is not empty.
fn separator(args: &Args) -> Result<Str> {
    let sep = args.text("sep")?;
    if sep.is_empty() {
        return Err(err!(Value, "{}: the separator is empty", args.function.name)
            .label(args.span, "in this call")
            .help("`(str/chars s)` gives the characters"));
    }
    Ok(sep)
}

fn split(args: Args) -> Result<Value> {
    let (s, cuts) = (args.text("s")?, most(&args, "maxsplit")?);
    match args.value("sep") {
        Value::Nil if cuts == usize::MAX => Ok(texts(s.split_whitespace())),
        Value::Nil => {
            let mut parts = Vec::new();
            let mut rest = s.trim_start();
            while !rest.is_empty() {
                let end = if parts.len() < cuts { rest.find(char::is_whitespace) } else { None };
                let (word, after) = end.map_or((rest, ""), |at| rest.split_at(at));
                parts.push(Value::from(if end.is_none() && parts.len() == cuts { word.trim_end() } else { word }));
                rest = after.trim_start();
            }
            Ok(Value::list(parts))
        }
        Value::Regex(regex) => Ok(texts(regex.splitn(&s, cuts.saturating_add(1)))),
        _ => {
            let sep = separator(&args)?;
            Ok(match (cuts, sep.as_bytes()) {
                // A single byte is found fastest.
                (usize::MAX, [byte]) => texts(s.split(char::from(*byte))),
                (usize::MAX, _) => texts(s.split(sep.as_str())),
                _ => texts(s.splitn(cuts + 1, sep.as_str())),
            })
        }
    }
}

fn rsplit(args: Args) -> Result<Value> {
    let (s, cuts) = (args.text("s")?, most(&args, "maxsplit")?);
    let mut parts: Vec<Value> = Vec::new();
    if args.is_nil("sep") {
        let mut rest = s.trim_end();
        while !rest.is_empty() {
            let cut = if parts.len() < cuts { rest.rfind(char::is_whitespace) } else { None };
            let Some(at) = cut else {
                parts.push(Value::from(rest.trim_start()));
                break;
            };
            let width = rest[at..].chars().next().map_or(1, char::len_utf8);
            parts.push(Value::from(&rest[at + width..]));
            rest = rest[..at].trim_end();
        }
        parts.retain(|p| p.as_text() != Some(""));
    } else {
        let sep = separator(&args)?;
        parts.extend(s.rsplitn(cuts.saturating_add(1), sep.as_str()).map(Value::from));
    }
    parts.reverse();
    Ok(Value::list(parts))
}

fn splitlines(args: Args) -> Result<Value> {
    let (s, keep) = (args.text("s")?, args.bool("keepends")?);
    let mut lines = Vec::new();
    let mut rest = s.as_str();
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    while let Some(at) = rest.find(ends) {
        let after = &rest[at..];
        let width = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(1, char::len_utf8) };
        lines.push(Value::from(&rest[..if keep { at + width } else { at }]));
        rest = &rest[at + width..];
    }
    if !rest.is_empty() {
        lines.push(Value::from(rest));
    }
    Ok(Value::list(lines))
}

fn join(mut args: Args) -> Result<Value> {
    let sep = args.text("sep")?;
    let items = args.seq("coll")?;
    let mut all = String::new();
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            all.push_str(&sep);
        }
        match item {
            Value::Str(text) => all.push_str(text),
            other => all.push_str(&display(other)?),
        }
        check_text(all.len())?;
    }
    Ok(all.into())
}

fn replace(args: Args) -> Result<Value> {
    if let Value::Regex(_) = args.value("old") {
        return Err(args.wrong("old", "a string").help("`(re/replace pattern new s)` replaces what a pattern matches"));
    }
    let (s, old, new) = (args.text("s")?, args.text("old")?, args.text("new")?);
    let count = most(&args, "count")?;
    if old.is_empty() || new.len() > old.len() {
        let times = s.matches(old.as_str()).count().min(count);
        check_text(s.len().saturating_add(times.saturating_mul(new.len())))?;
    }
    Ok(s.replacen(old.as_str(), &new, count).into())
}

/// Whether the test holds of the string, or of one of a list of strings.
fn one_of(args: &Args, param: &str, test: impl Fn(&str) -> bool) -> Result<Value> {
    let all = match args.value(param) {
        Value::List(items) => items.to_vec(),
        single => vec![single.clone()],
    };
    for item in &all {
        match item {
            Value::Str(text) if test(text) => return Ok(Value::Bool(true)),
            Value::Str(_) => {}
            other => return Err(args.wrong_value(param, other, "a string or a list of strings")),
        }
    }
    Ok(Value::Bool(false))
}

/// The part of a string between `:start` and `:end`, which count characters as slices do, and how many are before it; none where it would
/// begin behind the end of the string or of itself.
fn window<'s>(args: &Args, s: &'s str) -> Result<Option<(i64, &'s str)>> {
    if args.is_nil("start") && args.is_nil("end") {
        return Ok(Some((0, s)));
    }
    let n = s.chars().count() as i64;
    let at = |param: &str, default: i64| match args.is_nil(param) {
        true => Ok(default),
        false => args.int(param).map(|at| if at < 0 { (at.saturating_add(n)).max(0) } else { at }),
    };
    let (start, end) = (at("start", 0)?, at("end", n)?.min(n));
    if start > end {
        return Ok(None);
    }
    let byte = |at: i64| s.char_indices().nth(at as usize).map_or(s.len(), |(byte, _)| byte);
    Ok(Some((start, &s[byte(start)..byte(end)])))
}

fn startswith(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    let part = window(&args, &s)?;
    one_of(&args, "prefix", |prefix| part.is_some_and(|(_, s)| s.starts_with(prefix)))
}

fn endswith(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    let part = window(&args, &s)?;
    one_of(&args, "suffix", |suffix| part.is_some_and(|(_, s)| s.ends_with(suffix)))
}

fn contains(args: Args) -> Result<Value> {
    let (s, part) = (args.text("s")?, args.text("part")?);
    Ok(Value::Bool(s.contains(part.as_str())))
}

/// Where a part is found, in characters.
fn place(args: &Args, find: fn(&str, &str) -> Option<usize>) -> Result<Option<i64>> {
    let (s, part) = (args.text("s")?, args.text("part")?);
    let Some((before, s)) = window(args, &s)? else { return Ok(None) };
    Ok(find(s, &part).map(|at| before + s[..at].chars().count() as i64))
}

fn find(args: Args) -> Result<Value> {
    Ok(Value::Int(place(&args, |s, part| s.find(part))?.unwrap_or(-1)))
}

fn rfind(args: Args) -> Result<Value> {
    Ok(Value::Int(place(&args, |s, part| s.rfind(part))?.unwrap_or(-1)))
}

fn index(args: Args) -> Result<Value> {
    place(&args, |s, part| s.find(part))?.map(Value::Int).ok_or_else(|| not_held(&args))
}

fn rindex(args: Args) -> Result<Value> {
    place(&args, |s, part| s.rfind(part))?.map(Value::Int).ok_or_else(|| not_held(&args))
}

fn not_held(args: &Args) -> crate::text::Error {
    err!(Value, "{}: the string does not hold {:?}", args.function.name, args.value("part"))
        .label(args.span, "in this call")
        .help("`str/find` answers -1 then, `index-of` nil")
}

fn count(args: Args) -> Result<Value> {
    let (s, part) = (args.text("s")?, args.text("part")?);
    Ok(Value::from(window(&args, &s)?.map_or(0, |(_, s)| s.matches(part.as_str()).count())))
}

fn three(a: &str, b: &str, c: &str) -> Value {
    Value::list(vec![a.into(), b.into(), c.into()])
}

fn partition(args: Args) -> Result<Value> {
    let (s, sep) = (args.text("s")?, separator(&args)?);
    Ok(s.split_once(sep.as_str()).map_or_else(|| three(&s, "", ""), |(a, b)| three(a, &sep, b)))
}

fn rpartition(args: Args) -> Result<Value> {
    let (s, sep) = (args.text("s")?, separator(&args)?);
    Ok(s.rsplit_once(sep.as_str()).map_or_else(|| three("", "", &s), |(a, b)| three(a, &sep, b)))
}

/// What is missing up to a width, and the one character to fill with.
fn missing(args: &Args, s: &str) -> Result<(usize, char)> {
    let width = args.size("width")?;
    check_text(width)?;
    let fill = args.text("fill")?;
    let mut chars = fill.chars();
    match (chars.next(), chars.next()) {
        (Some(fill), None) => Ok((width.saturating_sub(s.chars().count()), fill)),
        _ => Err(args.wrong("fill", "a string of one character")),
    }
}

fn filled(before: usize, s: &str, after: usize, fill: char) -> Value {
    let fill = |n: usize| fill.to_string().repeat(n);
    (fill(before) + s + &fill(after)).into()
}

fn ljust(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    let (n, fill) = missing(&args, &s)?;
    Ok(filled(0, &s, n, fill))
}

fn rjust(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    let (n, fill) = missing(&args, &s)?;
    Ok(filled(n, &s, 0, fill))
}

fn center(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    let (n, fill) = missing(&args, &s)?;
    // The odd one goes where Python puts it.
    let before = n / 2 + (n & args.size("width")? & 1);
    Ok(filled(before, &s, n - before, fill))
}

fn zfill(args: Args) -> Result<Value> {
    let (s, width) = (args.text("s")?, args.size("width")?);
    check_text(width)?;
    let zeros = "0".repeat(width.saturating_sub(s.chars().count()));
    let sign = usize::from(s.starts_with(['+', '-']));
    Ok(format!("{}{zeros}{}", &s[..sign], &s[sign..]).into())
}

fn repeat(args: Args) -> Result<Value> {
    let (s, n) = (args.text("s")?, args.size("n")?);
    check_text(s.len().saturating_mul(n))?;
    Ok(s.repeat(n).into())
}

fn chars(args: Args) -> Result<Value> {
    Ok(Value::list(args.text("s")?.chars().map(character).collect()))
}

fn length(args: Args) -> Result<Value> {
    Ok(Value::from(args.text("s")?.chars().count()))
}
