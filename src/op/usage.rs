//! Usage lines: `(clip x lo hi)`, `(sum x :axis nil :keepdims false)`, `(concat & colls)`. A usage line is a dsk form of
//! names, keywords and plain data; the parameters of the op, and so arity errors, completion and defaults, are read from
//! it. Hundreds of them are read whenever the program starts, so this is a reader of just that, and not the grammar's.

use crate::data::{Map, Param, ParamKind, Signature, Str, Value};
use crate::err;
use crate::text::Result;

/// What a usage line says: the name, and the parameters.
///
/// - `x` is required.
/// - `x?` may be left out, and is nil then; only by position.
/// - `:x default` may be left out, and is `default` then; as `:x value`, or in order by position, unless there is a rest.
/// - `& xs` takes all further arguments by position.
///
/// Errors: `dsk::syntax` when the line is not of this form.
pub fn parse(usage: &str) -> Result<(Str, Signature)> {
    let wrong = |problem: String| err!(Syntax, "the usage line `{usage}` cannot be read: {problem}");
    let inside = usage.strip_prefix('(').and_then(|u| u.strip_suffix(')'));
    let mut words = Words(inside.ok_or_else(|| wrong("it is not a call".into()))?);
    let name = words.symbol().ok_or_else(|| wrong("it does not begin with a name".into()))?;
    let params = parameters(&mut words).map_err(wrong)?;
    Ok((name.into(), Signature { params, strict: true, named: false }))
}

fn parameters(words: &mut Words) -> Result<Vec<Param>, String> {
    let mut params = Vec::new();
    while let Some(word) = words.next() {
        let (name, kind, default) = if let Some(name) = word.strip_prefix(':') {
            (name, ParamKind::Optional, value(words)?)
        } else if word == "&" {
            (words.symbol().ok_or("`&` stands before no name")?, ParamKind::Rest, Value::Nil)
        } else if let Some(name) = word.strip_suffix('?') {
            (name, ParamKind::Positional, Value::Nil)
        } else {
            (word, ParamKind::Required, Value::Nil)
        };
        if !is_symbol(name) {
            return Err(format!("`{word}` is not a parameter"));
        }
        params.push(Param { name: name.into(), kind, default });
    }
    // Positions that are left belong to the rest.
    if params.iter().any(|p| p.kind == ParamKind::Rest) {
        params.iter_mut().filter(|p| p.kind == ParamKind::Optional).for_each(|p| p.kind = ParamKind::Keyword);
    }
    match params.len() {
        0..=64 => Ok(params),
        n => Err(format!("{n} parameters are too many")),
    }
}

/// A default: plain data, or an empty list or map.
fn value(words: &mut Words) -> Result<Value, String> {
    let word = words.next().ok_or("a default is missing at the end")?;
    Ok(match word {
        "nil" => Value::Nil,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "inf" => Value::Float(f64::INFINITY),
        "nan" => Value::Float(f64::NAN),
        "[]" => Value::list(Vec::new()),
        "{}" => Value::map(Map::new()),
        _ => {
            if let Some(text) = word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
                return Ok(Value::str(text.replace("\\n", "\n").replace("\\t", "\t")));
            }
            if let Some(name) = word.strip_prefix(':') {
                return Ok(Value::keyword(name));
            }
            let int = word.parse().map(Value::Int);
            return int.or_else(|_| word.parse().map(Value::Float)).map_err(|_| format!("`{word}` is not a default"));
        }
    })
}

fn is_symbol(word: &str) -> bool {
    // The name of the op that makes slices.
    if word == ":" {
        return true;
    }
    !word.is_empty()
        && !word.starts_with(|c: char| c.is_ascii_digit() || c == ':' || c == '"')
        && !word.contains(['(', ')', '[', ']', '{', '}', '"', '\''])
}

/// The words of a line, apart by blanks; a string is one word.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn symbol(&mut self) -> Option<&'a str> {
        self.next().filter(|w| is_symbol(w))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let end = match text.strip_prefix('"') {
            Some(string) => string.find('"').map_or(text.len(), |at| at + 2),
            None => text.find(' ').unwrap_or(text.len()),
        };
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ParamKind::*;

    fn kinds(usage: &str) -> Vec<(String, ParamKind)> {
        let (_, signature) = parse(usage).unwrap();
        signature.params.into_iter().map(|p| (p.name.to_string(), p.kind)).collect()
    }

    fn pair(name: &str, kind: ParamKind) -> (String, ParamKind) {
        (name.into(), kind)
    }

    #[test]
    fn every_kind_of_parameter() {
        assert_eq!(kinds("(f)"), []);
        assert_eq!(kinds("(f x lo? :axis nil)"), [pair("x", Required), pair("lo", Positional), pair("axis", Optional)]);
        assert_eq!(kinds("(f x & more :key 1)"), [pair("x", Required), pair("more", Rest), pair("key", Keyword)]);
    }

    #[test]
    fn defaults_are_plain_data() {
        let (name, signature) = parse("(str/split text :by \" \\n\" :n -1 :f 1e-5 :k :auto :l [] :b true)").unwrap();
        assert_eq!(name, "str/split");
        let defaults: Vec<String> = signature.params.iter().map(|p| format!("{:?}", p.default)).collect();
        assert_eq!(defaults, ["nil", "\" \\n\"", "-1", "1e-5", ":auto", "[]", "true"]);
    }

    #[test]
    fn what_is_no_usage_line_is_refused() {
        for usage in ["", "f", "()", "(1 x)", "(f :axis)", "(f &)", "(f 1)", "(f", "(f [x])", "(f :axis x)"] {
            assert!(parse(usage).is_err(), "{usage}");
        }
    }
}
