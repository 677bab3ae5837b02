//! One recorded case, and how an answer is compared with it.

use dsk::Value;
use dsk::data::{Block, Complex64, DType};
use serde_json::Value as Json;

pub struct Case {
    pub form: String,
    /// The function that it is about, by its name in NumPy.
    pub of: String,
    pub expected: Expected,
    pub differs: bool,
    rtol: Option<f64>,
    atol: Option<f64>,
}

pub enum Expected {
    /// Values in row-major order; none, if only shape and dtype are to be compared.
    Array {
        dtype: String,
        shape: Vec<usize>,
        values: Option<Vec<Json>>,
    },
    Items(Vec<Expected>),
    Text(String),
    Failure(Vec<String>),
}

impl Case {
    pub fn of(line: &Json) -> Case {
        Case {
            form: line["form"].as_str().unwrap().into(),
            of: line["of"].as_str().unwrap().into(),
            expected: Expected::of(line),
            differs: line["differs"].as_bool().unwrap_or(false),
            rtol: line["rtol"].as_f64(),
            atol: line["atol"].as_f64(),
        }
    }

    /// Whether the answer is the expected one, but for rounding.
    pub fn compare(&self, expected: &Expected, value: &Value) -> Result<(), String> {
        match expected {
            Expected::Items(items) => {
                let found = value.as_list().ok_or_else(|| format!("gives {value:?}, no list"))?;
                if found.len() != items.len() {
                    return Err(format!("gives {} results, not {}", found.len(), items.len()));
                }
                items.iter().zip(found).try_for_each(|(item, value)| self.compare(item, value))
            }
            Expected::Text(text) => {
                let found = dsk::read::print(value);
                if found == *text { Ok(()) } else { Err(format!("gives {found}, not {text}")) }
            }
            Expected::Failure(_) => unreachable!("a case that fails has no value"),
            Expected::Array { dtype, shape, values } => {
                let dtype = DType::parse(dtype).unwrap();
                let block = block_of(value, dtype)?;
                if block.dtype() != dtype {
                    return Err(format!("gives {}, not {}", block.dtype().name(), dtype.name()));
                }
                if block.shape() != shape {
                    return Err(format!("gives shape {:?}, not {shape:?}", block.shape()));
                }
                match values {
                    Some(values) => self.near(&block, values),
                    None => Ok(()),
                }
            }
        }
    }

    fn near(&self, block: &Block, values: &[Json]) -> Result<(), String> {
        let flat = block.contiguous().reshape(&[block.len()]);
        let dtype = block.dtype();
        let differ =
            |at: usize, got: String| Err(format!("gives {got} at {at} of the flat result, not {}", values[at]));
        if !dtype.is_float() && !dtype.is_complex() {
            for (at, want) in values.iter().enumerate() {
                let got = flat.get_value(at);
                let want =
                    want.as_u64().map(i128::from).or(want.as_i64().map(i128::from)).or(want.as_bool().map(i128::from));
                if Some(got) != want {
                    return differ(at, got.to_string());
                }
            }
            return Ok(());
        }
        let (rtol, atol) = match dtype.real() {
            DType::F32 => (self.rtol.unwrap_or(1e-6).max(3e-7), self.atol.unwrap_or(0.0)),
            _ => (self.rtol.unwrap_or(1e-15), self.atol.unwrap_or(0.0)),
        };
        // Of complex numbers the parts are as near as the number is large.
        let flat = flat.cast(DType::C128).unwrap();
        for (at, (got, want)) in flat.view::<Complex64>().iter().zip(values).enumerate() {
            let rounded = |json: &Json| match dtype.real() {
                DType::F32 => f64::from(number(json) as f32),
                _ => number(json),
            };
            let (re, im) = match want.as_array() {
                Some(parts) => (rounded(&parts[0]), rounded(&parts[1])),
                None => (rounded(want), 0.0),
            };
            let size = if dtype.is_complex() && re.is_finite() && im.is_finite() { re.hypot(im) } else { 0.0 };
            // Signs of zeros, too, unless rounding may make them.
            let exact = atol == 0.0 && (rtol <= 1e-15 || !dtype.is_complex());
            let same = |got: f64, want: f64| {
                if want.is_nan() || got.is_nan() {
                    return want.is_nan() && got.is_nan();
                }
                if got == want {
                    return !exact || want != 0.0 || got.is_sign_negative() == want.is_sign_negative();
                }
                want.is_finite() && (got - want).abs() <= atol + rtol * want.abs().max(size)
            };
            if !same(got.re, re) || !same(got.im, im) {
                return differ(at, got.to_string());
            }
        }
        Ok(())
    }
}

trait Integers {
    fn get_value(&self, at: usize) -> i128;
}

impl Integers for Block {
    fn get_value(&self, at: usize) -> i128 {
        match self.dtype() {
            DType::U64 => i128::from(self.get::<u64>(&[at])),
            _ => i128::from(self.cast(DType::I64).unwrap().get::<i64>(&[at])),
        }
    }
}

impl Expected {
    pub fn of(line: &Json) -> Expected {
        if let Some(items) = line["items"].as_array() {
            return Expected::Items(items.iter().map(Expected::of).collect());
        }
        if let Some(text) = line["text"].as_str() {
            return Expected::Text(text.into());
        }
        if let Some(codes) = line["error"].as_array() {
            return Expected::Failure(codes.iter().map(|c| c.as_str().unwrap().into()).collect());
        }
        let shape = line["shape"].as_array().unwrap_or_else(|| panic!("{line}"));
        Expected::Array {
            dtype: line["dtype"].as_str().unwrap().into(),
            shape: shape.iter().map(|n| n.as_u64().unwrap() as usize).collect(),
            values: line["values"].as_array().cloned(),
        }
    }
}

/// A value as a block. A plain number no longer says what dtype it was worked out in: it has the one that is expected, if
/// that is of its kind.
fn block_of(value: &Value, expected: DType) -> Result<Block, String> {
    let block = match value {
        Value::Block(block) => return Ok((**block).clone()),
        number if number.number_kind().is_some() => dsk::kernel::create::from_value(number, None),
        other => return Err(format!("gives {other:?}, no array")),
    };
    let block = block.map_err(|e| format!("{e:?}"))?;
    let integers = block.dtype().is_integer() && expected.is_integer();
    if integers || block.dtype().kind() == expected.kind() {
        block.cast(expected).map_err(|e| format!("{e:?}"))
    } else {
        Ok(block)
    }
}

fn number(json: &Json) -> f64 {
    match json.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => json.as_f64().unwrap_or_else(|| f64::from(u8::from(json.as_bool().unwrap()))),
    }
}

/// A number as dsk reads it.
pub fn text(json: &Json) -> String {
    match json {
        Json::Array(parts) => format!("(complex {} {})", text(&parts[0]), text(&parts[1])),
        Json::String(text) => text.clone(),
        Json::Number(n) if n.as_u64().is_some_and(|n| i64::try_from(n).is_err()) => {
            (n.as_u64().unwrap() as i64).to_string()
        }
        other => other.to_string(),
    }
}
