//! Text to `Task`s: one arm for each rule of the grammar.

use crate::data::{Form, List, Map, Slice, Str, Task, Value, task::deep};
use crate::err;
use crate::text::{Error, Result, SourceId, Span};
use pest::Parser;
use pest::iterators::Pair;
use std::sync::Arc;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/dsk.pest"]
struct Grammar;

/// Brackets and prefixes nest at most this deep.
pub const MAX_DEPTH: usize = 2_000;

/// All top-level forms of a text.
pub fn read(source: SourceId, text: &str) -> Result<Vec<Task>> {
    Forms::new(source, text).collect()
}

/// The only form of a text.
pub fn read_one(source: SourceId, text: &str) -> Result<Task> {
    let mut forms = Forms::new(source, text);
    let nothing = || err!(Syntax, "expected a form, found nothing").incomplete();
    let form = forms.next().ok_or_else(nothing)??;
    match forms.next() {
        None => Ok(form),
        Some(Err(error)) => Err(error),
        Some(Ok(more)) => Err(err!(Syntax, "expected one form, found more").label(more.span, "a second form")),
    }
}

/// Whether the text is a word that the reader takes for a symbol.
pub(super) fn reads_as_symbol(name: &str) -> bool {
    let symbol = |pairs: pest::iterators::Pairs<Rule>| {
        let found = pairs.flat_map(Pair::into_inner).next();
        found.is_some_and(|p| p.as_rule() == Rule::symbol && p.as_str() == name)
    };
    let data = matches!(name, "nil" | "true" | "false" | "inf" | "-inf" | "nan" | "..." | "newaxis");
    !data && Grammar::parse(Rule::first, name).is_ok_and(symbol)
}

/// The top-level forms of a text, one at a time. After an error it goes on with the next line.
pub struct Forms<'a> {
    source: SourceId,
    text: &'a str,
    /// Where the next form is looked for.
    at: usize,
    too_deep: Option<TooDeep>,
}

impl<'a> Forms<'a> {
    pub fn new(source: SourceId, text: &'a str) -> Self {
        Forms { source, text, at: 0, too_deep: too_deep(text) }
    }

    /// Byte offset behind the last form, or behind the line of the last error.
    pub fn offset(&self) -> usize {
        self.at
    }

    fn read_next(&mut self) -> Result<Option<Task>> {
        // The parser never sees a form that nests too deep.
        let end = self.too_deep.as_ref().map_or(self.text.len(), |d| d.form);
        let reader = Reader { source: self.source, base: self.at };
        let first = Grammar::parse(Rule::first, &self.text[self.at..end])
            .map_err(|e| err!(Internal, "the grammar has no rule for this: {}", e.variant.message()))?;
        for pair in first.flat_map(Pair::into_inner) {
            match pair.as_rule() {
                Rule::end => break,
                // What `#_` drops must still be dsk.
                Rule::dropped => reader.prefixed(pair).map(drop)?,
                _ => {
                    let behind = self.at + pair.as_span().end();
                    let task = reader.task(pair)?;
                    self.at = behind;
                    return Ok(Some(task));
                }
            }
        }
        self.at = self.text.len();
        match self.too_deep.take() {
            None => Ok(None),
            Some(TooDeep { bracket, .. }) => Err(err!(Limit, "brackets nest more than {MAX_DEPTH} deep")
                .label(Span::new(self.source, bracket, bracket + 1), "one level too many")),
        }
    }
}

impl Iterator for Forms<'_> {
    type Item = Result<Task>;

    fn next(&mut self) -> Option<Result<Task>> {
        let start = self.at;
        self.read_next()
            .inspect_err(|error| {
                let from = self.at.max(start).max(error.span().end as usize);
                let line = self.text.get(from..).and_then(|rest| rest.find('\n'));
                self.at = line.map_or(self.text.len(), |n| from + n + 1);
            })
            .transpose()
    }
}

/// A top-level form that nests more than [`MAX_DEPTH`] deep: where it begins, and its first bracket too many.
struct TooDeep {
    form: usize,
    bracket: usize,
}

/// Looks for brackets and prefixes nested too deep, before the parser recurses into them.
fn too_deep(text: &str) -> Option<TooDeep> {
    let bytes = text.as_bytes();
    let (mut depth, mut prefixes, mut form, mut at) = (0usize, 0usize, None, 0);
    while at < bytes.len() {
        let here = at;
        at += 1;
        match bytes[here] {
            b';' => at = here + text[here..].find('\n').unwrap_or(text.len() - here),
            b'#' if bytes.get(at) == Some(&b'|') => at = block_end(bytes, here),
            b'"' => {
                form.get_or_insert(here);
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                prefixes = 0;
            }
            b'(' | b'[' | b'{' => {
                form.get_or_insert(here);
                depth += 1 + prefixes;
                prefixes = 0;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                prefixes = 0;
            }
            b'\'' | b'`' | b'~' => {
                form.get_or_insert(here);
                prefixes += 1;
            }
            b'#' if bytes.get(at) == Some(&b'_') => {
                form.get_or_insert(here);
                prefixes += 1;
                at += 1;
            }
            b' ' | b'\n' | b'\t' | b'\r' | b',' => {
                if depth == 0 && prefixes == 0 {
                    form = None;
                }
            }
            _ => {
                form.get_or_insert(here);
                prefixes = 0;
            }
        }
        if depth + prefixes > MAX_DEPTH {
            return Some(TooDeep { form: form.unwrap_or(here), bracket: here });
        }
    }
    None
}

/// The end of a block comment that begins at `at`; just behind its `#|` when it is never closed.
fn block_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (1, at + 2);
    while i + 1 < bytes.len() {
        match &bytes[i..i + 2] {
            b"#|" => depth += 1,
            b"|#" => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    at + 2
}

/// Turns pairs of the grammar into tasks.
struct Reader {
    source: SourceId,
    /// Where the parsed text begins in the source.
    base: usize,
}

impl Reader {
    fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.source, self.base + span.start(), self.base + span.end())
    }

    fn task(&self, pair: Pair<Rule>) -> Result<Task> {
        let span = self.span(&pair);
        let text = pair.as_str();
        let data = |value: Value| Ok(Task::new(Form::Data(value), span));
        match pair.as_rule() {
            Rule::call => Ok(Task::new(Form::Call(self.call(pair, span)?.into()), span)),
            Rule::list => Ok(Task::new(Form::List(self.items(pair, '[')?.into()), span)),
            Rule::map => self.map(pair, span),
            Rule::short => self.short_function(pair, span),
            Rule::quote => self.wrapped("quote", pair, span),
            Rule::quasiquote => self.wrapped("quasiquote", pair, span),
            Rule::unquote => self.wrapped("unquote", pair, span),
            Rule::splice => self.wrapped("unquote-splicing", pair, span),
            Rule::string => data(Value::Str(self.text(pair, "string")?)),
            Rule::regex => data(self.regex(pair)?),
            Rule::slice => data(self.slice(text, span)?.into()),
            Rule::integer => data(Value::Int(integer(text, span)?)),
            Rule::hex => data(Value::Int(hex(text, span)?)),
            Rule::float => data(Value::Float(float(text, span)?)),
            Rule::complex => data(complex(text, span)?),
            Rule::keyword => data(Value::keyword(&text[1..])),
            Rule::symbol => Ok(match text {
                "nil" => Task::new(Form::Data(Value::Nil), span),
                "true" => Task::new(Form::Data(Value::Bool(true)), span),
                "false" => Task::new(Form::Data(Value::Bool(false)), span),
                "inf" => Task::new(Form::Data(Value::Float(f64::INFINITY)), span),
                "-inf" => Task::new(Form::Data(Value::Float(f64::NEG_INFINITY)), span),
                "nan" => Task::new(Form::Data(Value::Float(f64::NAN)), span),
                "..." => Task::new(Form::Data(Value::Ellipsis), span),
                "newaxis" => Task::new(Form::Data(Value::NewAxis), span),
                name => Task::symbol(name).with_span(span),
            }),
            Rule::odd => {
                let is_keyword = text.starts_with(':');
                let name = self.text(pair, "name")?;
                if is_keyword { data(Value::Keyword(name)) } else { Ok(Task::symbol(name).with_span(span)) }
            }
            Rule::missing | Rule::wrong => Err(self.stray(&pair)),
            rule => Err(err!(Internal, "the reader has no arm for {rule:?}").label(span, "here")),
        }
    }

    /// What stands where a form should begin, and is none.
    fn stray(&self, pair: &Pair<Rule>) -> Error {
        let span = self.span(pair);
        match pair.as_str() {
            "#|" => err!(Syntax, "this comment is never closed")
                .label(span, "the comment begins here")
                .help("a block comment ends with `|#`; they nest")
                .incomplete(),
            closer @ (")" | "]" | "}") => {
                err!(Syntax, "found `{closer}`, but no bracket is open").label(span, "nothing to close")
            }
            "" => err!(Syntax, "the input ends where a form is expected").label(span, "here").incomplete(),
            token if token.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                let error = err!(Syntax, "`{token}` is not a number").label(span, "neither a number nor a name");
                error.help("a name does not begin with a digit; slices are written `2:10`")
            }
            token if token.starts_with(':') => err!(Syntax, "`{token}` is neither a keyword nor a slice")
                .label(span, "not a form")
                .help("a keyword is `:` and a name, as in `:axis`; a slice is written `2:10:2`"),
            token => {
                err!(Syntax, "`{token}` is not a form").label(span, "expected a number, a name, a string or a bracket")
            }
        }
    }

    /// The tasks between brackets.
    fn items(&self, pair: Pair<Rule>, open: char) -> Result<Vec<Task>> {
        let whole = self.span(&pair);
        let opening = Span { end: whole.start + if pair.as_rule() == Rule::short { 2 } else { 1 }, ..whole };
        let close = match open {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        let mut items = Vec::new();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::dropped => self.prefixed(inner).map(drop)?,
                Rule::missing => {
                    return Err(err!(Syntax, "this `{open}` is never closed")
                        .label(opening, format!("expected `{close}` before the end of the input"))
                        .incomplete());
                }
                Rule::wrong if matches!(inner.as_str(), ")" | "]" | "}") => {
                    return Err(err!(Syntax, "expected `{close}`, found `{}`", inner.as_str())
                        .label(self.span(&inner), format!("expected `{close}`"))
                        .label(opening, "to close this"));
                }
                _ => items.push(deep(|| self.task(inner))?),
            }
        }
        Ok(items)
    }

    /// A call's items. At its head a `:` alone is the function that makes slices of computed bounds.
    fn call(&self, pair: Pair<Rule>, _span: Span) -> Result<Vec<Task>> {
        let mut items = self.items(pair, '(')?;
        if let Some(head) = items.first_mut()
            && matches!(&head.form, Form::Data(Value::Slice(s)) if **s == Slice::ALL)
            && head.span.end - head.span.start == 1
        {
            *head = Task::symbol(":").with_span(head.span);
        }
        Ok(items)
    }

    fn map(&self, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let items = self.items(pair, '{')?;
        if let (1, Some(last)) = (items.len() % 2, items.last()) {
            return Err(err!(Syntax, "a map needs a value for every key, found {} forms", items.len())
                .label(last.span, "this key has no value"));
        }
        let pairs: Vec<(Task, Task)> = items.chunks_exact(2).map(|p| (p[0].clone(), p[1].clone())).collect();
        let mut seen = Map::with_capacity(pairs.len());
        for (n, (key, _)) in pairs.iter().enumerate() {
            let Some(value) = constant(key).filter(Value::is_hashable) else { continue };
            if let Ok(Some(Value::Int(first))) = seen.insert(value, Value::Int(n as i64)) {
                return Err(err!(Syntax, "a key stands twice in this map")
                    .label(key.span, "the second time")
                    .label(pairs[first as usize].0.span, "the first time"));
            }
        }
        Ok(Task::new(Form::Map(pairs.into()), span))
    }

    /// `#(* % 2)` is `(fn [%1] (* %1 2))`. At the head of a call `%` is the op; elsewhere it is the first argument.
    fn short_function(&self, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let items = self.items(pair, '(')?;
        let body = Task::new(Form::Call(items.into()), span);
        let (mut most, mut rest) = (0, false);
        let body = arguments(&body, false, &mut most, &mut rest)?;
        let mut params: Vec<Task> = (1..=most).map(|n| Task::symbol(format!("%{n}"))).collect();
        if rest {
            params.extend([Task::symbol("&"), Task::symbol("%&")]);
        }
        let params = params.into_iter().map(|p| p.with_span(span)).collect::<Vec<_>>();
        let items = vec![Task::symbol("fn").with_span(span), Task::list(params).with_span(span), body];
        Ok(Task::call(items).with_span(span))
    }

    /// The form behind a prefix.
    fn prefixed(&self, pair: Pair<Rule>) -> Result<Task> {
        let whole = self.span(&pair);
        let prefix: String = pair.as_str().chars().take_while(|c| "'`~@#_".contains(*c)).take(2).collect();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::dropped => self.prefixed(inner).map(drop)?,
                Rule::missing => {
                    let at = Span { end: whole.start + 1, ..whole };
                    return Err(err!(Syntax, "nothing follows `{prefix}`").label(at, "expected a form").incomplete());
                }
                Rule::wrong if matches!(inner.as_str(), ")" | "]" | "}") => {
                    return Err(err!(Syntax, "nothing follows `{prefix}`")
                        .label(self.span(&inner), "expected a form before this"));
                }
                _ => return deep(|| self.task(inner)),
            }
        }
        Err(err!(Internal, "a prefix without a form").label(whole, "here"))
    }

    fn wrapped(&self, name: &str, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let inner = self.prefixed(pair)?;
        Ok(Task::call(vec![Task::symbol(name).with_span(span), inner]).with_span(span))
    }

    /// The text between quotes as it stands, and where it begins.
    fn quoted<'p>(&self, pair: Pair<'p, Rule>, what: &str) -> Result<(&'p str, usize)> {
        let whole = self.span(&pair);
        let (mut text, mut start) = ("", 0);
        for inner in pair.into_inner() {
            if inner.as_rule() == Rule::missing {
                let at = Span { end: whole.start + 1, ..whole };
                return Err(err!(Syntax, "this {what} is never closed")
                    .label(at, format!("the {what} begins here"))
                    .incomplete());
            }
            (text, start) = (inner.as_str(), self.base + inner.as_span().start());
        }
        Ok((text, start))
    }

    /// The text of a string or an odd name, escapes replaced.
    fn text(&self, pair: Pair<Rule>, what: &str) -> Result<Str> {
        let (text, start) = self.quoted(pair, what)?;
        if !text.contains('\\') {
            return Ok(text.into());
        }
        let mut out = String::with_capacity(text.len());
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let (end, escape) = chars.next().unwrap_or((at, '\\'));
            let wrong = |len: usize| {
                let span = Span::new(self.source, start + at, start + at + len);
                err!(Syntax, "`{}` is not an escape", &text[at..at + len])
                    .label(span, "unknown escape")
                    .help("escapes are \\n \\t \\r \\0 \\\\ \\\" and \\u{1f600}")
            };
            out.push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                '\\' => '\\',
                '"' => '"',
                '|' => '|',
                'u' => {
                    let rest = &text[end + 1..];
                    let close = rest.find('}').filter(|_| rest.starts_with('{')).ok_or_else(|| wrong(2))?;
                    let code = u32::from_str_radix(&rest[1..close], 16).ok().and_then(char::from_u32);
                    let code = code.ok_or_else(|| wrong(2 + close + 1))?;
                    chars.nth(rest[..close].chars().count());
                    code
                }
                other => return Err(wrong(1 + other.len_utf8())),
            });
        }
        Ok(out.into())
    }

    /// Only `\"` is an escape in a regular expression; everything else is the expression's own.
    fn regex(&self, pair: Pair<Rule>) -> Result<Value> {
        let span = self.span(&pair);
        let (text, _) = self.quoted(pair, "regular expression")?;
        let text = text.replace("\\\"", "\"");
        let regex = regex::Regex::new(&text).map_err(|e| {
            let reason = e.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
            err!(Syntax, "not a regular expression: {reason}").label(span, "in this expression")
        })?;
        Ok(Value::Regex(Arc::new(regex)))
    }

    fn slice(&self, text: &str, span: Span) -> Result<Slice> {
        let mut parts = text.split(':').map(|p| if p.is_empty() { Ok(None) } else { integer(p, span).map(Some) });
        let mut part = || parts.next().unwrap_or(Ok(None));
        Ok(Slice { start: part()?, stop: part()?, step: part()? })
    }
}

/// The value of a literal, for comparing the keys of a map.
fn constant(task: &Task) -> Option<Value> {
    match &task.form {
        Form::Data(value) => Some(value.clone()),
        Form::Key(_) => Some(Value::Code(Arc::new(task.clone()))),
        Form::List(items) => {
            let items: Option<Vec<Value>> = items.iter().map(constant).collect();
            items.map(|items| Value::List(Arc::new(List::from(items))))
        }
        _ => None,
    }
}

/// Renames `%` to `%1` and counts the arguments of a short function.
fn arguments(task: &Task, head: bool, most: &mut usize, rest: &mut bool) -> Result<Task> {
    if let Some(name) = task.as_symbol() {
        return Ok(match name.as_str() {
            "%" if !head => {
                *most = (*most).max(1);
                Task::symbol("%1").with_span(task.span)
            }
            "%&" => {
                *rest = true;
                task.clone()
            }
            name => {
                if let Some(n) = name.strip_prefix('%').and_then(|n| n.parse::<usize>().ok()) {
                    if !(1..=20).contains(&n) {
                        return Err(err!(Syntax, "a short function takes `%1` to `%20`").label(task.span, "found here"));
                    }
                    *most = (*most).max(n);
                }
                task.clone()
            }
        });
    }
    let mut each = |t: &Task, head: bool| deep(|| arguments(t, head, most, rest));
    let form = match &task.form {
        Form::Call(items) => {
            let items = items.iter().enumerate().map(|(n, t)| each(t, n == 0));
            Form::Call(items.collect::<Result<Vec<_>>>()?.into())
        }
        Form::List(items) => Form::List(items.iter().map(|t| each(t, false)).collect::<Result<Vec<_>>>()?.into()),
        Form::Map(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| Ok((each(k, false)?, each(v, false)?)));
            Form::Map(pairs.collect::<Result<Vec<_>>>()?.into())
        }
        other => other.clone(),
    };
    Ok(Task::new(form, task.span))
}

fn integer(text: &str, span: Span) -> Result<i64> {
    text.replace('_', "").parse().map_err(|_| {
        err!(Overflow, "`{text}` does not fit 64 bits")
            .label(span, "integers are 64-bit")
            .help(format!("write it as a float: `{text}.0`"))
    })
}

fn hex(text: &str, span: Span) -> Result<i64> {
    let digits = text.replace('_', "").to_ascii_lowercase().replacen("0x", "", 1);
    let overflow = |_| err!(Overflow, "`{text}` does not fit 64 bits").label(span, "integers are 64-bit");
    i64::from_str_radix(&digits, 16).map_err(overflow)
}

fn float(text: &str, span: Span) -> Result<f64> {
    text.replace('_', "").parse().map_err(|_| err!(Syntax, "`{text}` is not a number").label(span, "here"))
}

/// `2j`, `1+2j`, `nan-infj`.
fn complex(text: &str, span: Span) -> Result<Value> {
    let body = &text[..text.len() - 1];
    // The sign between the parts is the last one that is not an exponent's.
    let bytes = body.as_bytes();
    let sign = (1..bytes.len())
        .rev()
        .find(|&i| matches!(bytes[i], b'+' | b'-') && !matches!(bytes[i - 1], b'e' | b'E' | b'+'));
    let (re, im) = body.split_at(sign.unwrap_or(0));
    let re = if re.is_empty() { 0.0 } else { float(re, span)? };
    Ok(Value::complex(re, float(im.strip_prefix('+').unwrap_or(im), span)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Task {
        read_one(SourceId(1), text).unwrap()
    }

    fn value(text: &str) -> Value {
        match &one(text).form {
            Form::Data(v) => v.clone(),
            other => panic!("{text} is not data but {:?}", Task::new(other.clone(), Span::NONE)),
        }
    }

    #[test]
    fn reads_every_kind_of_data() {
        for (text, want) in [
            ("nil", Value::Nil),
            ("1_000_000", Value::Int(1_000_000)),
            ("-7", Value::Int(-7)),
            ("0xff", Value::Int(255)),
            ("6.02e23", Value::Float(6.02e23)),
            ("1.", Value::Float(1.0)),
            ("1e+20", Value::Float(1e20)),
            ("-inf", Value::Float(f64::NEG_INFINITY)),
            ("nan", Value::Float(f64::NAN)),
            ("2j", Value::complex(0.0, 2.0)),
            ("1+2j", Value::complex(1.0, 2.0)),
            ("-1e-5-2.5e-3j", Value::complex(-1e-5, -2.5e-3)),
            ("nan-infj", Value::complex(f64::NAN, f64::NEG_INFINITY)),
            (r#""a\n\u{e9}\"b""#, Value::str("a\né\"b")),
            (":return-counts", Value::keyword("return-counts")),
            (":f8", Value::keyword("f8")),
            ("...", Value::Ellipsis),
            ("newaxis", Value::NewAxis),
        ] {
            assert!(value(text).same(&want), "{text} is {:?}", value(text));
        }
    }

    #[test]
    fn reads_slices() {
        for (text, (start, stop, step)) in [
            (":", (None, None, None)),
            (":5", (None, Some(5), None)),
            ("2:", (Some(2), None, None)),
            ("::4", (None, None, Some(4))),
            ("10:2:-1", (Some(10), Some(2), Some(-1))),
            ("-3:", (Some(-3), None, None)),
        ] {
            assert!(value(text).same(&Slice { start, stop, step }.into()), "{text}");
        }
        assert!(one("(: 1 2)").is_call_of(":"));
    }

    #[test]
    fn prefixes_and_short_functions() {
        assert_eq!(one("'x"), one("(quote x)"));
        assert_eq!(one("`(f ~x ~@xs)"), one("(quasiquote (f (unquote x) (unquote-splicing xs)))"));
        assert_eq!(one("#(* % 2)"), one("(fn [%1] (* %1 2))"));
        assert_eq!(one("#(% %2 (f %&))"), one("(fn [%1 %2 & %&] (% %2 (f %&)))"));
        assert_eq!(one("[1 #_ 2 #_ #_ 3 4 5]"), one("[1 5]"));
        assert_eq!(one("#| a #| b |# c |# x ; d"), one("x"));
    }

    #[test]
    fn incomplete_input_is_told_from_wrong_input() {
        for text in ["(+ 1", "[", "{:a", "\"abc", "#\"a", "'", "(f #_", "#| a", "\"abc\\", ""] {
            assert!(read_one(SourceId(1), text).unwrap_err().is_incomplete(), "{text}");
        }
        for text in ["(+ 1]", ")", "3abc", "2.5.1", "x:y", ":5x", "{:a}", "(')", "\"\\q\"", "#\"(\"", "{:a 1 \"a\" 2}"]
        {
            let error = read_one(SourceId(1), text).unwrap_err();
            assert!(!error.is_incomplete() && error.code() == crate::text::Code::Syntax, "{text}: {error:?}");
        }
    }

    #[test]
    fn goes_on_with_the_next_line_after_an_error() {
        let forms: Vec<_> = Forms::new(SourceId(1), "1 ) 2\n3 (a\n b) 4").collect();
        let texts: Vec<String> = forms.iter().map(|f| f.as_ref().map_or("!".into(), |t| format!("{t:?}"))).collect();
        assert_eq!(texts, ["1", "!", "3", "call([a, b])", "4"]);
    }

    #[test]
    fn nesting_without_bound_is_an_error() {
        for unit in ["(", "[", "{1 ", "'", "`", "~", "#_", "#(", "'["] {
            let text = format!("1 {}", unit.repeat(100_000));
            let forms: Vec<_> = Forms::new(SourceId(1), &text).collect();
            assert!(forms[0].is_ok());
            assert_eq!(forms[1].as_ref().unwrap_err().code(), crate::text::Code::Limit, "{unit}");
            assert!(!forms[1].as_ref().unwrap_err().span().is_none());
        }
        let fine = format!("{}1{}", "[".repeat(1_500), "]".repeat(1_500));
        assert!(read_one(SourceId(1), &fine).is_ok());
    }
}
