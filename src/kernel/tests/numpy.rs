//! What NumPy answered on special values (`numpy.txt`, made by `record.py`).

use crate::data::{Block, Complex32, Complex64, DType, Value};
use crate::kernel::elementwise::{self, Binary, Unary};
use crate::text::Code;

/// The block that a list of values in the table is.
fn parse(dtype: DType, text: &str) -> Block {
    macro_rules! all {
        ($T:ty) => {{
            let items: Vec<$T> = text.split_whitespace().map(|t| t.parse().unwrap()).collect();
            Block::from_slice(&[items.len()], &items)
        }};
    }
    macro_rules! complex {
        ($C:ty) => {{
            let part = |t: &str| t.parse().unwrap();
            let items: Vec<$C> = text
                .split_whitespace()
                .map(|t| t.split_once(',').map(|(re, im)| <$C>::new(part(re), part(im))).unwrap())
                .collect();
            Block::from_slice(&[items.len()], &items)
        }};
    }
    match dtype {
        DType::Bool => all!(bool),
        DType::I8 => all!(i8),
        DType::I16 => all!(i16),
        DType::I32 => all!(i32),
        DType::I64 => all!(i64),
        DType::U8 => all!(u8),
        DType::U16 => all!(u16),
        DType::U32 => all!(u32),
        DType::U64 => all!(u64),
        DType::F32 => all!(f32),
        DType::F64 => all!(f64),
        DType::C64 => complex!(Complex32),
        DType::C128 => complex!(Complex64),
    }
}

/// Whether two numbers agree: nan with nan, zeros by sign, the rest to `eps` of the larger.
fn close(a: f64, b: f64, eps: f64) -> bool {
    a == b && (a != 0.0 || a.is_sign_negative() == b.is_sign_negative())
        || a.is_nan() && b.is_nan()
        || a.is_finite() && b.is_finite() && a != 0.0 && b != 0.0 && (a - b).abs() <= eps * a.abs().max(b.abs())
}

/// Whether blocks agree; complex parts to the magnitude of the whole.
fn agree(got: &Block, expected: &Block) -> bool {
    if got.dtype() != expected.dtype() || got.len() != expected.len() {
        return false;
    }
    let eps = if matches!(got.dtype(), DType::F32 | DType::C64) { 4e-7 } else { 9e-16 };
    if !got.dtype().is_float() && !got.dtype().is_complex() {
        return got.reshape(&[got.len()]).same(expected);
    }
    let values = |b: &Block| -> Vec<Complex64> {
        b.cast(DType::C128).unwrap().contiguous().as_slice::<Complex64>().unwrap().to_vec()
    };
    values(got).iter().zip(values(expected)).all(|(a, b)| {
        if got.dtype().is_float() {
            return close(a.re, b.re, eps);
        }
        let scale = a.re.hypot(a.im) * eps * 4.0;
        let part = |a: f64, b: f64| a == b || close(a, b, eps) || (a - b).abs() <= scale;
        part(a.re, b.re) && part(a.im, b.im)
    })
}

#[test]
fn agrees_with_numpy_on_special_values() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("numpy.txt").lines() {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let head: Vec<&str> = parts[0].split_whitespace().collect();
        let dtypes: Vec<DType> = head[1..].iter().map(|d| DType::parse(d).unwrap()).collect();
        let expected = parts[parts.len() - 1];
        let (kind, values) = expected.split_once(' ').unwrap_or((expected, ""));
        let x = parse(dtypes[0], parts[1]);
        let got = if head[0] == "cast" {
            x.cast(dtypes[1])
        } else if let Some(op) = Unary::parse(head[0]) {
            elementwise::unary(op, x)
        } else {
            let y = parse(dtypes[1], parts[2]);
            let x = x.reshape(&[x.len(), 1]);
            elementwise::binary(Binary::parse(head[0]).unwrap(), x, y)
        };
        count += 1;
        match got {
            Ok(got) if kind != "error" => {
                let expected = parse(DType::parse(kind).unwrap(), values);
                if !agree(&got, &expected) {
                    wrong.push(format!("{line}\n      got {:?}", got.contiguous().reshape(&[got.len()])));
                }
            }
            Err(e) if kind == "error" && (e.code() == Code::Type || values == "value") => {}
            other => wrong.push(format!("{line}\n      got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn negative_integer_powers_are_a_value_error() {
    let (two, minus) = (Block::from_slice(&[1], &[2i64]), Block::from_slice(&[1], &[-1i64]));
    let error = elementwise::binary(Binary::Power, two.clone(), minus).unwrap_err();
    assert_eq!(error.code(), Code::Value);
    let weak = elementwise::Operand::Number(Value::Int(-1));
    assert_eq!(elementwise::binary(Binary::Power, two, weak).unwrap_err().code(), Code::Value);
}
