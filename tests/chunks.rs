//! Random expressions over NumPy's functions, those said in dsk too: an array in blocks gives what the whole one gives.

mod choices;

use choices::Choices;
use dsk::data::{Block, Complex64, DType};
use dsk::{Config, Engine, Value};
use proptest::prelude::*;

impl Choices {
    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A number as a dtype holds it: small, so that sums of them are exact.
    fn number(&mut self, dtype: DType) -> String {
        let n = self.below(9) as i64 - 4;
        match dtype {
            DType::Bool => (n > 0).to_string(),
            d if d.is_complex() => format!("(complex {} {}.5)", n, self.below(4)),
            d if d.is_float() && self.below(8) == 0 => "nan".into(),
            d if d.is_float() => format!("{}", n as f64 / 2.0),
            d if d.name().starts_with('u') => n.abs().to_string(),
            _ => n.to_string(),
        }
    }

    fn array(&mut self, shape: &[usize], dtype: DType) -> String {
        let numbers: Vec<String> = (0..shape.iter().product()).map(|_| self.number(dtype)).collect();
        format!("(array [{}] :dtype :{} :shape {shape:?})", numbers.join(" "), dtype.name())
    }

    /// The sizes of blocks along each axis; some are 0.
    fn cuts(&mut self, shape: &[usize]) -> String {
        let axes: Vec<String> = shape
            .iter()
            .map(|&n| {
                let (mut left, mut cut) = (n, Vec::new());
                while left > 0 {
                    let size = self.below(left + 1);
                    cut.push(size);
                    left -= size;
                    if size == 0 && self.coin() {
                        cut.push(left);
                        left = 0;
                    }
                }
                if cut.is_empty() { "[0]".into() } else { format!("{cut:?}") }
            })
            .collect();
        format!("[{}]", axes.join(" "))
    }

    /// One axis, from either end.
    fn axis(&mut self, ndim: usize) -> i64 {
        self.below(2 * ndim.max(1)) as i64 - ndim as i64
    }

    /// One axis, several, or all.
    fn axes(&mut self, ndim: usize) -> String {
        match self.below(3) {
            0 => "nil".into(),
            1 => self.axis(ndim).to_string(),
            _ => format!("{:?}", (0..ndim).filter(|_| self.coin()).collect::<Vec<_>>()),
        }
    }

    /// One step: a form of the array `x` of that shape.
    fn step(&mut self, shape: &[usize]) -> String {
        let n = shape.len();
        let (a, keep) = (self.axis(n), self.coin());
        let small = |c: &mut Choices| c.below(5) as i64 - 2;
        match self.below(69) {
            0 | 1 => {
                let f = self.of(&["nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd"]);
                format!("({f} x :axis {} :keepdims {keep})", self.axes(n))
            }
            2 => format!(
                "({} x :axis {} :keepdims {keep})",
                self.of(&["median", "nanmedian", "ptp", "count-nonzero"]),
                self.axes(n)
            ),
            3 => {
                let method = self.of(&["linear", "lower", "higher", "midpoint", "nearest", "hazen", "inverted_cdf"]);
                format!(
                    "({} x {} :axis {a} :method {method:?})",
                    self.of(&["quantile", "nanquantile"]),
                    self.of(&["0.3", "[0 0.5 1]"])
                )
            }
            4 => format!("(percentile x {} :axis {} :keepdims {keep})", self.of(&["50", "[10 90]"]), self.axes(n)),
            5 => format!(
                "(average x :axis {a} :weights (array {:?}))",
                (0..*shape.get(a.rem_euclid(n.max(1) as i64) as usize).unwrap_or(&1))
                    .map(|i| i + 1)
                    .collect::<Vec<_>>()
            ),
            6 => format!("(trace x :offset {})", small(self)),
            7 => format!("(diagonal x :offset {} :axis1 {a} :axis2 {})", small(self), self.axis(n)),
            8 => format!("(moment x {} :axis {})", self.below(4), self.axes(n)),
            9 | 10 => {
                format!("({} x :axis {a} :include-initial {keep})", self.of(&["cumulative-sum", "cumulative-prod"]))
            }
            11 => format!("({} x :axis {a})", self.of(&["nancumsum", "nancumprod"])),
            12 => format!("(diff x :n {} :axis {a} {})", self.below(3), self.of(&["", ":prepend 0", ":append x"])),
            13 => "(ediff1d x :to-begin 0)".into(),
            14 => format!("(gradient x :axis {a} :edge-order {})", 1 + self.below(2)),
            15 => format!("(roll x {} :axis {})", small(self), self.of(&[a.to_string(), "nil".into()])),
            16 => format!("(rot90 x :k {} :axes [{a} {}])", small(self), self.axis(n)),
            17 => format!("(tile x {})", self.of(&["2", "[1 2]", "[2 1 1]", "0"])),
            // What has no axes is a number to these.
            18 | 30 if n == 0 => "(+ x 1)".into(),
            18 => format!("(repeat x {} :axis {a})", self.below(3)),
            19 | 20 => {
                let mode = self.of(&[
                    "constant",
                    "edge",
                    "reflect",
                    "symmetric",
                    "wrap",
                    "maximum",
                    "minimum",
                    "mean",
                    "linear_ramp",
                ]);
                format!("(pad x [{} {}] :mode {mode:?})", self.below(4), self.below(4))
            }
            21 => format!("({} x :k {})", self.of(&["tril", "triu"]), small(self)),
            22 => format!("(diag x :k {})", small(self)),
            23 => format!("(append x x :axis {})", self.of(&[a.to_string(), "nil".into()])),
            24 => format!(
                "({} x)",
                self.of(&["atleast-2d", "atleast-3d", "matrix-transpose", "flipud", "fliplr", "ravel"])
            ),
            25 => format!("({} [x x])", self.of(&["vstack", "hstack", "dstack", "column-stack"])),
            26 => format!("(array-split x {} :axis {a})", self.of(&["2", "3", "[1]"])),
            27 => format!("(unstack x :axis {a})"),
            28 | 29 => format!("(take-along-axis x (argsort x :axis {a}) :axis {a})"),
            30 => format!("({} x {} :axis {a})", self.of(&["topk", "argtopk"]), self.of(&["1", "2", "-2"])),
            31 => "(select [(> (real x) 1) (< (real x) 0)] [x (* x 2)] :default 7)".into(),
            32 => "(piecewise x [(> (real x) 0)] [(fn [v] (* v 2)) 1])".into(),
            33 => "(choose (astype (> (real x) 0) :int64) [x 3])".into(),
            34 => "(extract (> (real x) 0) x)".into(),
            35 => format!("({} x x)", self.of(&["outer", "kron", "inner", "vdot", "vecdot", "divmod"])),
            36 => self
                .of(&["(einsum \"...i,...i\" x x)", "(einsum \"i...->...i\" x)", "(einsum \"...ij,...kj->...ik\" x x)"])
                .into(),
            37 => format!("({} x)", self.of(&["cov", "corrcoef"])),
            38 => format!("(histogram x :bins {})", self.of(&["3", "[-2 0 1 3]"])),
            39 => format!("(digitize x [-1 0 1.5] :right {keep})"),
            40 => self
                .of(&[
                    "(unique x :return-counts true)",
                    "(union1d x [1 2])",
                    "(setxor1d x [1 2])",
                    "(intersect1d x [1 2 0])",
                ])
                .into(),
            41 => format!("(unique x :axis {a})"),
            42 => self.of(&["(nonzero x)", "(argwhere x)", "(flatnonzero x)"]).into(),
            43 => "(bincount (ravel (astype (abs (real (nan-to-num x))) :int64)))".into(),
            44 => format!("(sliding-window-view x {} :axis {a})", 1 + self.below(2)),
            45 => format!(
                "(coarsen {} x {{{a} {}}} :trim-excess true)",
                self.of(&["sum", "max", "mean"]),
                1 + self.below(2)
            ),
            46 => format!(
                "(apply-along-axis (fn [v] {}) {a} x)",
                self.of(&["(sum v)", "(* v 2)", "(sort v)", "(slice v ::-1)"])
            ),
            47 => {
                let boundary = self.of(&["nil", "\"reflect\"", "\"periodic\"", "\"nearest\"", "0"]);
                format!("(map-overlap (fn [b] (+ b b)) x :depth {} :boundary {boundary})", self.below(3))
            }
            48 => format!(
                "(fft/{} x :axis {a} :norm {})",
                self.of(&["fft", "ifft", "irfft", "hfft"]),
                self.of(&["nil", "\"ortho\""])
            ),
            49 => format!("(fft/{} (real x) :n {} :axis {a})", self.of(&["rfft", "ihfft"]), 1 + self.below(5)),
            50 => format!("(fft/{} x)", self.of(&["fftn", "ifftn", "fftshift", "ifftshift", "fft2"])),
            51 => format!(
                "(linalg/vector-norm x :axis {} :ord {} :keepdims {keep})",
                self.axes(n),
                self.of(&["2", "1", "inf", "0", "3"])
            ),
            52 => format!(
                "(linalg/matrix-norm x :ord {} :keepdims {keep})",
                self.of(&["\"fro\"", "1", "-inf", "2", "\"nuc\""])
            ),
            53 => format!("(linalg/{} (nan-to-num x))", self.of(&["svdvals", "trace", "diagonal", "matrix-rank"])),
            54 => format!("({} (real x))", self.of(&["modf", "frexp", "sinc", "nan-to-num", "fix", "isnull"])),
            55 => "(broadcast-arrays x 1)".into(),
            56 => self.of(&["(slice x [[0 0] [0 0]])", "(slice x ... [[0] [0]])", "(slice x (> (real x) 0))"]).into(),
            57 => format!("(compress [true false true] x :axis {a})"),
            58 => format!("(delete x {} :axis {a})", self.below(3)),
            59 => format!("(insert x {} 3 :axis {a})", self.below(2)),
            60 if n > 1 => {
                let gram = format!("(+ (nan-to-num (matmul (matrix-transpose x) x)) (* 100 (eye {})))", shape[n - 1]);
                format!("(linalg/{} {gram})", self.of(&["det", "slogdet", "inv"]))
            }
            // Where there is nothing to find one of, it is by the size of an axis that finding it fails.
            _ if shape.contains(&0) || n == 0 => "(+ x 1)".into(),
            65..=67 => {
                let (axes, mask) = (self.axes(n), self.of(&[":where (> (real x) 0)", ":where (> (real x) -9)", ""]));
                let how = match self.below(4) {
                    0 => format!("{} x {mask} :initial 2", self.of(&["sum", "prod", "min", "max"])),
                    1 => format!("{} x {mask}", self.of(&["any", "all", "mean", "nansum", "nanmean"])),
                    2 => format!("{} x {mask} :ddof 1", self.of(&["var", "std", "nanvar"])),
                    _ => format!("var x {mask} :mean (mean x :axis {axes} :keepdims true)"),
                };
                format!("({how} :axis {axes} :keepdims {keep})")
            }
            // How many elements there are along an axis is not known of blocks.
            _ => {
                let (along, b) = (a.rem_euclid(n as i64) as usize, self.axis(n));
                let others: Vec<usize> = (0..n).filter(|&other| other != along).collect();
                let labels = &"ijk"[..n.min(3)];
                let step = match self.below(16) {
                    0 => format!("(cumsum y :axis {b})"),
                    1 => format!("(cumprod y :axis {b})"),
                    2 | 3 => format!("({} y :axis {b} :keepdims {keep})", self.of(&["argmax", "argmin"])),
                    4 => format!("(sort y :axis {b})"),
                    5 => format!("(argsort y :axis {b})"),
                    6 => format!("(flip y :axis {})", self.axes(n)),
                    7 => format!("(quantiles-along y [0.3 1] :axis {b})"),
                    8 => format!("(topk y {} :axis {b})", self.of(&["0", "1", "2", "-2"])),
                    9 => format!("(tensordot y y :axes [[{b}] [{b}]])"),
                    10 => format!("(blockwise (fn [b] (* b 2)) {labels:?} y {labels:?})"),
                    11 => format!("(push (real y) :axis {b})"),
                    12 => "(+ y (full-like y 1))".into(),
                    13 => self.of(&["(nonzero y)", "(argwhere y)"]).into(),
                    14 => format!("({} y :axis {b} :where (> (real y) 0))", self.of(&["sum", "mean", "var", "all"])),
                    _ => format!("(expand-dims (squeeze (expand-dims y {b}) :axis {b}) {b})"),
                };
                format!("(let [y (compress (any (> (real x) 0) :axis {others:?}) x :axis {along})] {step})")
            }
        }
    }
}

fn shape_of(value: &Value) -> Option<Vec<usize>> {
    match value {
        Value::Array(a) => Some(a.shape().to_vec()),
        Value::Block(b) => Some(b.shape().to_vec()),
        _ => None,
    }
}

/// How two answers differ, but for rounding.
fn differ(whole: &Value, blocks: &Value) -> Option<String> {
    if let (Some(a), Some(b)) = (whole.as_list(), blocks.as_list()) {
        return match a.len() == b.len() {
            true => a.iter().zip(b).find_map(|(a, b)| differ(a, b)),
            false => Some(format!("{} and {} results", a.len(), b.len())),
        };
    }
    let block = |v: &Value| dsk::kernel::create::from_value(v, None);
    let (Ok(a), Ok(b)) = (block(whole), block(blocks)) else { return Some(format!("{whole:?} and {blocks:?}")) };
    // A plain number no longer says what it was worked out in.
    let plain = [whole, blocks].iter().any(|v| v.number_kind().is_some());
    if a.shape() != b.shape() || !plain && a.dtype() != b.dtype() {
        return Some(format!("{}{:?} and {}{:?}", a.dtype(), a.shape(), b.dtype(), b.shape()));
    }
    let numbers =
        |x: &Block| -> Vec<Complex64> { x.cast(DType::C128).unwrap().view::<Complex64>().iter().copied().collect() };
    let (x, y) = (numbers(&a), numbers(&b));
    let finite = |c: &&Complex64| c.re.is_finite() && c.im.is_finite();
    let most = x.iter().filter(finite).map(|c| c.norm()).fold(1.0, f64::max);
    let inexact = a.dtype().is_float() || a.dtype().is_complex() || b.dtype().is_float();
    let width = match (inexact, [a.dtype(), b.dtype()].iter().any(|d| d.real() == DType::F32) || plain) {
        (false, _) => 0.0,
        (true, true) => 1e-4 * most,
        (true, false) => 1e-9 * most,
    };
    let near = |p: f64, q: f64| p == q || p.is_nan() && q.is_nan() || (p - q).abs() <= width;
    // The parts of a product with something infinite are nan or infinite by the order of additions.
    let lost = |c: &Complex64| !finite(&c);
    let wrong = x.iter().zip(&y).position(|(p, q)| !(near(p.re, q.re) && near(p.im, q.im) || lost(p) && lost(q)));
    wrong.map(|at| format!("{} and {} at {at}: {a:?} and {b:?}", x[at], y[at]))
}

/// Where an expression of an array in blocks is not that of the whole one.
fn check(seed: u64, ndim: usize, steps: usize) -> Result<(), String> {
    let engine = Engine::with_config(Config { workers: 1, ..Config::default() });
    let mut choices = Choices(seed);
    let shape: Vec<usize> = (0..ndim).map(|_| choices.of(&[0, 1, 1, 2, 3, 4, 5])).collect();
    let dtype = choices.of(&[
        DType::Bool,
        DType::I8,
        DType::I64,
        DType::U8,
        DType::F32,
        DType::F64,
        DType::F64,
        DType::C64,
        DType::C128,
    ]);
    let data = choices.array(&shape, dtype);
    let mut story = format!("(rechunk {data} {})", choices.cuts(&shape));
    let mut whole = engine.eval(&data).unwrap();
    let mut blocks = engine.eval(&story).unwrap();
    for _ in 0..steps {
        // What is not known before it is computed has no shape to go on with.
        let (Some(shape), true) = (shape_of(&whole), shape_of(&blocks).is_some()) else { return Ok(()) };
        if shape.iter().product::<usize>() > 300 {
            return Ok(());
        }
        let step = choices.step(&shape);
        story.push_str(&format!("\n{step}"));
        let run = |x: &Value| {
            engine.set("x", x.clone())?;
            let found = engine.eval(&step)?;
            Ok::<_, dsk::Error>((found.clone(), engine.compute(&found)?))
        };
        match (run(&whole), run(&blocks)) {
            (Ok((a, now)), Ok((b, later))) => {
                if let Some(how) = differ(&now, &later) {
                    return Err(format!("{story}\n{how}"));
                }
                (whole, blocks) = (a, b);
            }
            // Nor is a size to go on with that is not known.
            (_, Err(b)) if b.message().contains("not known before it is computed") => return Ok(()),
            (Err(a), Err(b)) if a.code() == b.code() => return Ok(()),
            (Err(a), Err(b)) => return Err(format!("{story}\nwhole: {a:?}\nin blocks: {b:?}")),
            (Ok(a), Err(b)) => return Err(format!("{story}\nwhole: {:?}\nin blocks: {b:?}", a.1)),
            (Err(a), Ok(b)) => return Err(format!("{story}\nwhole: {a:?}\nin blocks: {:?}", b.1)),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn functions_of_arrays_in_blocks_are_those_of_whole_ones(seed in any::<u64>(), ndim in 0usize..4, steps in 1usize..4) {
        prop_assert_eq!(check(seed, ndim, steps), Ok(()));
    }
}
