//! Usage lines: `(clip x lo hi)`, `(sum x :axis nil :keepdims false)`, `(concat & colls)`. A usage line is a dsk form; the
//! parameters of the op, and so arity errors, completion and defaults, are read from it.

use crate::data::{Form, Param, ParamKind, Signature, Task, Value};
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
pub fn parse(usage: &str) -> Result<(String, Signature)> {
    let form = crate::read::parse_one(usage)?;
    let Form::Call(items) = &form.form else { return Err(wrong(usage, "it is not a call")) };
    let Some((name, params)) = items.split_first().and_then(|(head, rest)| Some((head.as_symbol()?, rest))) else {
        return Err(wrong(usage, "it does not begin with a name"));
    };
    let params = parameters(params).map_err(|problem| wrong(usage, &problem))?;
    Ok((name.to_string(), Signature { params }))
}

fn wrong(usage: &str, problem: &str) -> crate::text::Error {
    err!(Syntax, "the usage line `{usage}` cannot be read: {problem}")
}

fn parameters(items: &[Task]) -> Result<Vec<Param>, String> {
    let symbol = |t: &Task| t.as_symbol().cloned();
    let has_rest = items.iter().any(|t| symbol(t).is_some_and(|s| s == "&"));
    let mut params = Vec::new();
    let mut items = items.iter();
    while let Some(item) = items.next() {
        let next = || "a parameter is missing at the end".to_string();
        params.push(match (&item.form, symbol(item)) {
            (Form::Data(Value::Keyword(name)), _) => Param {
                name: name.clone(),
                kind: if has_rest { ParamKind::Keyword } else { ParamKind::Optional },
                default: items.next().ok_or_else(next)?.quoted(),
            },
            (_, Some(and)) if and == "&" => {
                let name = items.next().and_then(symbol).ok_or_else(next)?;
                Param { name, kind: ParamKind::Rest, default: Value::Nil }
            }
            (_, Some(name)) => match name.strip_suffix('?') {
                Some(name) if !name.is_empty() => {
                    Param { name: name.into(), kind: ParamKind::Positional, default: Value::Nil }
                }
                _ => Param { name, kind: ParamKind::Required, default: Value::Nil },
            },
            _ => return Err(format!("`{item:?}` is not a parameter")),
        });
    }
    Ok(params)
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
        assert_eq!(
            kinds("(f x lo? :axis nil)"),
            [pair("x", Required), pair("lo", Positional), pair("axis", Optional)]
        );
        assert_eq!(kinds("(f x & more :key 1)"), [pair("x", Required), pair("more", Rest), pair("key", Keyword)]);
        let (name, signature) = parse("(str/split text :by \" \" :n -1)").unwrap();
        assert_eq!(name, "str/split");
        assert!(signature.params[1].default.same(&Value::str(" ")));
        assert!(signature.params[2].default.same(&Value::Int(-1)));
    }

    #[test]
    fn what_is_no_usage_line_is_refused() {
        for usage in ["", "f", "()", "(1 x)", "(f :axis)", "(f &)", "(f 1)", "(f"] {
            assert!(parse(usage).is_err(), "{usage}");
        }
    }
}
