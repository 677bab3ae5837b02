//! Distributions that take as many random words for an element as it turns out. Every element has a stream of words of its own,
//! which is numbered by its place in the whole array, so that also what is drawn by rejection depends on the seed and the place only.

use super::{BATCH, LANES, Place, continuous as c, counts as n, words};
use crate::data::{Block, DType, cancel};
use crate::err;
use crate::text::{Result, shape as shown};

/// The random words of one element.
pub struct Stream {
    seed: u64,
    element: u64,
    /// Counters used, each of which makes two words.
    used: u32,
    pair: [u64; 2],
    left: usize,
}

/// What tells the counters of these streams from those that serve two elements.
const OWN: u32 = 1;

impl Stream {
    fn next(&mut self) -> u64 {
        if self.left == 0 {
            let mut batch = [0; BATCH];
            words(self.seed, self.element, self.used, OWN, &mut batch);
            self.used = self.used.wrapping_add(1);
            self.pair = [batch[0], batch[1]];
            self.left = 2;
        }
        self.left -= 1;
        self.pair[1 - self.left]
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in (0, 1), the ends left out.
    pub fn open(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.next(), self.next());
        super::normal(a, b, false)
    }
}

/// What a parameter may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Domain {
    Any,
    AtLeastZero,
    AboveZero,
    AboveOne,
    /// From 0 to 1.
    Probability,
    /// Above 0, up to 1.
    Success,
    /// From 0, below 1.
    BelowOne,
    /// A whole number that is not negative.
    Count,
    /// A mean of whole numbers that 64 bits hold.
    Mean,
}

impl Domain {
    fn holds(self, x: f64) -> bool {
        match self {
            Domain::Any => true,
            Domain::AtLeastZero => x >= 0.0,
            Domain::AboveZero => x > 0.0,
            Domain::AboveOne => x > 1.0,
            Domain::Probability => (0.0..=1.0).contains(&x),
            Domain::Success => x > 0.0 && x <= 1.0,
            Domain::BelowOne => (0.0..1.0).contains(&x),
            Domain::Count => x >= 0.0 && x.fract() == 0.0 && x <= n::LARGEST,
            Domain::Mean => (0.0..=n::LARGEST_MEAN).contains(&x),
        }
    }

    fn said(self) -> &'static str {
        match self {
            Domain::Any => "any number",
            Domain::AtLeastZero => "at least 0",
            Domain::AboveZero => "above 0",
            Domain::AboveOne => "above 1",
            Domain::Probability => "from 0 to 1",
            Domain::Success => "above 0 and at most 1",
            Domain::BelowOne => "at least 0 and below 1",
            Domain::Count => "a whole number from 0 to 2**63 - 1",
            Domain::Mean => "from 0 to about 9.2e18",
        }
    }
}

/// How an element is drawn.
#[derive(Clone, Copy)]
pub enum Sample {
    Real(fn(&mut Stream, &[f64]) -> f64),
    Whole(fn(&mut Stream, &[f64]) -> i64),
}

/// Whether parameters suit each other, and how it is said what they are then.
type Joint = (fn(&[f64]) -> bool, &'static str);

/// A distribution.
pub struct Law {
    pub name: &'static str,
    pub params: &'static [(&'static str, Domain)],
    joint: Option<Joint>,
    pub sample: Sample,
}

impl Law {
    pub fn named(name: &str) -> Option<&'static Law> {
        LAWS.iter().find(|law| law.name == name)
    }

    /// Of what dtype its numbers are, where nothing else is asked for.
    pub fn natural(&self) -> DType {
        match self.sample {
            Sample::Real(_) => DType::F64,
            Sample::Whole(_) => DType::I64,
        }
    }

    /// `dsk::value` where parameters are not what they may be.
    fn check(&self, params: &[f64]) -> Result<()> {
        for (&(name, domain), &x) in self.params.iter().zip(params) {
            if !domain.holds(x) {
                let x = match x {
                    _ if x.is_nan() => "nan".to_string(),
                    _ if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}"),
                    _ => format!("{x:?}"),
                };
                return Err(err!(Value, "random/{}: `{name}` is {}, not {x}", self.name, domain.said()));
            }
        }
        match self.joint {
            Some((holds, said)) if !holds(params) => {
                Err(err!(Value, "random/{}: {said}, which the parameters {params:?} are not", self.name))
            }
            _ => Ok(()),
        }
    }
}

macro_rules! laws {
    ($($name:literal $kind:ident [$($param:literal $domain:ident),*] $sample:expr $(, $joint:expr, $said:literal)?;)*) => {
        pub static LAWS: &[Law] = &[$(Law {
            name: $name,
            params: &[$(($param, Domain::$domain)),*],
            joint: laws!(@ $($joint, $said)?),
            sample: Sample::$kind($sample),
        }),*];
    };
    (@) => { None };
    (@ $joint:expr, $said:literal) => { Some(($joint, $said)) };
}

/// Where the first two are in the list.
pub const UNIFORM: usize = 0;
pub const NORMAL: usize = 1;

laws! {
    "uniform" Real ["low" Any, "high" Any] |s, p| p[0] + (p[1] - p[0]) * s.unit(),
        |p| (p[1] - p[0]).is_finite(),
        "bounds are finite";
    "normal" Real ["loc" Any, "scale" AtLeastZero] |s, p| p[0] + p[1] * s.normal();
    "exponential" Real ["scale" AtLeastZero] |s, p| -p[0] * s.open().ln();
    "gamma" Real ["shape" AtLeastZero, "scale" AtLeastZero] |s, p| p[1] * c::gamma(s, p[0]);
    "log-gamma" Real ["shape" AboveZero] |s, p| c::log_gamma(s, p[0]);
    "beta" Real ["a" AboveZero, "b" AboveZero] |s, p| c::beta(s, p[0], p[1]);
    "chisquare" Real ["df" AboveZero] |s, p| 2.0 * c::gamma(s, p[0] / 2.0);
    "noncentral-chisquare" Real ["df" AboveZero, "nonc" AtLeastZero] |s, p| c::noncentral_chisquare(s, p[0], p[1]);
    "f" Real ["dfnum" AboveZero, "dfden" AboveZero] |s, p| c::f(s, p[0], p[1]);
    "noncentral-f" Real ["dfnum" AboveZero, "dfden" AboveZero, "nonc" AtLeastZero] |s, p| {
        (c::noncentral_chisquare(s, p[0], p[2]) / p[0]) / (2.0 * c::gamma(s, p[1] / 2.0) / p[1])
    };
    "standard-t" Real ["df" AboveZero] |s, p| c::standard_t(s, p[0]);
    "lognormal" Real ["mean" Any, "sigma" AtLeastZero] |s, p| (p[0] + p[1] * s.normal()).exp();
    "laplace" Real ["loc" Any, "scale" AtLeastZero] |s, p| c::laplace(s, p[0], p[1]);
    "logistic" Real ["loc" Any, "scale" AtLeastZero] |s, p| {
        let u = s.open();
        p[0] + p[1] * (u.ln() - (-u).ln_1p())
    };
    "gumbel" Real ["loc" Any, "scale" AtLeastZero] |s, p| p[0] - p[1] * (-s.open().ln()).ln();
    "pareto" Real ["a" AboveZero] |s, p| (-s.open().ln() / p[0]).exp_m1();
    "power" Real ["a" AboveZero] |s, p| s.open().powf(1.0 / p[0]);
    "rayleigh" Real ["scale" AtLeastZero] |s, p| p[0] * (-2.0 * s.open().ln()).sqrt();
    "weibull" Real ["a" AtLeastZero] |s, p| if p[0] == 0.0 { 0.0 } else { (-s.open().ln()).powf(1.0 / p[0]) };
    "standard-cauchy" Real [] |s, _| (std::f64::consts::PI * (s.open() - 0.5)).tan();
    "triangular" Real ["left" Any, "mode" Any, "right" Any] |s, p| c::triangular(s, p[0], p[1], p[2]),
        |p| p[0] <= p[1] && p[1] <= p[2] && p[0] < p[2] && (p[2] - p[0]).is_finite(),
        "left, mode and right are in rising order";
    "vonmises" Real ["mu" Any, "kappa" AtLeastZero] |s, p| c::vonmises(s, p[0], p[1]);
    "wald" Real ["mean" AboveZero, "scale" AboveZero] |s, p| c::wald(s, p[0], p[1]);
    "poisson" Whole ["lam" Mean] |s, p| n::poisson(s, p[0]);
    "binomial" Whole ["n" Count, "p" Probability] |s, p| n::binomial(s, p[0], p[1]);
    "negative-binomial" Whole ["n" AboveZero, "p" Success] |s, p| n::negative_binomial(s, p[0], p[1]);
    "geometric" Whole ["p" Success] |s, p| n::geometric(s, p[0]);
    "hypergeometric" Whole ["ngood" Count, "nbad" Count, "nsample" Count] |s, p| n::hypergeometric(s, p[0], p[1], p[2]),
        |p| p[2] <= p[0] + p[1] && p[0] + p[1] <= n::EXACT,
        "what is drawn are at most so many as there are, and these at most 2**53";
    "logseries" Whole ["p" BelowOne] |s, p| n::logseries(s, p[0]);
    "zipf" Whole ["a" AboveOne] |s, p| n::zipf(s, p[0]);
}

/// The block at `origin` of that shape of an array of shape `whole` of numbers drawn. Each parameter broadcasts to the block.
///
/// Errors: `dsk::value` for parameters that the distribution does not have, `dsk::type` for a dtype it does not come in, `dsk::shape`.
pub fn draw(
    law: &Law,
    params: &[Block],
    dtype: DType,
    seed: u64,
    whole: &[usize],
    origin: &[usize],
    shape: &[usize],
) -> Result<Block> {
    let place = Place { whole, origin, shape };
    let mut block = match (law.sample, dtype) {
        (Sample::Real(_), DType::F64 | DType::F32) | (Sample::Whole(_), DType::I64) => Block::alloc(dtype, shape),
        (Sample::Real(_), _) => {
            return Err(err!(Type, "random/{}: the dtype is float32 or float64, not {dtype}", law.name));
        }
        (Sample::Whole(_), _) => return Err(err!(Type, "random/{}: the dtype is int64, not {dtype}", law.name)),
    };
    let wide = params.iter().map(|p| stretched(p, shape)).collect::<Result<Vec<_>>>()?;
    let mut params: Vec<Numbers> = wide.iter().map(Numbers::of).collect();
    match law.sample {
        Sample::Real(f) if dtype == DType::F32 => {
            each(law, place, seed, &mut params, block.as_mut_slice(), |s, p| f(s, p) as f32)
        }
        Sample::Real(f) => each(law, place, seed, &mut params, block.as_mut_slice(), f),
        Sample::Whole(f) => each(law, place, seed, &mut params, block.as_mut_slice(), f),
    }?;
    Ok(block)
}

/// A parameter in floats, and stretched to the shape.
fn stretched(param: &Block, shape: &[usize]) -> Result<(Block, Block)> {
    if param.dtype().is_complex() {
        return Err(err!(Type, "a parameter of a distribution is a real number, found {}", param.dtype()));
    }
    let own = param.cast(DType::F64)?;
    let wide = own.broadcast_to(shape).ok_or_else(|| {
        err!(Shape, "a parameter of shape {} does not broadcast to the shape {}", shown(param.shape()), shown(shape))
    })?;
    Ok((own, wide))
}

/// A parameter, for one element after the other.
enum Numbers<'a> {
    Same(f64),
    Each(ndarray::iter::Iter<'a, f64, ndarray::IxDyn>),
}

impl<'a> Numbers<'a> {
    /// Of one number, also where no element is drawn: it may be wrong.
    fn of((own, wide): &'a (Block, Block)) -> Self {
        match own.len() {
            1 => Numbers::Same(own.reshape(&[]).get::<f64>(&[])),
            _ => Numbers::Each(wide.view::<f64>().into_iter()),
        }
    }

    fn next(&mut self) -> f64 {
        match self {
            Numbers::Same(x) => *x,
            Numbers::Each(all) => all.next().copied().unwrap_or(f64::NAN),
        }
    }
}

fn each<T>(
    law: &Law,
    place: Place,
    seed: u64,
    params: &mut [Numbers],
    out: &mut [T],
    sample: impl Fn(&mut Stream, &[f64]) -> T,
) -> Result<()> {
    let same = params.iter().all(|p| matches!(p, Numbers::Same(_)));
    let mut values: Vec<f64> =
        params.iter_mut().map(|p| if let Numbers::Same(x) = p { *x } else { f64::NAN }).collect();
    if same {
        law.check(&values)?;
    }
    if out.is_empty() {
        return Ok(());
    }
    let row = place.shape.last().copied().unwrap_or(1);
    let (mut batch, mut batches) = ([0; BATCH], 0u64);
    let mut index = vec![0usize; place.shape.len().saturating_sub(1)];
    for row in out.chunks_mut(row) {
        let mut at = place.row_start(&index);
        for few in row.chunks_mut(LANES) {
            words(seed, at, 0, OWN, &mut batch);
            for (lane, to) in few.iter_mut().enumerate() {
                if !same {
                    values.iter_mut().zip(params.iter_mut()).for_each(|(value, p)| *value = p.next());
                    law.check(&values)?;
                }
                let (element, pair) = (at.wrapping_add(lane as u64), [batch[2 * lane], batch[2 * lane + 1]]);
                *to = sample(&mut Stream { seed, element, used: 1, pair, left: 2 }, &values);
            }
            at = at.wrapping_add(few.len() as u64);
            batches += 1;
            if batches % 16 == 0 {
                cancel::check()?;
            }
        }
        place.next_row(&mut index);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
