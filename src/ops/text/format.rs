//! `format`: text with values put in, by Python's format specifications.

use super::convert::display;
use crate::data::{Args, Value};
use crate::err;
use crate::op;
use crate::op::args::described;
use crate::op::sequence::check_text;
use crate::op::{Kind, Op};
use crate::text::Result;

pub static OPS: &[Op] = &[op!(
    Kind::Now(run),
    "(format template & xs)",
    "The text with the values put in at `{}` in order, or at `{0}` by number, or at `{name}` out of a map that is the last \
     value. After a colon, how: fill and alignment `< > ^ =`, sign `+`, `0`, width, `,` or `_` between thousands, precision, and \
     `d x X o b c f F e E g % s`, as in Python. `{{` and `}}` are braces.",
    ["(format \"{} of {}\" 1 [2])" => "\"1 of [2]\"", "(format \"{:.2f}|{:>5}|{:05d}\" 3.14159 \"a\" 42)" => "\"3.14|    a|00042\"",
     "(format \"{:,} {:.1%} {name}\" 1234567 0.25 {:name \"x\"})" => "\"1,234,567 25.0% x\""],
    ["str", "str/rjust"]
)];

fn run(args: Args) -> Result<Value> {
    let template = args.text("template")?;
    let mut out = String::new();
    let mut rest = template.as_str();
    let mut next = 0;
    let wrong = |what: String| err!(Value, "format: {what}").label(args.span, "in this call");
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let doubled = rest[at + 1..].starts_with(&rest[at..=at]);
        if doubled {
            out.push_str(&rest[at..=at]);
            rest = &rest[at + 2..];
            continue;
        }
        if rest[at..].starts_with('}') {
            return Err(wrong("a `}` closes nothing; a brace itself is `}}`".into()));
        }
        let end = rest[at..].find('}').ok_or_else(|| wrong("a `{` is never closed; a brace itself is `{{`".into()))?;
        let field = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let value = if name.is_empty() {
            next += 1;
            args.rest.get(next - 1)
        } else if let Ok(n) = name.parse::<usize>() {
            args.rest.get(n)
        } else {
            match args.rest.last() {
                Some(Value::Map(map)) => map.get_text(name),
                _ => None,
            }
        };
        let value = value.ok_or_else(|| wrong(format!("there is no value for `{{{field}}}`")))?.clone().plain();
        let spec = Spec::parse(spec).ok_or_else(|| wrong(format!("`{spec}` is no format specification")))?;
        check_text(spec.width)?;
        let text = if matches!(spec.kind, None | Some('s')) { display(&value)? } else { String::new() };
        let text = spec.apply(&value, text).ok_or_else(|| {
            let kind = spec.kind.map_or_else(|| "this format".into(), |k| format!("`{k}`"));
            err!(Type, "format: {kind} does not take {}", described(&value)).label(args.span, "in this call")
        })?;
        out.push_str(&text);
    }
    out.push_str(rest);
    Ok(out.into())
}

/// `[[fill]align][sign][#][0][width][,][.precision][kind]`
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    thousands: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn parse(text: &str) -> Option<Spec> {
        let mut spec = Spec::default();
        let mut chars: std::collections::VecDeque<char> = text.chars().collect();
        let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
        if is_align(chars.get(1)) {
            spec.fill = chars.pop_front();
            spec.align = chars.pop_front();
        } else if is_align(chars.front()) {
            spec.align = chars.pop_front();
        }
        let one = |chars: &mut std::collections::VecDeque<char>, of: &str| {
            let found = chars.front().is_some_and(|c| of.contains(*c));
            if found { chars.pop_front() } else { None }
        };
        let number = |chars: &mut std::collections::VecDeque<char>| {
            let mut digits = String::new();
            while let Some(c) = chars.front().copied().filter(char::is_ascii_digit) {
                digits.push(c);
                chars.pop_front();
            }
            if digits.is_empty() { Some(None) } else { digits.parse::<usize>().ok().map(Some) }
        };
        spec.sign = one(&mut chars, "+- ");
        spec.alternate = one(&mut chars, "#").is_some();
        if one(&mut chars, "0").is_some() && spec.align.is_none() {
            spec.fill = Some('0');
            spec.align = Some('=');
        }
        spec.width = number(&mut chars)?.unwrap_or(0);
        spec.thousands = one(&mut chars, ",_");
        if one(&mut chars, ".").is_some() {
            spec.precision = Some(number(&mut chars)??);
        }
        spec.kind = one(&mut chars, "dxXobcfFeEgGs%");
        chars.is_empty().then_some(spec)
    }

    /// The value, which is that text where no kind or `s` is asked for, as it was asked for; `None` where the kind does not take it.
    fn apply(&self, value: &Value, text: String) -> Option<String> {
        let number =
            matches!(value, Value::Int(_) | Value::Float(_)) && self.kind != Some('s') && self.kind != Some('c');
        let text = match (self.kind, value) {
            (Some('s'), _) => self.cut(text),
            (Some('c'), Value::Int(n)) => char::from_u32(u32::try_from(*n).ok()?)?.to_string(),
            (Some('d'), Value::Bool(b)) => i64::from(*b).to_string(),
            (None | Some('d'), Value::Int(n)) if self.precision.is_none() => {
                self.signed(*n < 0, &self.grouped(&n.unsigned_abs().to_string()))
            }
            (Some(kind @ ('x' | 'X' | 'o' | 'b')), Value::Int(n)) => {
                let abs = n.unsigned_abs();
                let (prefix, digits) = match kind {
                    'x' => ("0x", format!("{abs:x}")),
                    'X' => ("0X", format!("{abs:X}")),
                    'o' => ("0o", format!("{abs:o}")),
                    _ => ("0b", format!("{abs:b}")),
                };
                self.signed(*n < 0, &format!("{}{digits}", if self.alternate { prefix } else { "" }))
            }
            (Some('f' | 'F' | 'e' | 'E' | 'g' | 'G' | '%'), _) => self.float(value.as_float()?),
            (None, Value::Float(x)) if self.precision.is_some() || self.thousands.is_some() => self.float(*x),
            (None, Value::Float(x)) => self.signed(x.is_sign_negative(), text.trim_start_matches('-')),
            (None, _) => self.cut(text),
            _ => return None,
        };
        Some(self.padded(text, number))
    }

    fn cut(&self, text: String) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }

    fn signed(&self, negative: bool, digits: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        format!("{sign}{digits}")
    }

    fn float(&self, x: f64) -> String {
        let precision = self.precision.unwrap_or(6).min(4096);
        let abs = x.abs();
        let digits = if !x.is_finite() {
            if x.is_nan() { "nan".into() } else { "inf".to_string() }
        } else {
            match self.kind {
                Some('e' | 'E') => exponent(&format!("{abs:.precision$e}")),
                Some('f' | 'F') => self.grouped(&format!("{abs:.precision$}")),
                Some('%') => format!("{}%", self.grouped(&format!("{:.precision$}", abs * 100.0))),
                _ => self.grouped(&general(abs, self.precision)),
            }
        };
        let digits = if matches!(self.kind, Some('E' | 'F' | 'G')) { digits.to_uppercase() } else { digits };
        self.signed(x.is_sign_negative() && !x.is_nan(), &digits)
    }

    /// With a mark between thousands of the whole part.
    fn grouped(&self, digits: &str) -> String {
        let Some(mark) = self.thousands else { return digits.to_string() };
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (whole, rest) = digits.split_at(end);
        let mut out = String::new();
        for (n, c) in whole.chars().enumerate() {
            if n > 0 && (whole.len() - n) % 3 == 0 {
                out.push(mark);
            }
            out.push(c);
        }
        out + rest
    }

    fn padded(&self, text: String, number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = |n: usize| self.fill.unwrap_or(' ').to_string().repeat(n);
        match self.align.unwrap_or(if number { '>' } else { '<' }) {
            '<' => text + &fill(missing),
            '^' => fill(missing / 2) + &text + &fill(missing - missing / 2),
            '=' if number => {
                let sign = usize::from(text.starts_with(['+', '-', ' ']));
                format!("{}{}{}", &text[..sign], fill(missing), &text[sign..])
            }
            _ => fill(missing) + &text,
        }
    }
}

/// `1.5e10` as Python writes it: a sign and two digits at least.
fn exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_string() };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `g`: as many significant digits, plain or with an exponent as the size has it, without zeros at the end.
fn general(abs: f64, precision: Option<usize>) -> String {
    let significant = precision.unwrap_or(6).clamp(1, 4096);
    let scientific = format!("{abs:.*e}", significant - 1);
    let power: i64 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if power < -4 || power >= significant as i64 {
        let (mantissa, e) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return exponent(&format!("{}e{e}", trim(mantissa)));
    }
    trim(&format!("{abs:.*}", usize::try_from(significant as i64 - 1 - power).unwrap_or(0)))
}
