//! The special values of the Python array API standard, line by line of `array_api/special.txt`.

use dsk::data::{Block, Complex64, DType};
use dsk::{Config, Engine, Value};
use std::f64::consts::PI;

const POSITIVE: [f64; 4] = [0.5, 1.0, 2.0, 3.0];
const INFINITE: [f64; 2] = [f64::INFINITY, f64::NEG_INFINITY];
const ZERO: [f64; 2] = [0.0, -0.0];

/// What a word for arguments stands for.
fn numbers(word: &str) -> Vec<f64> {
    let negative = POSITIVE.map(|x| -x);
    match word {
        "pos" => POSITIVE.to_vec(),
        "neg" => negative.to_vec(),
        "nonzero" => [POSITIVE, negative].concat(),
        "zeros" => ZERO.to_vec(),
        "infs" => INFINITE.to_vec(),
        "finite" => [&POSITIVE[..], &negative, &ZERO].concat(),
        "any" => [&POSITIVE[..], &negative, &ZERO, &INFINITE, &[f64::NAN]].concat(),
        number => vec![number.parse().unwrap_or_else(|_| panic!("`{word}` stands for no numbers"))],
    }
}

fn set(text: &str) -> Vec<f64> {
    text.split_whitespace().flat_map(numbers).collect()
}

/// Whether a number is what a word for results says, of arguments x and y.
fn fits(got: f64, word: &str, x: f64, y: f64, tolerance: f64) -> bool {
    let size = |word: &str| word.strip_prefix('±').map(|w| got.abs() == w.parse::<f64>().unwrap());
    let exact = match word {
        "*" => return true,
        "nan" => return got.is_nan(),
        "±pi/2" => return (got.abs() - PI / 2.0).abs() <= tolerance,
        "x" => x,
        "y" => y,
        "-x" => -x,
        "|x|" => x.abs(),
        "-|x|" => -x.abs(),
        "|y|" => y.abs(),
        "true" => 1.0,
        "false" => 0.0,
        word if word.contains("pi") => {
            let (times, over) = word.split_once("pi").unwrap();
            let times = match times {
                "" => 1.0,
                "-" => -1.0,
                times => times.parse().unwrap(),
            };
            let over: f64 = over.strip_prefix('/').map_or(1.0, |n| n.parse().unwrap());
            return (got - times * PI / over).abs() <= tolerance;
        }
        word => match size(word) {
            Some(fits) => return fits,
            None => word.parse().unwrap_or_else(|_| panic!("`{word}` is no result")),
        },
    };
    if exact.is_nan() { got.is_nan() } else { got == exact && got.is_sign_negative() == exact.is_sign_negative() }
}

/// Names that are others in dsk.
fn name(name: &str) -> &str {
    match name {
        "pow" => "power",
        "remainder" => "mod",
        name => name,
    }
}

fn text(x: f64) -> String {
    if x.is_nan() { "nan".into() } else { format!("{x:?}") }
}

/// All that a function answers to arguments of a dtype, whole and in blocks.
fn answers(engine: &Engine, f: &str, dtype: DType, arguments: &[Vec<Complex64>]) -> Vec<Vec<Complex64>> {
    let array = |numbers: &Vec<Complex64>, chunks: &str| {
        let number = |c: &Complex64| match dtype.is_complex() {
            true => format!("(complex {} {})", text(c.re), text(c.im)),
            false => text(c.re),
        };
        let numbers: Vec<String> = numbers.iter().map(number).collect();
        format!("(array [{}] :dtype :{}{chunks})", numbers.join(" "), dtype.name())
    };
    ["", " :chunks 3"]
        .iter()
        .map(|chunks| {
            let arguments: Vec<String> = arguments.iter().map(|a| array(a, chunks)).collect();
            let form = format!("({} {})", name(f), arguments.join(" "));
            let value = engine.eval(&form).and_then(|v| engine.compute(&v)).unwrap_or_else(|e| panic!("{form}: {e:?}"));
            let Value::Block(block) = value else { panic!("{form} gives no array") };
            complex(&block)
        })
        .collect()
}

fn complex(block: &Block) -> Vec<Complex64> {
    block.cast(DType::C128).unwrap().view::<Complex64>().iter().copied().collect()
}

fn engine() -> Engine {
    Engine::with_config(Config { workers: 1, ..Config::default() })
}

#[test]
fn special_values_are_the_standards() {
    let engine = engine();
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in include_str!("array_api/special.txt").lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines += 1;
        let (left, result) = line.split_once("->").unwrap();
        let (f, left) = left.trim().split_once(' ').unwrap();
        let pairs = |a: &str, b: &str| -> Vec<(f64, f64)> {
            let b = set(b);
            set(a).into_iter().flat_map(|a| b.iter().map(move |&b| (a, b))).collect()
        };
        let (pairs, kind) = match (left.split_once(','), left.split_once(';')) {
            (Some((a, b)), _) => (pairs(a, b), ','),
            (_, Some((x, y))) => (pairs(x, y), ';'),
            _ => (set(left).into_iter().map(|x| (x, 0.0)).collect(), ' '),
        };
        let dtypes = if kind == ',' { [DType::C64, DType::C128] } else { [DType::F32, DType::F64] };
        let arguments: Vec<Vec<Complex64>> = match kind {
            ',' => vec![pairs.iter().map(|&(a, b)| Complex64::new(a, b)).collect()],
            ';' => {
                let real = |x: f64| Complex64::new(x, 0.0);
                vec![pairs.iter().map(|p| real(p.0)).collect(), pairs.iter().map(|p| real(p.1)).collect()]
            }
            _ => vec![pairs.iter().map(|p| Complex64::new(p.0, 0.0)).collect()],
        };
        for dtype in dtypes {
            let tolerance = if dtype.real() == DType::F32 { 1e-6 } else { 1e-15 };
            for found in answers(&engine, f, dtype, &arguments) {
                for (&(x, y), got) in pairs.iter().zip(found) {
                    let fits = match result.split_once(',') {
                        Some((re, im)) => {
                            fits(got.re, re.trim(), x, y, tolerance) && fits(got.im, im.trim(), x, y, tolerance)
                        }
                        None => fits(got.re, result.trim(), x, y, tolerance),
                    };
                    if !fits {
                        wrong.push(format!("{line}\n    of {x:?} and {y:?} as {}: {got:?}", dtype.name()));
                    }
                }
            }
        }
    }
    wrong.dedup();
    assert!(lines > 300);
    assert!(wrong.is_empty(), "{} special values are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Numbers whose real and imaginary parts are all that is special.
fn plane() -> Vec<Complex64> {
    let parts = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 0.5, -2.0];
    parts.iter().flat_map(|&a| parts.iter().map(move |&b| Complex64::new(a, b))).collect()
}

/// Whether two results are the same but for rounding, and for a sign that is free where something is not a number.
fn same(z: Complex64, got: Complex64, want: Complex64, tolerance: f64) -> bool {
    let free = z.is_nan() || want.is_nan();
    let part = |got: f64, want: f64| {
        got.is_nan() && want.is_nan()
            || free && got.abs() == want.abs()
            || got == want && got.is_sign_negative() == want.is_sign_negative()
            || want != 0.0 && (got - want).abs() <= tolerance * want.abs()
    };
    part(got.re, want.re) && part(got.im, want.im)
}

/// Functions that others are, of numbers turned by a right angle or mirrored.
#[test]
fn functions_of_turned_and_mirrored_numbers_agree() {
    let engine = engine();
    let conjugate = |z: Complex64| z.conj();
    let minus = |z: Complex64| Complex64::new(-z.re, -z.im);
    let turned = |z: Complex64| Complex64::new(-z.im, z.re);
    let back = |z: Complex64| Complex64::new(z.im, -z.re);
    let same_one = |z: Complex64| z;
    type Map<'a> = &'a dyn Fn(Complex64) -> Complex64;
    let mut laws: Vec<(&str, &str, Map, Map)> = vec![
        ("asin", "asinh", &turned, &back),
        ("atan", "atanh", &turned, &back),
        ("sin", "sinh", &turned, &back),
        ("tan", "tanh", &turned, &back),
        ("cos", "cosh", &turned, &same_one),
        ("cosh", "cosh", &minus, &same_one),
    ];
    for f in [
        "acos", "acosh", "asinh", "atanh", "cosh", "exp", "expm1", "log", "log1p", "log2", "log10", "sinh", "sqrt",
        "tanh",
    ] {
        laws.push((f, f, &conjugate, &conjugate));
    }
    for f in ["asinh", "atanh", "sinh", "tanh"] {
        laws.push((f, f, &minus, &minus));
    }
    let mut wrong = Vec::new();
    for (f, g, inner, outer) in laws {
        for (dtype, tolerance) in [(DType::C64, 1e-5), (DType::C128, 1e-13)] {
            let plain = answers(&engine, f, dtype, &[plane()]);
            let other = answers(&engine, g, dtype, &[plane().into_iter().map(inner).collect()]);
            for ((z, got), want) in plane().into_iter().zip(&plain[0]).zip(&other[0]) {
                if !same(z, *got, outer(*want), tolerance) {
                    wrong.push(format!("{f} of {z:?} as {}: {got:?}, by {g} {:?}", dtype.name(), outer(*want)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} do not agree:\n{}", wrong.len(), wrong.join("\n"));
}
