//! What is data by itself: numbers, strings, regular expressions, slices.

use super::reader::{Reader, Rule};
use crate::data::{Slice, Str, Value};
use crate::err;
use crate::text::{Error, Result, Span};
use pest::iterators::Pair;
use std::sync::Arc;

impl Reader<'_> {
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
    pub(super) fn text(&self, pair: Pair<Rule>, what: &str) -> Result<Str> {
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
                err!(Syntax, "`{}` is not an escape", start_of(&text[at..at + len]))
                    .label(span, "unknown escape")
                    .help("Escapes are \\n \\t \\r \\0 \\\\ \\\" \\| and \\u{1f600}.")
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
    pub(super) fn regex(&self, pair: Pair<Rule>) -> Result<Value> {
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

    pub(super) fn slice(&self, text: &str, span: Span) -> Result<Slice> {
        let mut parts = text.split(':').map(|p| if p.is_empty() { Ok(None) } else { integer(p, span).map(Some) });
        let mut part = || parts.next().unwrap_or(Ok(None));
        Ok(Slice { start: part()?, stop: part()?, step: part()? })
    }
}

pub(super) fn integer(text: &str, span: Span) -> Result<i64> {
    text.replace('_', "").parse().map_err(|_| beyond(text, span))
}

pub(super) fn hex(text: &str, span: Span) -> Result<i64> {
    let digits = text.replace('_', "").replacen("0x", "", 1);
    i64::from_str_radix(&digits, 16).map_err(|_| beyond(text, span))
}

fn beyond(text: &str, span: Span) -> Error {
    let error = err!(Overflow, "`{}` does not fit into 64 bits", start_of(text))
        .label(span, "integers are from -9223372036854775808 to 9223372036854775807")
        .help("A float, written with a point, can be larger.");
    match text.replace('_', "").parse::<u64>() {
        Ok(n) => error.help(format!("In an array of uint64 it is written `\"{n}\"`.")),
        Err(_) => error,
    }
}

/// What a message quotes of a word that may be very long.
pub(super) fn start_of(word: &str) -> &str {
    &word[..word.floor_char_boundary(40)]
}

pub(super) fn float(text: &str, span: Span) -> Result<f64> {
    text.replace('_', "").parse().map_err(|_| err!(Syntax, "`{text}` is not a number").label(span, "here"))
}

/// `2j`, `1+2j`, `nan-infj`
pub(super) fn complex(pair: Pair<Rule>, span: Span) -> Result<Value> {
    let parts: Result<Vec<f64>> = pair.into_inner().map(|part| float(part.as_str(), span)).collect();
    Ok(match parts?[..] {
        [re, im] => Value::complex(re, im),
        [im] => Value::complex(0.0, im),
        _ => return Err(err!(Internal, "a complex number has one part or two").label(span, "here")),
    })
}
