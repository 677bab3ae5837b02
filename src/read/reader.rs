//! Text to `Task`s: one arm for each rule of the grammar.

use super::literals::{complex, float, hex, integer, start_of};
use crate::data::{Form, Map, Str, Task, Value, cancel, task::deep};
use crate::err;
use crate::text::{Error, Result, SourceId, Span, counted};
use pest::Parser;
use pest::error::InputLocation;
use pest::iterators::{Pair, Pairs, Tokens};
use std::cell::Cell;
use std::sync::Arc;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/dsk.pest"]
struct Grammar;

/// Brackets and prefixes nest at most this deep.
pub const MAX_DEPTH: usize = 10_000;

/// Stack for a text that nests so deep that the stack at hand is not enough: memory only as far as it is used.
const DEEP_STACK: usize = 128 << 20;

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

/// The first form of a text and what stands before it, as the grammar has them. Every text matches: the parser fails only
/// for want of stack.
fn first(text: &str) -> Result<Pairs<'_, Rule>, Box<pest::error::Error<Rule>>> {
    let parse = || Grammar::parse(Rule::first, text);
    parse().or_else(|_| stacker::grow(DEEP_STACK, parse)).map_err(Box::new)
}

/// Whether the text is a word that the reader takes for a symbol.
pub(super) fn reads_as_symbol(name: &str) -> bool {
    let symbol = |pairs: Pairs<Rule>| {
        let found = pairs.flat_map(Pair::into_inner).next();
        found.is_some_and(|p| p.as_rule() == Rule::symbol && p.as_str() == name)
    };
    constant_named(name).is_none() && Grammar::parse(Rule::first, name).is_ok_and(symbol)
}

/// The names that are data.
fn constant_named(name: &str) -> Option<Value> {
    Some(match name {
        "nil" => Value::Nil,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "inf" | "+inf" => Value::Float(f64::INFINITY),
        "-inf" => Value::Float(f64::NEG_INFINITY),
        "nan" => Value::Float(f64::NAN),
        "..." => Value::Ellipsis,
        "newaxis" => Value::NewAxis,
        _ => return None,
    })
}

/// The top-level forms of a text, one at a time.
///
/// After an error it goes on with the next line that begins at the margin, where a top-level form most likely begins;
/// after one in the last form, which is not closed, with such a line behind the bracket that is still open.
pub struct Forms<'a> {
    source: SourceId,
    text: &'a str,
    /// Where the next form is looked for.
    at: usize,
    /// How far the form was read that is being turned into a task: to the end, until it is known better.
    read_to: usize,
    /// How far the forms reach that were not right.
    failed_to: usize,
}

impl<'a> Forms<'a> {
    pub fn new(source: SourceId, text: &'a str) -> Self {
        Forms { source, text, at: 0, read_to: 0, failed_to: 0 }
    }

    /// Byte offset behind the last form, or of the line it goes on with after an error.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Where what the grammar tells apart begins and ends in the form behind `at` and before it; places count from `at`.
    pub(super) fn tokens(&self, at: usize) -> Result<Tokens<'a, Rule>> {
        let reader = Reader { source: self.source, text: self.text, base: at, ..Reader::default() };
        first(&self.text[at..]).map(Pairs::tokens).map_err(|error| reader.too_deep(&error))
    }

    fn read_next(&mut self) -> Result<Option<Task>> {
        if u32::try_from(self.text.len()).is_err() {
            self.at = self.text.len();
            return Err(err!(Limit, "a program is at most 4 GiB long, this one has {} bytes", self.text.len()));
        }
        self.read_to = self.text.len();
        let rest = &self.text[self.at..];
        let reader = Reader { source: self.source, text: self.text, base: self.at, ..Reader::default() };
        let first = first(rest).map_err(|error| reader.too_deep(&error))?;
        for pair in first.flat_map(Pair::into_inner) {
            if reader.is_gap(&pair)? {
                continue;
            }
            if pair.as_rule() == Rule::end {
                break;
            }
            self.read_to = self.at + pair.as_span().end();
            let task = reader.task(pair)?;
            self.at = self.read_to;
            return Ok(Some(task));
        }
        self.at = self.text.len();
        Ok(None)
    }

    /// The next line behind `from` that begins at the margin, and not with a closing bracket or a comment.
    fn next_line(&self, from: usize) -> usize {
        let mut at = from.min(self.text.len());
        while let Some(end) = self.text.as_bytes()[at..].iter().position(|&b| b == b'\n') {
            at += end + 1;
            match self.text.as_bytes().get(at) {
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b')' | b']' | b'}' | b';') => {}
                Some(_) => return at,
            }
        }
        self.text.len()
    }
}

impl Iterator for Forms<'_> {
    type Item = Result<Task>;

    fn next(&mut self) -> Option<Result<Task>> {
        let start = self.at;
        self.read_next()
            .inspect_err(|error| {
                // Inside a form that was wrong one that is wrong too is passed over: nothing is read a third time.
                let from = if start < self.failed_to { self.read_to } else { error.span().start as usize };
                self.failed_to = self.failed_to.max(self.read_to);
                self.at = self.next_line(start.max(from));
            })
            .transpose()
    }
}

/// Turns pairs of the grammar into tasks.
#[derive(Default)]
pub(super) struct Reader<'a> {
    pub(super) source: SourceId,
    text: &'a str,
    /// Where the parsed text begins in the source.
    pub(super) base: usize,
    /// Brackets and prefixes around.
    depth: Cell<usize>,
    /// Quasiquotes around, less unquotes.
    templates: Cell<usize>,
    /// The short function around.
    short: Cell<Option<Short>>,
}

/// The arguments that the body of a short function was seen to take.
#[derive(Clone, Copy)]
struct Short {
    span: Span,
    most: usize,
    rest: bool,
}

/// Most positional arguments of a short function.
const MOST: usize = 20;

impl Reader<'_> {
    pub(super) fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.source, self.base + span.start(), self.base + span.end())
    }

    fn too_deep(&self, error: &pest::error::Error<Rule>) -> Error {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => self.base + at,
        };
        self.limit(Span::new(self.source, at, at + 1))
    }

    fn limit(&self, span: Span) -> Error {
        err!(Limit, "brackets nest more than {MAX_DEPTH} deep").label(span, "one level too many")
    }

    /// Passes over what may stand between forms. It must still be of the grammar.
    fn is_gap(&self, pair: &Pair<Rule>) -> Result<bool> {
        match pair.as_rule() {
            Rule::comment => Ok(true),
            Rule::block => match pair.clone().into_inner().flatten().find(|p| p.as_rule() == Rule::missing) {
                None => Ok(true),
                Some(_) => Err(err!(Syntax, "this comment is never closed")
                    .label(Span { end: self.span(pair).start + 2, ..self.span(pair) }, "the comment begins here")
                    .help("A block comment ends with `|#`; they nest.")
                    .incomplete()),
            },
            // What `#_` drops is no part of a short function.
            Rule::dropped => {
                let short = self.short.take();
                let read = self.prefixed(pair.clone(), "#_");
                self.short.set(short);
                read.map(|_| true)
            }
            _ => Ok(false),
        }
    }

    fn task(&self, pair: Pair<Rule>) -> Result<Task> {
        let span = self.span(&pair);
        let text = pair.as_str();
        let data = |value: Value| Ok(Task::new(Form::Data(value), span));
        match pair.as_rule() {
            Rule::call => Ok(Task::new(Form::Call(self.items(pair, "(")?.into()), span)),
            Rule::list => Ok(Task::new(Form::List(self.items(pair, "[")?.into()), span)),
            Rule::map => self.map(pair, span),
            Rule::short => self.short_function(pair, span),
            Rule::quote => self.wrapped("quote", "'", pair, span),
            Rule::quasiquote => self.in_template(1, || self.wrapped("quasiquote", "`", pair, span)),
            Rule::unquote => self.in_template(-1, || self.wrapped("unquote", "~", pair, span)),
            Rule::splice => self.in_template(-1, || self.wrapped("unquote-splicing", "~@", pair, span)),
            Rule::string => data(Value::Str(self.text(pair, "string")?)),
            Rule::regex => data(self.regex(pair)?),
            Rule::slice => data(self.slice(text, span)?.into()),
            Rule::integer => data(Value::Int(integer(text, span)?)),
            Rule::hex => data(Value::Int(hex(text, span)?)),
            Rule::float => data(Value::Float(float(text, span)?)),
            Rule::complex => data(complex(pair, span)?),
            Rule::keyword => data(Value::keyword(&text[1..])),
            Rule::symbol => match constant_named(text) {
                Some(value) => data(value),
                None => Ok(Task::symbol(self.argument(text, span)?).with_span(span)),
            },
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
            closer @ (")" | "]" | "}") => {
                err!(Syntax, "found `{closer}`, but no bracket is open").label(span, "nothing to close")
            }
            "" => err!(Syntax, "the input ends where a form is expected").label(span, "here").incomplete(),
            "#" if self.text[span.end as usize..].starts_with('{') => err!(Syntax, "there are no set literals")
                .label(span, "expected a form")
                .help("Write `(distinct [1 2])` for a list without repetitions, `{:a 1}` for a map."),
            word => {
                let error = err!(Syntax, "`{}` cannot be read", start_of(word));
                let first = word.trim_start_matches(['+', '-', '.']).chars().next().unwrap_or(' ');
                if first.is_ascii_digit() {
                    let error = error.label(span, "neither a number nor a slice");
                    error.help("Numbers are written `42`, `1.5e3`, `0xff` or `2j`, slices `2:10:2`; names do not begin with digits.")
                } else if first == ':' {
                    let error = error.label(span, "neither a keyword nor a slice");
                    error.help("A keyword is `:` and a name, as in `:axis`; a slice is written `2:10:2`.")
                } else {
                    error
                        .label(span, "not a name")
                        .help("Names are made of letters, digits and any of `+-*/<>=!?_.$&%`; other text can be a name as `|any text|`.")
                }
            }
        }
    }

    /// The tasks between brackets.
    ///
    /// At the head of a call a `:` alone is the function that makes slices of computed bounds, and `%` is the op, also in a
    /// short function, of two arguments; elsewhere they are the slice, and the first argument.
    fn items(&self, pair: Pair<Rule>, open: &str) -> Result<Vec<Task>> {
        let whole = self.span(&pair);
        let opening = Span { end: whole.start + open.len() as u32, ..whole };
        let close = match open {
            "(" | "#(" => ")",
            "[" => "]",
            _ => "}",
        };
        let mut items: Vec<Task> = Vec::new();
        self.deeper(opening, || {
            for inner in pair.into_inner() {
                cancel::check()?;
                match inner.as_rule() {
                    Rule::missing => return Err(self.unclosed(open, close, opening, &items)),
                    Rule::wrong if matches!(inner.as_str(), ")" | "]" | "}") => {
                        return Err(err!(Syntax, "expected `{close}`, found `{}`", inner.as_str())
                            .label(self.span(&inner), format!("expected `{close}`"))
                            .label(opening, "to close this"));
                    }
                    Rule::wrong => return Err(self.behind_string(items.last(), &inner)),
                    _ => {
                        if self.is_gap(&inner)? {
                            continue;
                        }
                        let head = items.is_empty() && close == ")" && matches!(inner.as_str(), ":" | "%");
                        items.push(match head {
                            true => Task::symbol(inner.as_str()).with_span(self.span(&inner)),
                            false => self.task(inner)?,
                        });
                    }
                }
            }
            Ok(())
        })?;
        // The op takes two: `#(% 0)` calls the argument.
        if let [head, _] = &mut items[..]
            && close == ")"
            && self.short.get().is_some()
            && head.as_symbol().is_some_and(|name| name == "%")
        {
            *head = Task::symbol(self.argument("%", head.span)?).with_span(head.span);
        }
        Ok(items)
    }

    /// A word that is wrong because it follows a string at once: where strings of several lines end, they may begin.
    fn behind_string(&self, before: Option<&Task>, word: &Pair<Rule>) -> Error {
        let error = self.stray(word);
        match before {
            Some(Task { form: Form::Data(Value::Str(text)), span })
                if span.end == self.span(word).start && text.contains('\n') =>
            {
                let opening = Span { end: span.start + 1, ..*span };
                error.label(opening, "this string ends lines below: is a `\"` missing here?")
            }
            _ => error,
        }
    }

    /// A bracket that the input does not close. A later form at the margin shows where it should have been closed.
    fn unclosed(&self, open: &str, close: &str, opening: Span, items: &[Task]) -> Error {
        let error = err!(Syntax, "this `{open}` is never closed")
            .label(opening, format!("expected `{close}` before the end of the input"))
            .incomplete();
        let margin = |t: &&Task| {
            t.span.start > 0
                && self.text.as_bytes().get(t.span.start as usize - 1) == Some(&b'\n')
                && matches!(t.form, Form::Call(_))
        };
        match items.iter().find(margin) {
            Some(form) => {
                let start = Span { end: form.span.start + 1, ..form.span };
                error.label(start, format!("is a `{close}` missing before this?"))
            }
            None => error,
        }
    }

    /// Runs `f` a level deeper.
    fn deeper<T>(&self, opening: Span, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let depth = self.depth.get();
        if depth == MAX_DEPTH {
            return Err(self.limit(opening));
        }
        self.depth.set(depth + 1);
        let result = deep(f);
        self.depth.set(depth);
        result
    }

    fn map(&self, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let items = self.items(pair, "{")?;
        if let (1, Some(last)) = (items.len() % 2, items.last()) {
            return Err(err!(
                Syntax,
                "a map needs a value for every key, found {}",
                counted(items.len(), "form", "forms")
            )
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

    /// `#(* % 2)` is `(fn [%1] (* %1 2))`. In a template it is `(fn [%1#] (* %1# 2))`, so that its arguments are never
    /// mistaken for those of code that is filled in.
    fn short_function(&self, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let opening = Span { end: span.start + 2, ..span };
        if let Some(outer) = self.short.get() {
            return Err(err!(Syntax, "short functions do not nest")
                .label(opening, "a short function in another")
                .label(outer.span, "which begins here")
                .help("Write one of them as `(fn [x] …)`."));
        }
        self.short.set(Some(Short { span: opening, most: 0, rest: false }));
        let items = self.items(pair, "#(");
        let Some(short) = self.short.take() else { return items.map(Task::call) };
        let symbol = |name: &str| Task::symbol(name).with_span(span);
        let mut params: Vec<Task> = (1..=short.most).map(|n| symbol(&self.parameter(&n.to_string()))).collect();
        if short.rest {
            params.extend([symbol("&"), symbol(&self.parameter("&"))]);
        }
        let body = Task::call(items?).with_span(span);
        Ok(Task::call(vec![symbol("fn"), Task::list(params).with_span(span), body]).with_span(span))
    }

    /// The name of a short function's parameter.
    fn parameter(&self, which: &str) -> String {
        format!("%{which}{}", if self.templates.get() > 0 { "#" } else { "" })
    }

    /// A symbol's name: in a short function `%` and its like are the parameters.
    fn argument(&self, name: &str, span: Span) -> Result<Str> {
        let (Some(which), Some(mut short)) = (name.strip_prefix('%'), self.short.get()) else { return Ok(name.into()) };
        let which = match which {
            "" => "1",
            "&" => {
                short.rest = true;
                "&"
            }
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits,
            _ => return Ok(name.into()),
        };
        if which != "&" {
            let n = which.parse().ok().filter(|n| (1..=MOST).contains(n) && !which.starts_with('0'));
            short.most = short.most.max(n.ok_or_else(|| {
                err!(Syntax, "a short function takes `%1` to `%{MOST}`").label(span, "no such argument")
            })?);
        }
        self.short.set(Some(short));
        Ok(self.parameter(which).into())
    }

    /// Runs `f` inside so many more quasiquotes.
    fn in_template<T>(&self, more: isize, f: impl FnOnce() -> T) -> T {
        let before = self.templates.get();
        self.templates.set(before.saturating_add_signed(more));
        let result = f();
        self.templates.set(before);
        result
    }

    /// The form behind a prefix.
    fn prefixed(&self, pair: Pair<Rule>, prefix: &str) -> Result<Task> {
        let whole = self.span(&pair);
        let mark = Span { end: whole.start + prefix.len() as u32, ..whole };
        self.deeper(mark, || {
            for inner in pair.into_inner() {
                match inner.as_rule() {
                    Rule::missing => {
                        let error = err!(Syntax, "nothing follows `{prefix}`");
                        return Err(error.label(mark, "expected a form behind this").incomplete());
                    }
                    Rule::wrong if matches!(inner.as_str(), ")" | "]" | "}") => {
                        return Err(err!(Syntax, "nothing follows `{prefix}`")
                            .label(mark, "expected a form behind this")
                            .label(self.span(&inner), "but the bracket is closed here"));
                    }
                    _ => {
                        if !self.is_gap(&inner)? {
                            return self.task(inner);
                        }
                    }
                }
            }
            Err(err!(Internal, "a prefix without a form").label(whole, "here"))
        })
    }

    fn wrapped(&self, name: &str, prefix: &str, pair: Pair<Rule>, span: Span) -> Result<Task> {
        let inner = self.prefixed(pair, prefix)?;
        let mark = Span { end: span.start + prefix.len() as u32, ..span };
        Ok(Task::call(vec![Task::symbol(name).with_span(mark), inner]).with_span(span))
    }
}

/// The value of a literal, for comparing the keys of a map.
fn constant(task: &Task) -> Option<Value> {
    match &task.form {
        Form::Data(value) => Some(value.clone()),
        Form::Key(_) => Some(Value::Code(Arc::new(task.clone()))),
        Form::List(items) => {
            let items: Option<Vec<Value>> = deep(|| items.iter().map(constant).collect());
            items.map(Value::list)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Slice;

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
        assert_eq!(one("#(% 0)"), one("(fn [%1] (%1 0))"));
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
    fn short_functions_are_hygienic_in_templates_and_do_not_nest() {
        assert_eq!(one("`(map #(f % ~x) xs)"), one("`(map (fn [%1#] (f %1# ~x)) xs)"));
        assert_eq!(one("`(f ~(map #(g %) xs))"), one("`(f ~(map (fn [%1] (g %1)) xs))"));
        assert_eq!(one("#(f #_ %2 %)"), one("(fn [%1] (f %1))"));
        assert_eq!(one("(% 7 %)"), Task::call(vec![Task::symbol("%"), Task::data(7i64), Task::symbol("%")]));
        for text in ["#(f #(g %))", "#(f %0)", "#(f %21)", "#(f %99999999999999999999)"] {
            assert!(read_one(SourceId(1), text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_between_forms_may_stand_anywhere() {
        assert_eq!(one("#!/usr/bin/env dsk\n(#|a|#f #_x ; y)\n '#_z ; w\n q,)"), one("(f 'q)"));
        assert_eq!(one("(#_ a : 1 2)"), one("(: 1 2)"));
    }

    #[test]
    fn spans_are_those_of_the_text() {
        let text = "é (f ~@[x] \"a\" #(g %))";
        let mut seen = Vec::new();
        let forms = read(SourceId(1), text).unwrap();
        forms[1].walk(&mut |t| seen.push(&text[t.span.start as usize..t.span.end as usize]));
        for part in ["(f ~@[x] \"a\" #(g %))", "~@[x]", "~@", "[x]", "\"a\"", "#(g %)", "%"] {
            assert!(seen.contains(&part), "{part}: {seen:?}");
        }
    }

    #[test]
    fn goes_on_at_the_margin_after_an_error() {
        let texts = |text: &str| -> Vec<String> {
            Forms::new(SourceId(1), text).map(|f| f.map_or("!".into(), |t| t.to_string())).collect()
        };
        assert_eq!(texts("1 ) 2\n3 (a\n b) 4"), ["1", "!", "3", "(a b)", "4"]);
        assert_eq!(texts("(a\n  (b ])\n  c)\n)\nd"), ["!", "d"]);
        assert_eq!(texts("(a\n(b)"), ["!", "(b)"]);
        assert_eq!(texts("\"a\n(b)"), ["!", "(b)"]);
    }

    #[test]
    fn nesting_without_bound_is_an_error() {
        for unit in ["(", "[", "{1 ", "'", "`", "~", "#_", "'[", "#|"] {
            let text = format!("1 {}", unit.repeat(100_000));
            let forms: Vec<_> = Forms::new(SourceId(1), &text).collect();
            assert!(forms[0].is_ok());
            let error = forms[1].as_ref().unwrap_err();
            assert!(error.code() == crate::text::Code::Limit || unit == "#|", "{unit}: {error:?}");
            assert!(!error.span().is_none());
        }
        let fine = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(one(&fine).to_string(), fine);
        for (open, close) in [("(", ")"), ("{1 ", "}"), ("'", ""), ("[#|c|# x ", "]")] {
            assert!(read_one(SourceId(1), &format!("{}1{}", open.repeat(MAX_DEPTH), close.repeat(MAX_DEPTH))).is_ok());
        }
        let more = format!("[{fine}]");
        let error = read_one(SourceId(1), &more).unwrap_err();
        assert_eq!((error.code(), error.span().start), (crate::text::Code::Limit, MAX_DEPTH as u32));
    }

    /// Each of these took exponential or quadratic time with a grammar that gives up and starts again.
    #[test]
    fn long_texts_are_read_in_linear_time() {
        let n = 5_000;
        for text in [
            "#| ".repeat(n),
            "(\n".repeat(n),
            "\"\n \"".repeat(n) + "\"",
            "#|\n".repeat(n),
            "(f 99999999999999999999\n".repeat(n) + &")".repeat(n),
            "( ".repeat(100) + &"; a\n".repeat(n),
            "\"".repeat(n),
            "'a ".repeat(n),
            "1".repeat(n),
            "a".repeat(n) + ":",
            "\\".repeat(n),
            ")\n".repeat(n),
            format!("{{{}}}", "[x 1] 2 ".repeat(n)),
            format!("{{{}}}", (0..n).map(|i| format!("x{i} {i} ")).collect::<String>()),
        ] {
            let start = std::time::Instant::now();
            let _ = Forms::new(SourceId(1), &text).count();
            assert!(start.elapsed().as_secs() < 10, "{} took {:?}", start_of(&text), start.elapsed());
        }
    }
}
