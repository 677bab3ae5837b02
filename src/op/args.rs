//! Arguments by the names of their parameters, with the types ops expect of them. An error says which op, which parameter,
//! what was expected and what was found, and points at the call.

use super::sequence::Seq;
use crate::data::{Args, ParamKind, Reads, Str, Value};
use crate::err;
use crate::text::{Error, Result};

/// Defines what is expected of an argument: the method for a required one, and for one that may be nil.
macro_rules! expected {
    ($($(#[$doc:meta])* $name:ident, $optional:ident: $type:ty = $what:literal, |$value:ident| $convert:expr;)*) => {
        impl<'a> Args<'a> {
            $(
                $(#[$doc])*
                pub fn $name(&self, param: &str) -> Result<$type> {
                    let $value = self.value(param);
                    $convert.ok_or_else(|| self.wrong(param, $what))
                }

                /// The same of an argument that may be nil, and is by default.
                pub fn $optional(&self, param: &str) -> Result<Option<$type>> {
                    if self.is_nil(param) { Ok(None) } else { self.$name(param).map(Some) }
                }
            )*
        }
    };
}

expected! {
    /// An integer.
    int, int_or_nil: i64 = "an int", |value| value.as_int();
    /// An integer that is not negative: a count, a length.
    size, size_or_nil: usize = "an int that is not negative", |value| value.as_int().and_then(|n| usize::try_from(n).ok());
    /// A real number.
    float, float_or_nil: f64 = "a number", |value| value.as_float();
    /// `true` or `false`.
    bool, bool_or_nil: bool = "true or false", |value| match value.clone().plain() {
        Value::Bool(b) => Some(b),
        _ => None,
    };
    /// A string.
    text, text_or_nil: Str = "a string", |value| match value {
        Value::Str(s) => Some(s.clone()),
        _ => None,
    };
    /// A string or keyword: names of things.
    name, name_or_nil: Str = "a keyword or a string", |value| match value {
        Value::Str(s) | Value::Keyword(s) => Some(s.clone()),
        _ => None,
    };
    /// A list.
    list, list_or_nil: Vec<Value> = "a list", |value| value.as_list().map(<[Value]>::to_vec);
    /// What can be called: a function, keyword, map, list or array.
    function, function_or_nil: Value = "a function", |value| {
        let called = matches!(
            value,
            Value::Function(_) | Value::Keyword(_) | Value::Map(_) | Value::List(_) | Value::Block(_) | Value::Array(_)
        );
        called.then(|| value.clone())
    };
}

impl Args<'_> {
    /// Bound arguments as a call has them: by position, then by name.
    pub fn as_called(&self) -> Vec<Value> {
        let mut positional = Vec::new();
        let mut named = Vec::new();
        for (at, param) in self.function.signature.params.iter().enumerate() {
            let by_position = match param.kind {
                ParamKind::Required => true,
                ParamKind::Optional => !self.rest.is_empty(),
                ParamKind::Positional => self.has(at) || !self.rest.is_empty(),
                ParamKind::Keyword | ParamKind::Rest => false,
            };
            if by_position {
                positional.push(self.values[at].clone());
            } else if self.has(at) && param.kind != ParamKind::Rest {
                named.extend([Value::Keyword(param.name.clone()), self.values[at].clone()]);
            }
        }
        positional.extend(self.rest.iter().cloned());
        positional.extend(named);
        positional
    }

    /// The position of a parameter.
    ///
    /// # Panics
    /// When the usage line has no such parameter; the examples of every op run as tests.
    pub fn index(&self, param: &str) -> usize {
        let at = self.function.signature.params.iter().position(|p| p.name == param);
        at.unwrap_or_else(|| panic!("`{}` has no parameter `{param}`", self.function.name))
    }

    /// The argument, or the default.
    pub fn value(&self, param: &str) -> &Value {
        &self.values[self.index(param)]
    }

    /// The argument, taken over: what only the call holds may be changed in place.
    pub fn take(&mut self, param: &str) -> Value {
        let at = self.index(param);
        std::mem::take(&mut self.values[at])
    }

    /// Whether the argument is nil, given or by default.
    pub fn is_nil(&self, param: &str) -> bool {
        matches!(self.value(param), Value::Nil)
    }

    /// Whether the parameter was given in the call.
    pub fn is_given(&self, param: &str) -> bool {
        self.has(self.index(param))
    }

    /// The elements of a list, a map (pairs), a string (characters), or an array (along its first axis); nil has none.
    /// Taken over.
    pub fn seq(&mut self, param: &str) -> Result<Seq> {
        let value = self.take(param);
        match Seq::of(value) {
            Ok(seq) => Ok(seq),
            Err(value) => Err(self.wrong_value(param, &value, "a list")),
        }
    }

    /// Calls a function that was an argument.
    pub fn apply<const N: usize>(&self, function: &Value, mut args: [Value; N]) -> Result<Value> {
        match &mut args[..] {
            [] => self.host.apply(function, &[], self.span),
            window => {
                self.apply_in(function, window)?;
                Ok(std::mem::take(&mut window[0]))
            }
        }
    }

    /// Calls a function that was an argument on the values in the window, which are taken; the answer is put in its first
    /// place.
    #[inline]
    pub fn apply_in(&self, function: &Value, window: &mut [Value]) -> Result<()> {
        self.host.apply_in(function, window, self.span)
    }

    /// Calls a function that was an argument on each of many values, in its place.
    pub fn apply_each(&self, function: &Value, values: &mut [Value]) -> Result<()> {
        values.chunks_mut(1 << 12).enumerate().try_for_each(|(n, some)| {
            self.check_interrupt((n << 12) | 0xfff)?;
            self.host.apply_each(function, some, &Reads::All, self.span)
        })
    }

    /// Calls a function that was an argument on any number of values.
    pub fn apply_all(&self, function: &Value, mut args: Vec<Value>) -> Result<Value> {
        match &mut args[..] {
            [] => self.host.apply(function, &[], self.span),
            window => {
                self.apply_in(function, window)?;
                Ok(std::mem::take(&mut window[0]))
            }
        }
    }

    /// Asks now and then in a loop that may be long: `n` is the number of rounds so far.
    pub fn check_interrupt(&self, n: usize) -> Result<()> {
        if n & 0xfff == 0xfff && self.host.interrupted() {
            return Err(err!(Interrupted, "interrupted"));
        }
        Ok(())
    }

    /// The error for an argument that is not what the op expects of it.
    pub fn wrong(&self, param: &str, expected: &str) -> Error {
        self.wrong_value(param, self.value(param), expected)
    }

    /// As [`Args::wrong`], of a value that was an argument or part of one.
    pub fn wrong_value(&self, param: &str, found: &Value, expected: &str) -> Error {
        let op = &self.function.name;
        let error = err!(Type, "{op}: expected {expected} for `{param}`, found {}", described(found))
            .label(self.span, "in this call")
            .help(format!("usage: {}", self.function.usage()));
        // Also of what is no parameter, but a part of one.
        match self.function.signature.params.iter().position(|p| p.name == param) {
            Some(at) => error.parameter(param, at),
            None => error,
        }
    }
}

/// A value in a message: its type, and the value itself where it is short.
pub fn described(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Complex(_) | Value::Keyword(_) => {
            format!("the {} {value:?}", value.type_name())
        }
        Value::Str(s) if s.len() <= 40 => format!("the string {value:?}"),
        Value::Function(f) => format!("the function `{}`", f.name),
        other => other.a_type_name(),
    }
}
