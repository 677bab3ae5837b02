//! Arrays as a session shows them, laid out as NumPy does: columns aligned, eight digits, the middle of large ones left out.

use super::printer::{element, shape};
use crate::data::{Block, Complex32, Complex64, DType, Element, Kind};
use crate::with_dtype;
use std::fmt::Write;

/// Digits behind the point.
const PRECISION: usize = 8;
/// Columns of a line.
const WIDTH: usize = 75;
/// Arrays of more elements than this show only `EDGE` of them at both ends of every axis.
const THRESHOLD: usize = 1000;
const EDGE: usize = 3;

/// An array as NumPy prints it, in the notation of dsk; one without dimensions as the number in it.
pub fn block(block: &Block) -> String {
    if block.ndim() == 0 {
        return with_dtype!(block.dtype(), T => element(&block.get::<T>(&[])));
    }
    if block.is_empty() {
        return match block.ndim() {
            1 => "[]".into(),
            _ => format!("(array [] :dtype :{} :shape {})", block.dtype().short(), shape(block.shape())),
        };
    }
    let edge = if block.len() > THRESHOLD { EDGE } else { usize::MAX };
    // The elements that are shown, and only they, decide the width of columns.
    let mut shown = block.clone();
    let axes: Vec<Vec<Option<usize>>> = block.shape().iter().map(|&n| positions(n, edge)).collect();
    for (axis, at) in axes.iter().enumerate() {
        shown = keep(&shown, axis, at);
    }
    let mut words = words(&shown).into_iter();
    let mut out = String::new();
    nest(&mut out, &axes, 0, &mut words);
    out
}

/// The positions along an axis that are shown; `None` stands for those left out.
fn positions(n: usize, edge: usize) -> Vec<Option<usize>> {
    match edge.checked_mul(2) {
        Some(both) if n > both => (0..edge).map(Some).chain([None]).chain((n - edge..n).map(Some)).collect(),
        _ => (0..n).map(Some).collect(),
    }
}

/// The block without what is left out along an axis.
fn keep(block: &Block, axis: usize, at: &[Option<usize>]) -> Block {
    let picked: Vec<usize> = at.iter().flatten().copied().collect();
    if picked.len() == block.shape()[axis] {
        return block.clone();
    }
    let mut out_shape = block.shape().to_vec();
    out_shape[axis] = picked.len();
    with_dtype!(block.dtype(), T => {
        let view = block.view::<T>();
        let kept = view.select(ndarray::Axis(axis), &picked);
        Block::from_slice(&out_shape, &kept.iter().copied().collect::<Vec<T>>())
    })
}

fn nest(out: &mut String, axes: &[Vec<Option<usize>>], depth: usize, words: &mut impl Iterator<Item = String>) {
    let Some((axis, inner)) = axes.split_first() else { return };
    let indent = depth + 1;
    out.push('[');
    if inner.is_empty() {
        let mut column = indent;
        for (n, at) in axis.iter().enumerate() {
            let word = match at {
                Some(_) => words.next().unwrap_or_default(),
                None => "...".into(),
            };
            let width = word.chars().count();
            if n > 0 && column + 1 + width + depth + 1 > WIDTH {
                out.truncate(out.trim_end().len());
                let _ = write!(out, "\n{:indent$}", "");
                column = indent;
            } else if n > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(&word);
            column += width;
        }
    } else {
        for (n, at) in axis.iter().enumerate() {
            if n > 0 {
                out.push_str(&"\n".repeat(inner.len()));
                let _ = write!(out, "{:indent$}", "");
            }
            match at {
                Some(_) => nest(out, inner, depth + 1, words),
                None => out.push_str("..."),
            }
        }
    }
    out.push(']');
}

/// Every element in row-major order, all of one width.
fn words(block: &Block) -> Vec<String> {
    let words: Vec<String> = match block.dtype().kind() {
        Kind::Float => {
            let xs: Vec<f64> = match block.dtype() {
                DType::F32 => return pad(floats(&elements::<f32>(block), f64::from, |x| format!("{x:e}"))),
                _ => elements(block),
            };
            floats(&xs, |x| x, |x| format!("{x:e}"))
        }
        Kind::Complex => match block.dtype() {
            DType::C64 => {
                let parts: Vec<Complex32> = elements(block);
                let part = |f: fn(&Complex32) -> f32| {
                    floats(&parts.iter().map(f).collect::<Vec<_>>(), f64::from, |x| format!("{x:e}"))
                };
                join(part(|c| c.re), part(|c| c.im))
            }
            _ => {
                let parts: Vec<Complex64> = elements(block);
                let part = |f: fn(&Complex64) -> f64| {
                    floats(&parts.iter().map(f).collect::<Vec<_>>(), |x| x, |x| format!("{x:e}"))
                };
                join(part(|c| c.re), part(|c| c.im))
            }
        },
        _ => with_dtype!(block.dtype(), T => elements::<T>(block).iter().map(element).collect()),
    };
    pad(words)
}

fn elements<T: Element>(block: &Block) -> Vec<T> {
    block.view::<T>().iter().copied().collect()
}

fn join(re: Vec<String>, im: Vec<String>) -> Vec<String> {
    let signed = im.into_iter().map(|im| if im.starts_with('-') { im } else { format!("+{im}") });
    // The points of both parts are below each other; blanks for digits come after the j.
    let join = |(re, im): (String, String)| {
        let digits = im.trim_end();
        format!("{re}{digits}j{}", &im[digits.len()..])
    };
    pad(re).into_iter().zip(pad(signed.collect())).map(join).collect()
}

/// To the width of the widest, words to the right.
fn pad(words: Vec<String>) -> Vec<String> {
    let width = words.iter().map(|w| w.chars().count()).max().unwrap_or(0);
    words.into_iter().map(|w| format!("{w:>width$}")).collect()
}

/// Floats with the points below each other: as many digits as the longest needs, at most [`PRECISION`]. In scientific
/// notation where the numbers are large or far apart, by NumPy's rule.
fn floats<T: Copy>(xs: &[T], wide: impl Fn(T) -> f64, digits: impl Fn(T) -> String) -> Vec<String> {
    let finite = xs.iter().map(|&x| wide(x).abs()).filter(|x| x.is_finite() && *x != 0.0);
    let (least, most) = finite.fold((f64::INFINITY, 0.0f64), |(a, b), x| (a.min(x), b.max(x)));
    let scientific = most >= 1e8 || most > 0.0 && (least < 1e-4 || most / least > 1000.0);
    let places = if scientific { mantissa_places } else { plain_places };
    let needed: Vec<usize> =
        xs.iter().map(|&x| if wide(x).is_finite() { places(wide(x), &digits(x)) } else { 0 }).collect();
    let precision = needed.iter().copied().max().unwrap_or(0);
    let exponents = if most >= 1e100 || least < 1e-99 { 3 } else { 2 };
    // An element is written with the digits it needs, so that a float32 does not show those of its float64.
    let word = |(&x, &own): (&T, &usize)| -> String {
        let value = wide(x);
        if !value.is_finite() {
            return if value.is_nan() { "nan".into() } else { value.to_string() };
        }
        if scientific {
            return exponential(value, own, precision, exponents);
        }
        let point = if own == 0 { "." } else { "" };
        format!("{value:.own$}{point}{:1$}", "", precision - own)
    };
    xs.iter().zip(&needed).map(word).collect()
}

/// Places behind the point that `x` needs in plain notation, from its shortest digits in scientific notation.
fn plain_places(x: f64, scientific: &str) -> usize {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let places = mantissa.split_once('.').map_or(0, |(_, f)| f.len()) as i64 - exponent.parse::<i64>().unwrap_or(0);
    if places <= PRECISION as i64 {
        return places.max(0) as usize;
    }
    let rounded = format!("{x:.PRECISION$}");
    rounded.trim_end_matches('0').split_once('.').map_or(0, |(_, f)| f.len())
}

fn mantissa_places(x: f64, scientific: &str) -> usize {
    let digits = scientific.split_once('e').unwrap_or((scientific, "")).0;
    let places = digits.split_once('.').map_or(0, |(_, f)| f.len());
    if places <= PRECISION {
        return places;
    }
    let rounded = format!("{x:.PRECISION$e}");
    let digits = rounded.split_once('e').unwrap_or((&rounded, "")).0.trim_end_matches('0');
    digits.split_once('.').map_or(0, |(_, f)| f.len())
}

/// `1.5e+10`, `1.e+00`: `own` digits, filled with zeros to `precision`, and as many of the exponent.
fn exponential(x: f64, own: usize, precision: usize, exponents: usize) -> String {
    let text = format!("{x:.own$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = if own == 0 { "." } else { "" };
    let zeros = "0".repeat(precision - own);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{point}{zeros}e{sign}{:0exponents$}", exponent.abs())
}

/// Items on one line, or below each other where one takes more lines than one.
pub fn beside_or_below(items: &[String]) -> String {
    if items.iter().any(|i| i.contains('\n')) {
        items.iter().map(|i| i.replace('\n', "\n ")).collect::<Vec<_>>().join("\n ")
    } else {
        items.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 2 prints for the same arrays.
    #[test]
    fn arrays_are_laid_out_as_numpy_does() {
        for (array, text) in [
            (Block::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), "[[1. 2.]\n [3. 4.]]"),
            (Block::from_slice(&[3], &[1.0, 2.5, -0.125]), "[ 1.     2.5   -0.125]"),
            (Block::from_slice(&[2], &[1.0 / 3.0, 2.0]), "[0.33333333 2.        ]"),
            (Block::from_slice(&[2], &[1.0, 1e10]), "[1.e+00 1.e+10]"),
            (Block::from_slice(&[2], &[1.5, 1e10]), "[1.5e+00 1.0e+10]"),
            (Block::from_slice(&[3], &[f64::NAN, 1.0, f64::NEG_INFINITY]), "[ nan   1. -inf]"),
            (Block::from_slice(&[2], &[f64::NAN, f64::INFINITY]), "[nan inf]"),
            (Block::from_slice(&[2], &[0.1f32, 1.234_567_9]), "[0.1       1.2345679]"),
            (Block::from_slice(&[3], &[1i64, -20, 300]), "[  1 -20 300]"),
            (Block::from_slice(&[2], &[true, false]), "[ true false]"),
            (Block::from_slice(&[1, 1, 2], &[1u8, 2]), "[[[1 2]]]"),
            (Block::from_slice(&[2, 1, 2], &[1u8, 2, 3, 4]), "[[[1 2]]\n\n [[3 4]]]"),
            (Block::from_slice(&[2], &[Complex64::new(1.0, 2.0), Complex64::new(0.5, -1.0)]), "[1. +2.j 0.5-1.j]"),
            (
                Block::from_slice(&[2], &[Complex64::new(1.0, 20.0), Complex64::new(3.5, -1e-3)]),
                "[1. +2.e+01j 3.5-1.e-03j]",
            ),
            (
                Block::from_slice(&[2], &[Complex64::new(1.0, 2.25), Complex64::new(-3.5, 1.0)]),
                "[ 1. +2.25j -3.5+1.j  ]",
            ),
            (Block::from_slice(&[2], &[1e100, 1.0]), "[1.e+100 1.e+000]"),
            (Block::scalar(2.5), "2.5"),
            (Block::scalar(u64::MAX), "18446744073709551615"),
            (Block::zeros(DType::F64, &[0]), "[]"),
            (Block::zeros(DType::F64, &[0, 2]), "(array [] :dtype :f8 :shape [0 2])"),
        ] {
            assert_eq!(block(&array), text);
        }
    }

    #[test]
    fn long_rows_are_broken_and_large_arrays_cut() {
        let row: Vec<i64> = (100..130).collect();
        let text = block(&Block::from_slice(&[30], &row));
        assert!(text.lines().all(|l| l.len() <= WIDTH) && text.lines().count() == 2, "{text}");
        assert!(text.lines().nth(1).is_some_and(|l| l.starts_with(" 118")), "{text}");
        let xs: Vec<i64> = (0..2000).collect();
        assert_eq!(block(&Block::from_slice(&[2000], &xs)), "[   0    1    2 ... 1997 1998 1999]");
        let square = block(&Block::from_slice(&[4, 500], &xs));
        assert_eq!(square.lines().next(), Some("[[   0    1    2 ...  497  498  499]"), "{square}");
        let tall = block(&Block::from_slice(&[500, 4], &xs));
        assert_eq!(tall.lines().nth(3), Some(" ..."), "{tall}");
        assert_eq!(tall.lines().count(), 7);
    }
}
