//! `re/…`: regular expressions, the pattern first. A pattern is a literal, `#"\d+"`, or a string; the syntax is that of
//! the `regex` crate, which has no look-around, and takes time linear in the text.

use super::scan::{Outcome, Scanner};
use crate::data::{Args, Map, Reads, Str, Value};
use crate::err;
use crate::op;
use crate::op::{Kind, Op};
use crate::text::Result;
use regex::{CaptureLocations, Captures, Regex};
use std::cell::RefCell;
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
fn matched(regex: &Regex, captures: &Captures) -> Value {
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
    Ok(match_at_start(&regex, &s, &Reads::All))
}

/// What a pattern's matches are put in, once for all of them: records of one pattern have the same keys.
struct Known {
    regex: Arc<Regex>,
    /// The pattern at the start of a text, where nothing is to be searched for.
    at_start: Regex,
    places: CaptureLocations,
    /// The pattern, where it is a plain one, and where its groups were found.
    plain: Option<Scanner>,
    slots: Vec<usize>,
    /// A record of nil, and the group of each of its keys, if there are named groups.
    record: Map,
    groups: Vec<usize>,
}

thread_local! {
    static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) };
}

impl Known {
    fn of(regex: &Arc<Regex>) -> Known {
        // A pattern that ends in a comment takes the bracket with it, and is no pattern then.
        let at_start = Regex::new(&format!(r"\A(?:{})", regex.as_str())).ok();
        let at_start = at_start.filter(|own| own.captures_len() == regex.captures_len());
        let at_start = at_start.unwrap_or_else(|| (**regex).clone());
        let (mut record, mut groups) = (Map::new(), Vec::new());
        for (n, name) in regex.capture_names().enumerate() {
            if let Some(name) = name {
                record.set(name, Value::Nil);
                groups.push(n);
            }
        }
        let plain = Scanner::new(regex.as_str()).filter(|plain| plain.groups() == regex.captures_len());
        Known {
            regex: regex.clone(),
            places: at_start.capture_locations(),
            at_start,
            plain,
            slots: Vec::new(),
            record,
            groups,
        }
    }

    fn matched(&mut self, s: &str, reads: &Reads) -> Value {
        let outcome = self.plain.as_ref().map_or(Outcome::Unknown, |plain| plain.matches(s, &mut self.slots));
        let found = match outcome {
            Outcome::Matched => true,
            Outcome::Different => false,
            Outcome::Unknown => {
                let found = self.at_start.captures_read(&mut self.places, s);
                found.is_some_and(|whole| whole.start() == 0)
            }
        };
        if !found {
            return Value::Nil;
        }
        let place = |n: usize| match outcome {
            Outcome::Matched => Some((self.slots[2 * n], self.slots[2 * n + 1])),
            _ => self.places.get(n),
        };
        let group = |n: usize| place(n).map_or(Value::Nil, |(start, end)| Value::from(&s[start..end]));
        if self.places.len() == 1 {
            return group(0);
        }
        if self.groups.is_empty() {
            return Value::list((0..self.places.len()).map(group).collect());
        }
        let named = self.groups.iter().zip(self.record.iter());
        Value::map(match reads {
            Reads::All => {
                let mut record = self.record.clone();
                record.iter_mut().zip(&self.groups).for_each(|((_, value), n)| *value = group(*n));
                record
            }
            Reads::Keys(keys) => {
                let mut record = Map::with_capacity(keys.len());
                for (n, (name, _)) in named.filter(|(_, (name, _))| keys.iter().any(|key| key.same_key(name))) {
                    // A name is always a key.
                    let _ = record.insert(name.clone(), group(*n));
                }
                record
            }
        })
    }
}

/// What the pattern matches at the start of a text, as far as it is read, or nil.
pub(super) fn match_at_start(regex: &Arc<Regex>, s: &str, reads: &Reads) -> Value {
    KNOWN.with_borrow_mut(|known| match known {
        Some(known) if Arc::ptr_eq(&known.regex, regex) => known.matched(s, reads),
        _ => known.insert(Known::of(regex)).matched(s, reads),
    })
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

/// A group that a replacement names (`$1`, `${name}`) and the pattern has not.
fn unknown_group<'n>(regex: &Regex, new: &'n str) -> Option<&'n str> {
    let mut rest = new;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            rest = behind;
            continue;
        }
        let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let (name, behind) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(parts) => parts,
            None => rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        };
        let is_known = || match name.parse::<usize>() {
            Ok(n) => n < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        if !name.is_empty() && !is_known() {
            return Some(name);
        }
        rest = behind;
    }
    None
}

fn replace(args: Args) -> Result<Value> {
    let (regex, s) = pattern_and_text(&args)?;
    let count = usize::try_from(args.int("count")?).unwrap_or(usize::MAX);
    if let Value::Str(new) = args.value("new") {
        if let Some(group) = unknown_group(&regex, new) {
            return Err(err!(Value, "the pattern has no group `{group}`")
                .label(args.span, "in this call")
                .help("`${1}a` is the first group and an `a`, `$$` a dollar sign"));
        }
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
