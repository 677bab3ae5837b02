//! Arrays as a whole: chunked as unchunked, printed graphs as computed, whatever the number of workers.

use crate::data::slice::Range;
use crate::data::{Array, Block, Complex64, DType, Form, Function, Graph, Host, Key, Layer, Pool, Task, Value};
use crate::err;
use crate::op::Registry;
use crate::optimize::{self, Goal};
use crate::schedule::{Config, Runtime, Scheduler, Synchronous, Threads};
use crate::text::{Result, SourceId, Span};
use proptest::prelude::*;
use rustc_hash::FxHashMap;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Just enough of an interpreter: ops, `let`, quoted data, calls.
pub(super) struct Small {
    ops: Registry,
    pub(super) runtime: Runtime,
}

pub(super) type Names = FxHashMap<String, Value>;

impl Small {
    pub(super) fn new() -> Small {
        Small { ops: crate::ops::registry().unwrap(), runtime: Runtime::new(Pool::new(1 << 24)) }
    }

    pub(super) fn text(&self, text: &str) -> Result<Value> {
        self.eval(&crate::read::read_one(SourceId(1), text)?, &Names::default())
    }

    pub(super) fn eval(&self, task: &Task, names: &Names) -> Result<Value> {
        match &task.form {
            Form::Data(value) => Ok(value.clone()),
            Form::Key(key) => match names.get(&key.to_string()) {
                Some(value) => Ok(value.clone()),
                None => {
                    self.global(&key.name, task.span).ok_or_else(|| err!(Unbound, "{key}").label(task.span, "here"))
                }
            },
            Form::List(items) => match Graph::key_of(task).and_then(|key| names.get(&key.to_string())) {
                Some(value) => Ok(value.clone()),
                None => Ok(Value::list(items.iter().map(|t| self.eval(t, names)).collect::<Result<_>>()?)),
            },
            // What `rechunk` is to an array that is to stay whole.
            Form::Call(items) if items[0].as_symbol().is_some_and(|s| s == "first-of") => self.eval(&items[1], names),
            Form::Call(items) if items[0].as_symbol().is_some_and(|s| s == "let") => {
                let Form::List(pairs) = &items[1].form else { panic!("let") };
                let mut inner = names.clone();
                for pair in pairs.chunks(2) {
                    inner.insert(pair[0].as_symbol().unwrap().to_string(), self.eval(&pair[1], &inner)?);
                }
                self.eval(&items[2], &inner)
            }
            Form::Call(items) => {
                let head = self.eval(&items[0], names)?;
                let args: Vec<Value> = items[1..].iter().map(|t| self.eval(t, names)).collect::<Result<_>>()?;
                self.apply(&head, &args, task.span)
            }
            _ => panic!("{task:?}"),
        }
    }

    pub(super) fn computed(&self, value: &Value, config: &Config) -> Result<Value> {
        let cancel = AtomicBool::new(false);
        Ok(crate::schedule::compute(self, std::slice::from_ref(value), &self.runtime, config, &cancel)?.remove(0))
    }
}

impl Host for Small {
    fn apply(&self, callee: &Value, args: &[Value], span: Span) -> Result<Value> {
        match callee {
            Value::Function(f) => f.call(self, args, span),
            other => Err(err!(Type, "{other:?} is no function")),
        }
    }

    fn op(&self, name: &str) -> Option<Arc<Function>> {
        self.ops.get(name).cloned()
    }

    fn global(&self, name: &str, _: Span) -> Option<Value> {
        self.op(name).map(Value::Function)
    }

    fn compute(&self, values: &[Value], _: Span) -> Result<Vec<Value>> {
        let cancel = AtomicBool::new(false);
        crate::schedule::compute(self, values, &self.runtime, &Config::default(), &cancel)
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A source of small choices that a seed decides.
pub(super) struct Choices(pub(super) u64);

impl Choices {
    pub(super) fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(super) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn cut(&mut self, n: usize) -> String {
        let mut sizes = Vec::new();
        let mut left = n;
        while left > 0 && sizes.len() < 4 {
            let size = self.below(left + 1);
            sizes.push(size);
            left -= size;
        }
        if left > 0 || sizes.is_empty() {
            sizes.push(left);
        }
        format!("{sizes:?}").replace(',', "")
    }

    pub(super) fn cuts(&mut self, shape: &[usize]) -> String {
        let cuts: Vec<String> = shape.iter().map(|&n| self.cut(n)).collect();
        format!("[{}]", cuts.join(" "))
    }

    fn axes(&mut self, ndim: usize) -> String {
        let axes: Vec<String> = (0..ndim)
            .filter(|_| self.coin())
            .collect::<Vec<_>>()
            .into_iter()
            .map(|a| if self.coin() { a.to_string() } else { (a as i64 - ndim as i64).to_string() })
            .collect();
        if self.below(4) == 0 { "nil".into() } else { format!("[{}]", axes.join(" ")) }
    }

    pub(super) fn dtype(&mut self) -> &'static str {
        self.of(&["float64", "float64", "int64", "int32", "uint8", "bool", "float32", "complex128"])
    }

    /// Numbers of a dtype, as a form.
    fn array(&mut self, shape: &[usize], dtype: &str) -> String {
        let n: usize = shape.iter().product();
        let number = |c: &mut Choices| match dtype {
            "bool" => c.coin().to_string(),
            "uint8" => c.below(9).to_string(),
            "int64" | "int32" => (c.below(19) as i64 - 9).to_string(),
            "complex128" => format!("{}+{}j", c.below(9), c.below(9)),
            _ => format!("{}.{}", c.below(19) as i64 - 9, c.below(4) * 25),
        };
        let numbers: Vec<String> = (0..n).map(|_| number(self)).collect();
        let shape = show(shape);
        format!("(array [{}] :dtype :{dtype} :shape {shape})", numbers.join(" "))
    }

    fn slice(&mut self) -> String {
        let part = |c: &mut Choices| if c.coin() { String::new() } else { (c.below(9) as i64 - 4).to_string() };
        let (start, stop) = (part(self), part(self));
        if self.coin() { format!("{start}:{stop}") } else { format!("{start}:{stop}:{}", self.of(&[-3, -1, 2, 3])) }
    }

    fn index(&mut self, shape: &[usize]) -> String {
        let mut items = Vec::new();
        for &n in shape {
            items.push(match self.below(8) {
                0 if n > 0 => (self.below(n * 2) as i64 - n as i64).to_string(),
                1 if n > 0 => {
                    let list: Vec<String> = (0..self.below(6)).map(|_| self.below(n).to_string()).collect();
                    format!("[{}]", list.join(" "))
                }
                2 => {
                    let mask: Vec<String> = (0..n).map(|_| self.coin().to_string()).collect();
                    format!("[{}]", mask.join(" "))
                }
                3 => "newaxis :".into(),
                4 => ":".into(),
                _ => self.slice(),
            });
        }
        if items.is_empty() { "...".into() } else { items.join(" ") }
    }

    /// One step: a form of the array `x` of that shape.
    pub(super) fn step(&mut self, shape: &[usize]) -> String {
        let ndim = shape.len();
        let perm = |c: &mut Choices| {
            let mut axes: Vec<usize> = (0..ndim).collect();
            (1..ndim).for_each(|i| axes.swap(i, c.below(i + 1)));
            show(&axes)
        };
        let axis = |c: &mut Choices, ndim: usize| c.below(2 * ndim.max(1)) as i64 - ndim as i64;
        match self.below(34) {
            0 => format!(
                "({} x)",
                self.of(&["negative", "absolute", "square", "sqrt", "logical-not", "isfinite", "sign"])
            ),
            1 => format!(
                "({} x {})",
                self.of(&["+", "*", "-", "/", "//", "<", "=", "maximum"]),
                self.of(&["2", "0.5", "true", "1j", "3"])
            ),
            2 => format!("({} x x)", self.of(&["+", "*", "logical-and", ">=", "minimum"])),
            3 => {
                // Another array that broadcasts.
                let mut other: Vec<usize> = shape.iter().map(|&n| if self.coin() { n } else { 1 }).collect();
                other.drain(..self.below(ndim + 1));
                let (dtype, op) = (self.dtype(), self.of(&["+", "*", "-", "!=", "fmax"]));
                let (y, cuts, lazy) = (self.array(&other, dtype), self.cuts(&other), self.coin());
                if lazy { format!("({op} x (rechunk-if {y} {cuts}))") } else { format!("({op} {y} x)") }
            }
            4..7 => {
                let (op, axes, keep) =
                    (self.of(&["sum", "prod", "min", "max", "mean", "any", "all"]), self.axes(ndim), self.coin());
                format!("({op} x :axis {axes} :keepdims {keep})")
            }
            7 => {
                let (op, axes, keep) = (self.of(&["var", "std"]), self.axes(ndim), self.coin());
                format!("({op} x :axis {axes} :keepdims {keep} :ddof {})", self.below(2))
            }
            8..11 => format!("(slice x {})", self.index(shape)),
            11 => format!("(transpose x {})", perm(self)),
            12 | 13 => {
                let n: usize = shape.iter().product();
                let mut sizes = Vec::new();
                let mut left = n;
                while left > 1 && sizes.len() < 3 {
                    let divisors: Vec<usize> = (1..=left).filter(|d| left.is_multiple_of(*d)).collect();
                    let d = self.of(&divisors);
                    sizes.push(d);
                    left /= d;
                }
                sizes.push(left);
                if n == 0 {
                    sizes = vec![2, 0];
                }
                format!("(reshape x {})", show(&sizes))
            }
            14 => format!("(concatenate [x x] :axis {})", axis(self, ndim)),
            15 => format!("(stack [x x] :axis {})", axis(self, ndim + 1)),
            16 => format!("(rechunk-if x {})", self.cuts(shape)),
            17 => "(where (> x 1) x 0)".into(),
            18 => format!("(astype x :{})", self.dtype()),
            19 => "(dot x (transpose x))".into(),
            20 => "(matmul (swapaxes x -1 -2) x)".into(),
            21 => format!("(tensordot x x :axes {})", self.below(3)),
            22 => format!("(broadcast-to x {})", show(&[&[self.below(3)], shape].concat())),
            23 => format!("(slice (broadcast-to x {}) 1: {})", show(&[&[3], shape].concat()), self.index(shape)),
            24 => format!("(flip (expand-dims x {}))", axis(self, ndim + 1)),
            25 => format!("({} x :axis {})", self.of(&["cumsum", "cumprod"]), axis(self, ndim)),
            26 => {
                // Whether there is anything but nans is known when it is computed.
                let (op, axis, keep) = (self.of(&["argmin", "argmax"]), axis(self, ndim), self.coin());
                let axis = if self.coin() { "nil".into() } else { axis.to_string() };
                format!("({op} x :axis {axis} :keepdims {keep})")
            }
            27 => format!("({} x :axis {})", self.of(&["sort", "argsort"]), axis(self, ndim)),
            28 => {
                let method = self.of(&["linear", "lower", "midpoint", "hazen", "median"]);
                format!("(quantiles-along x [0.25 0.5] :axis {} :method \"{method}\")", axis(self, ndim))
            }
            29 => self.of(&["(searchsorted [0 1 4] x)", "(isin x [1 2 5])", "(bin-counts x [-2 0 1 4])"]).into(),
            30 | 31 => {
                // Elements of an index that is there twice get the last value: one for all.
                let index = self.index(shape);
                let value = self.of(&["2", "true", "(sum x)"]);
                format!("(set-part x [{index}] {value})")
            }
            // How many elements hold is not known, but for their sum.
            32 if ndim > 0 => {
                let op = self.of(&["sum", "any", "mean", "std"]);
                format!("({op} (slice (+ x 0) (!= x {})) :axis 0)", self.below(3))
            }
            _ => format!("(round (clip x -2 {}) 0)", self.below(6)),
        }
    }
}

fn show(shape: &[usize]) -> String {
    crate::op::chunking::show(shape)
}

pub(super) fn shape_of(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(a) => a.shape().to_vec(),
        Value::Block(b) => b.shape().to_vec(),
        _ => Vec::new(),
    }
}

/// Whether two results of a dtype are the same but for its rounding. They may be plain numbers, which no longer say
/// what they were worked out in.
fn close(dtype: DType, a: &Value, b: &Value) -> bool {
    let block = |v: &Value| crate::kernel::create::from_value(v, None).unwrap();
    let (a, b) = (block(a), block(b));
    let width = if dtype.real() == DType::F32 { 1e-3 } else { 1e-9 };
    a.dtype() == b.dtype()
        && a.shape() == b.shape()
        && if a.dtype().to_inexact() == a.dtype() {
            let complex = |x: &Block| x.cast(DType::C128).unwrap();
            let (a, b) = (complex(&a), complex(&b));
            let near = |p: f64, q: f64| p == q || p.is_nan() && q.is_nan() || (p - q).abs() <= width * (1.0 + q.abs());
            let both = a.view::<Complex64>().into_iter().cloned().zip(b.view::<Complex64>().into_iter().cloned());
            // The parts of a product with something infinite are nan or infinite by the order of additions.
            let lost = |c: Complex64| !c.re.is_finite() || !c.im.is_finite();
            both.into_iter().all(|(p, q)| near(p.re, q.re) && near(p.im, q.im) || lost(p) && lost(q))
        } else {
            a.same(&b)
        }
}

/// Evaluates a graph from its printed text, key after key.
pub(super) fn from_text(small: &Small, layer: &Arc<Layer>) -> Result<FxHashMap<String, Value>> {
    let mut names = Names::default();
    for (key, task) in Graph::of(std::slice::from_ref(layer)).tasks() {
        let text = crate::read::print(&Value::Code(Arc::new(task)));
        let text = text.strip_prefix('\'').unwrap_or(&text);
        let value = small.eval(&crate::read::read_one(SourceId(1), text)?, &names)?;
        names.insert(key.to_string(), value);
    }
    Ok(names)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// An expression of chunked arrays is that of whole ones: shape, dtype, values and kinds of errors; the printed graph
    /// evaluates to the same; and passes and the number of workers change no bit.
    #[test]
    fn chunks_do_not_show(seed in any::<u64>(), ndim in 0usize..4, steps in 1usize..5) {
        let small = Small::new();
        let mut choices = Choices(seed);
        let shape: Vec<usize> = (0..ndim).map(|_| choices.of(&[0, 1, 1, 2, 3, 4, 5])).collect();
        let dtype = choices.dtype();
        let data = choices.array(&shape, dtype);
        let cuts = choices.cuts(&shape);
        let mut whole = small.text(&data).unwrap();
        let mut lazy = small.text(&format!("(rechunk {data} {cuts})")).unwrap();
        let mut story = format!("(rechunk {data} {cuts})");
        for _ in 0..steps {
            if shape_of(&whole).iter().product::<usize>() > 2000 {
                break;
            }
            let step = choices.step(&shape_of(&whole));
            story.push_str(&format!("\n{step}"));
            let run = |x: &Value, lazy: bool| {
                let step = step.replace("rechunk-if", if lazy { "rechunk" } else { "first-of" });
                let step = crate::read::read_one(SourceId(1), &step).unwrap();
                small.eval(&step, &Names::from_iter([("x".to_string(), x.clone())]))
            };
            match (run(&whole, false), run(&lazy, true)) {
                (Ok(a), Ok(b)) => (whole, lazy) = (a, b),
                (Err(a), Err(b)) => {
                    prop_assert_eq!(a.code(), b.code(), "{}\n{} / {}", story, a, b);
                    return Ok(());
                }
                (a, b) => prop_assert!(false, "{}\n{:?}\n{:?}", story, a, b),
            }
            prop_assert_eq!(shape_of(&whole), shape_of(&lazy), "{}", story);
        }
        let Value::Array(array) = &lazy else { return Ok(()) };
        if let Value::Block(block) = &whole {
            prop_assert_eq!(block.dtype(), array.dtype, "{}", story);
        }
        let plain = Config { optimize: false, workers: 1, ..Config::default() };
        let computed = small.computed(&lazy, &plain);
        let computed = match computed {
            Ok(computed) => computed,
            Err(e) => return Err(TestCaseError::fail(format!("{story}\n{e:?}"))),
        };
        let strong = if computed.number_kind().is_some() { whole.clone().plain() } else { whole.clone() };
        prop_assert!(close(array.dtype, &computed, &strong), "{}\n{:?}\n{:?}", story, computed, whole);
        let threads: Arc<dyn Scheduler> = Arc::new(Threads);
        let sync: Arc<dyn Scheduler> = Arc::new(Synchronous);
        let ways = [1, 2, 3, 8].map(|n| (format!("{n} workers"), threads.clone(), n)).into_iter();
        for (way, scheduler, workers) in ways.chain([("one after the other".to_string(), sync, 1)]) {
            let other = small.computed(&lazy, &Config { workers, scheduler, ..Config::default() });
            let other = other.map_err(|e| TestCaseError::fail(format!("{way}: {story}\n{e:?}")))?;
            prop_assert!(other.same(&computed), "{}: {}\n{:?}\n{:?}", way, story, other, computed);
        }
        // Each pass alone, and as many of them as go before it.
        let outputs = [array.layer.clone()];
        let goal = Goal::new(&outputs, 1 << 30, &small);
        let before = Graph::of(&outputs);
        let mut all = before.clone();
        for pass in optimize::PASSES {
            all = (pass.run)(&all, &goal);
            for (how, graph) in [("alone", (pass.run)(&before, &goal)), ("in its turn", all.clone())] {
                prop_assert_eq!(optimize::broken(&graph, &goal), None, "{} {}: {}", pass.name, how, story);
                let layer = graph.layer(&array.layer.name).unwrap().clone();
                let rewritten = Value::Array(Arc::new(Array { layer, ..(**array).clone() }));
                let other = small.computed(&rewritten, &plain);
                let other = other.map_err(|e| TestCaseError::fail(format!("{} {how}: {story}\n{e:?}", pass.name)))?;
                prop_assert!(other.same(&computed), "{} {}: {}\n{:?}\n{:?}", pass.name, how, story, other, computed);
            }
        }
        let names = from_text(&small, &array.layer);
        let names = names.map_err(|e| TestCaseError::fail(format!("{story}\n{e:?}")))?;
        for index in array.layer.indices() {
            let key = Key::block(array.layer.name.clone(), &index);
            let Some(Value::Block(block)) = names.get(&key.to_string()) else {
                return Err(TestCaseError::fail(format!("{story}\n{key} is no block")));
            };
            prop_assert_eq!(block.shape(), &*array.chunks.block_shape(&index), "{}", story);
            prop_assert_eq!(block.dtype(), array.dtype, "{}", story);
            if let Value::Block(all) = &computed {
                let part = (0..index.len()).fold((**all).clone(), |part, axis| {
                    let range = Range { start: array.chunks.start(axis, index[axis]), step: 1, count: block.shape()[axis] };
                    part.slice_axis(axis, range)
                });
                prop_assert!(part.same(block), "{}\n{:?}\n{:?}", story, part, block);
            } else {
                prop_assert!(Value::Block(block.clone()).plain().same(&computed), "{}", story);
            }
        }
    }
}

fn graph(text: &str) -> Vec<(String, String)> {
    let Ok(Value::Array(array)) = Small::new().text(text) else { panic!("{text} is no lazy array") };
    let tasks = Graph::of(std::slice::from_ref(&array.layer)).tasks();
    let text = |v: Task| crate::read::print(&Value::Code(Arc::new(v))).trim_start_matches('\'').to_string();
    tasks.into_iter().map(|(key, task)| (key.to_string(), text(task))).collect()
}

#[test]
fn graphs_are_of_the_known_sizes() {
    for (text, keys) in [
        ("(sum (ones [1000] :chunks [2]))", 1168),
        ("(sum (+ (arange 15 :chunks 5) 100))", 10),
        ("(arange 15 :chunks 5)", 3),
        ("(transpose (ones [4 4] :chunks 2))", 8),
        ("(+ (ones [4 4] :chunks 2) (ones [4 4] :chunks 2))", 8),
    ] {
        assert_eq!(graph(text).len(), keys, "{text}");
    }
}

#[test]
fn a_graph_prints_as_the_lisp_that_it_is() {
    let names = |text: &str| graph(text).into_iter().map(|(_, task)| task).collect::<Vec<_>>();
    assert_eq!(names("(arange 15 :chunks 5)"), ["(arange 0 5)", "(arange 5 10)", "(arange 10 15)"]);
    let tasks = graph("(sum (+ (arange 15 :chunks 5) 100))");
    let short = |text: &str| {
        // Names without their hashes.
        let mut out = String::new();
        for (i, piece) in text.split('-').enumerate() {
            match piece.get(..16).filter(|hash| i > 0 && hash.bytes().all(|b| b.is_ascii_hexdigit())) {
                Some(_) => out.push_str(&piece[16..]),
                None if i > 0 => out.push_str(&format!("-{piece}")),
                None => out.push_str(piece),
            }
        }
        out
    };
    let tasks: Vec<String> = tasks.iter().map(|(key, task)| format!("{} {}", short(key), short(task))).collect();
    insta::assert_snapshot!(tasks.join("\n"));
}

/// Keys left of an expression's graph after the passes.
fn optimized(text: &str) -> usize {
    let Ok(Value::Graph(graph)) = Small::new().text(&format!("(optimize {text})")) else { panic!("{text}") };
    graph.len()
}

#[test]
fn products_stream() {
    let a = "(random/random [12 8] :seed 1 :chunks [2 2])";
    let b = "(random/random [12 8] :seed 2 :chunks [2 2])";
    // 16 blocks of the result, each one task that makes its factors as it needs them.
    assert_eq!(optimized(&format!("(dot (transpose {a}) {b})")), 16);
    // Few blocks of the result: the six products go into three chains, whose sums are added in two more tasks.
    assert_eq!(
        optimized("(dot (random/random [6 60] :seed 1 :chunks [6 10]) (random/random [60] :seed 2 :chunks 10))"),
        5
    );
    // Factors that are dear to make are made once, by tasks of their own, and the chain does not wait for all of them.
    let dear = format!("(dot {a} (transpose {a}))");
    let chain = optimized(&format!("(dot {dear} {dear})"));
    assert_eq!(chain, 36 + 36 * 6);
}
