//! What every scheduler must keep to, on a host with a handful of functions.

use super::*;
use crate::data;
use crate::data::function::Native;
use crate::data::{
    Array, At, Block, Body, Callable, Chunks, Cost, DType, Delayed, Function, Graph, Host, Input, Key, Layer, Memory,
    Param, ParamKind, Signature, Task,
};
use crate::err;
use crate::kernel::elementwise::{self, Binary, Operand, Unary};
use crate::text::{Code, Span};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

type Body1 = fn(data::Args) -> Result<Value>;

/// Functions of any number of arguments, under their names.
const FUNCTIONS: &[(&str, Body1)] = &[
    ("inc", |a| int(&a.rest[0]).map(|n| Value::Int(n.wrapping_add(1)))),
    ("add", |a| a.rest.iter().try_fold(0i64, |n, v| Ok(n.wrapping_mul(31).wrapping_add(int(v)?))).map(Value::Int)),
    ("list-sum", |a| {
        a.rest[0].as_list().unwrap_or(&[]).iter().try_fold(0i64, |n, v| Ok(n.wrapping_add(int(v)?))).map(Value::Int)
    }),
    ("fail", |_| Err(err!(Value, "it fails"))),
    ("panic", |_| panic!("it panics")),
    ("wait", |_| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        Ok(Value::Int(1))
    }),
    ("fill", |a| Ok(Block::from_slice(&[int(&a.rest[0])? as usize], &vec![1.0; int(&a.rest[0])? as usize]).into())),
    ("double", |a| {
        let mut args = a.rest;
        let Value::Block(block) = args.remove(0) else { return Err(err!(Type, "not a block")) };
        let block: Vec<f64> = block.view::<f64>().iter().map(|x| x * 2.0).collect();
        Ok(Block::from_slice(&[block.len()], &block).into())
    }),
    ("unshared?", |mut a| {
        let Value::Block(block) = &mut a.rest[0] else { return Err(err!(Type, "not a block")) };
        Ok(Value::Bool(Arc::get_mut(block).is_some_and(Block::is_unshared)))
    }),
    ("nested", |a| Ok(a.host.compute(&[lazy(vec![("x", call("wait", vec![]))], "x")], Span::NONE)?.remove(0))),
    ("multiply", |a| {
        elementwise::binary(Binary::Multiply, operand(&a.rest[0])?, operand(&a.rest[1])?).map(Value::from)
    }),
    ("divide", |a| elementwise::binary(Binary::Divide, operand(&a.rest[0])?, operand(&a.rest[1])?).map(Value::from)),
    ("sqrt", |a| match operand(&a.rest[0])? {
        Operand::Block(block) => elementwise::unary(Unary::Sqrt, block).map(Value::from),
        Operand::Number(_) => Err(err!(Type, "not a block")),
    }),
    ("lazy", |_| Ok(lazy(vec![("x", Task::data(5i64))], "x"))),
    ("view", counted),
    ("effect", counted),
];

thread_local! {
    static CALLS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Its argument, which it counts.
fn counted(mut args: data::Args) -> Result<Value> {
    CALLS.set(CALLS.get() + 1);
    Ok(args.rest.remove(0))
}

/// A function that does nothing but answer.
struct Pure(Body1);

impl Callable for Pure {
    fn call(&self, args: data::Args) -> Result<Value> {
        (self.0)(args)
    }

    fn state(&self, _: &dyn Host) -> Option<u64> {
        Some(0)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn operand(value: &Value) -> Result<Operand> {
    Operand::from_value(value).ok_or_else(|| err!(Type, "{value:?} is not a number"))
}

fn int(value: &Value) -> Result<i64> {
    value.as_int().ok_or_else(|| err!(Type, "{value:?} is not an int"))
}

struct Small {
    functions: Vec<Arc<Function>>,
    runtime: Runtime,
    config: Config,
    cancel: AtomicBool,
}

impl Small {
    fn new(scheduler: impl Scheduler + 'static, workers: usize) -> Self {
        let rest = Param { name: "xs".into(), kind: ParamKind::Rest, default: Value::Nil };
        let signature = Arc::new(Signature { params: vec![rest], ..Signature::default() });
        let function = |(name, body): &(&str, Body1)| {
            let callable: Box<dyn Callable> =
                if *name == "view" { Box::new(Pure(*body)) } else { Box::new(Native(*body)) };
            let (signature, name) = (signature.clone(), (*name).into());
            Arc::new(Function { name, signature, doc: None, cost: Cost::Unknown, memory: Memory::Unknown, callable })
        };
        Small {
            functions: FUNCTIONS.iter().map(function).collect(),
            runtime: Runtime::new(Pool::new(1 << 20)),
            config: Config { scheduler: Arc::new(scheduler), workers, ..Config::default() },
            cancel: AtomicBool::new(false),
        }
    }

    fn computation(&self) -> Computation<'_> {
        Computation { host: self, runtime: &self.runtime, config: &self.config, cancel: &self.cancel }
    }

    fn keys(&self, tasks: Vec<(&str, Task)>, keys: &[&str]) -> Result<Vec<Value>> {
        let keys: Vec<Key> = keys.iter().map(|k| Key::new(*k)).collect();
        self.computation().keys(&graph(tasks), &keys)
    }
}

impl Host for Small {
    fn apply(&self, callee: &Value, args: &[Value], span: Span) -> Result<Value> {
        match callee {
            Value::Function(f) => f.call(self, args, span),
            other => Err(err!(Type, "{other:?} cannot be called")),
        }
    }
    fn op(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.iter().find(|f| f.name == name).cloned()
    }
    fn global(&self, name: &str, _: Span) -> Option<Value> {
        self.op(name).map(Value::Function)
    }
    fn compute(&self, values: &[Value], _span: Span) -> Result<Vec<Value>> {
        self.computation().values(values)
    }
    fn interrupted(&self) -> bool {
        self.cancel.load(Relaxed)
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Runs ready tasks in an order that a seed decides, on one thread.
struct AnyOrder(u64);

impl Scheduler for AnyOrder {
    fn name(&self) -> &'static str {
        "any-order"
    }
    fn run(&self, run: &Run) {
        let (mut ready, mut seed) = (run.roots().to_vec(), self.0);
        while !ready.is_empty() && !run.stopped() {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let task = ready.swap_remove((seed >> 33) as usize % ready.len());
            run.task(task, 0, &mut |id| ready.push(id));
            // Neither a second time nor too early does anything.
            run.task(task, 0, &mut |_| panic!("a task ran twice"));
            run.task(run.tasks() as u32 - 1, 0, &mut |_| {});
        }
    }
}

fn call(head: &str, args: Vec<Task>) -> Task {
    Task::call(std::iter::once(Task::symbol(head)).chain(args).collect())
}

fn key(name: &str) -> Task {
    Task::symbol(name)
}

fn graph(tasks: Vec<(&str, Task)>) -> Graph {
    Graph::from_tasks(tasks.into_iter().map(|(k, t)| (Key::new(k), t)).collect())
}

fn lazy(tasks: Vec<(&str, Task)>, wanted: &str) -> Value {
    let layer = graph(tasks).layers.remove(0);
    assert!(matches!(&layer.body, Body::Tasks(t) if t.keys().next_back() == Some(&Key::new(wanted))));
    Value::Delayed(Arc::new(Delayed { layer }))
}

fn all_schedulers() -> Vec<Small> {
    let threads = (1..=4).map(|workers| Small::new(Threads, workers));
    [Small::new(Synchronous, 1), Small::new(AnyOrder(7), 1)].into_iter().chain(threads).collect()
}

#[test]
fn a_key_is_computed_with_all_that_it_needs() {
    let tasks = || {
        vec![
            ("x", Task::data(1i64)),
            ("y", Task::data(2i64)),
            ("z", call("add", vec![key("x"), call("inc", vec![key("y")])])),
            ("alias", key("z")),
            ("list", Task::list(vec![key("x"), Task::list(vec![key("z"), Task::data(0i64)])])),
            ("bad", call("fail", vec![])),
        ]
    };
    for host in all_schedulers() {
        let got = host.keys(tasks(), &["alias", "list", "z"]).unwrap();
        assert!(got[0].same(&Value::Int(34)), "{got:?}");
        assert_eq!(format!("{:?}", got[1]), "[1 [34 0]]");
        assert!(got[2].same(&Value::Int(34)));
    }
}

#[test]
fn the_first_failure_is_reported_with_its_task() {
    for host in all_schedulers() {
        let tasks =
            vec![("a", Task::data(1i64)), ("b", call("fail", vec![key("a")])), ("c", call("inc", vec![key("b")]))];
        let error = host.keys(tasks, &["c"]).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::Value, "it fails"));
        let task = error.task().unwrap();
        assert_eq!((task.key.as_str(), task.task.as_str()), ("\"b\"", "(fail a)"));

        let error = host.keys(vec![("b", call("inc", vec![call("panic", vec![])]))], &["b"]).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::Internal, "a task panicked: it panics"));
    }
}

/// Panics when it is told of this.
struct Panics(&'static str);

impl Panics {
    fn told(&self, of: &str) {
        assert_ne!(self.0, of, "told");
    }
}

impl Observer for Panics {
    fn start(&self, _tasks: usize) {
        self.told("start");
    }
    fn before_task(&self, _task: &TaskEvent) {
        self.told("before a task");
    }
    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {
        self.told("after a task");
    }
    fn finish(&self, _error: Option<&Error>) {
        self.told("finish");
    }
}

#[test]
fn an_observer_that_panics_ends_the_run() {
    for mut host in all_schedulers() {
        for when in ["start", "before a task", "after a task", "finish"] {
            host.config.observers = vec![Arc::new(Panics(when))];
            let error = host.keys(vec![("a", call("inc", vec![Task::data(1i64)]))], &["a"]).unwrap_err();
            assert_eq!(error.code(), Code::Internal);
            assert!(error.message().starts_with("an observer panicked: "), "{}", error.message());
        }
    }
}

#[test]
fn names_are_keys_or_globals_or_errors() {
    let host = Small::new(Synchronous, 1);
    let error = host.keys(vec![("total", call("inc", vec![key("totl")]))], &["total"]).unwrap_err();
    assert_eq!(error.code(), Code::Unbound);
    assert_eq!(error.help_lines(), ["did you mean `total`?"]);
    let error = host.keys(vec![("total", Task::data(1i64))], &["totl"]).unwrap_err();
    assert_eq!((error.code(), error.help_lines()), (Code::Index, &["did you mean `total`?".to_string()][..]));
    let error = host.keys(vec![("x", call("inc", vec![key("y")])), ("y", call("inc", vec![key("x")]))], &["x"]);
    assert_eq!(error.unwrap_err().code(), Code::Cycle);
}

#[test]
fn the_last_use_of_a_result_owns_it() {
    for host in all_schedulers() {
        let tasks = vec![
            ("a", call("fill", vec![Task::data(3i64)])),
            ("b", call("unshared?", vec![key("a")])),
            ("c", call("fill", vec![Task::data(3i64)])),
            ("d", call("unshared?", vec![key("c"), key("c")])),
            ("all", Task::list(vec![key("b"), key("d")])),
        ];
        let got = host.keys(tasks, &["all"]).unwrap();
        assert_eq!(format!("{got:?}"), "[[true false]]");
    }
}

#[test]
fn tasks_may_compute_and_may_make_lazy_values() {
    for host in all_schedulers() {
        let wide = (0..20).map(|_| call("nested", vec![])).collect();
        let tasks = vec![("wide", call("add", wide)), ("lazy", call("lazy", vec![]))];
        let got = host.keys(tasks, &["wide", "lazy"]).unwrap();
        assert!(got[1].same(&Value::Int(5)));
    }
}

#[test]
fn cancelling_stops_between_tasks() {
    let host = Small::new(Threads, 2);
    let tasks: Vec<(String, Task)> = (0..2000).map(|n| (format!("k{n}"), call("wait", vec![]))).collect();
    let keys: Vec<&str> = tasks.iter().map(|(k, _)| k.as_str()).collect();
    let tasks = tasks.iter().map(|(k, t)| (k.as_str(), t.clone())).collect();
    let begin = std::time::Instant::now();
    let error = std::thread::scope(|s| {
        s.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            host.cancel.store(true, Relaxed);
        });
        host.keys(tasks, &keys).unwrap_err()
    });
    assert_eq!(error.code(), Code::Interrupted);
    assert!(begin.elapsed().as_millis() < 800);
}

/// `((A + 1) * 2) ** 3` and its kin: a chain of `steps` layers over `blocks` blocks of 4 numbers.
fn chain(blocks: usize, steps: usize) -> Array {
    let chunks = Chunks::regular(&[blocks * 4], &[4]);
    let layer = |name: String, parents: Vec<Arc<Layer>>, task| {
        let inputs = parents.iter().map(|_| Input { parent: 0, at: At::same(1) }).collect();
        Arc::new(Layer {
            name: name.into(),
            grid: chunks.grid(),
            body: Body::Blockwise { inputs, task },
            parents,
            blocks: Some((DType::F64, chunks.clone())),
            cost: Cost::Dear,
            span: Span::NONE,
            parts: data::Parts::default(),
            nested: 0,
        })
    };
    let mut last = layer("fill".into(), vec![], call("fill", vec![Task::data(4i64)]));
    for step in 0..steps {
        last = layer(format!("double-{step}"), vec![last], call("double", vec![Task::input(0)]));
    }
    Array { layer: last, dtype: DType::F64, chunks, unknown: Default::default() }
}

#[derive(Default)]
struct Watch {
    most: AtomicUsize,
    keys: Mutex<Vec<Key>>,
    finished: AtomicUsize,
}

impl Observer for Watch {
    fn after_task(&self, task: &TaskEvent, _: &Result<Value>) {
        self.most.fetch_max(task.live, SeqCst);
        self.keys.lock().push(task.key());
    }
    fn finish(&self, error: Option<&Error>) {
        assert!(error.is_none());
        self.finished.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_chain_over_many_blocks_holds_one_block_a_worker() {
    for optimize in [false, true] {
        for workers in 1..=4 {
            let watch = Arc::new(Watch::default());
            let mut host = Small::new(Threads, workers);
            host.config.optimize = optimize;
            host.config.observers.push(watch.clone());
            let got = host.compute(&[Value::Array(Arc::new(chain(50, 3)))], Span::NONE).unwrap();
            assert!(got[0].same(&Block::from_slice(&[200], &[8.0; 200]).into()));
            assert!(watch.most.load(SeqCst) <= workers, "{} live with {workers} workers", watch.most.load(SeqCst));
            assert_eq!(watch.finished.load(SeqCst), 1);
            assert_eq!(watch.keys.lock().len(), if optimize { 50 } else { 200 });
        }
    }
}

#[test]
fn a_persisted_array_is_there() {
    let host = Small::new(Threads, 2);
    let kept = host.computation().persist(&[Value::Array(Arc::new(chain(5, 2)))]).unwrap().remove(0);
    let Value::Array(array) = &kept else { panic!("{kept:?}") };
    assert!(array.layer.parents.is_empty());
    let got = host.compute(std::slice::from_ref(&kept), Span::NONE).unwrap();
    assert!(got[0].same(&Block::from_slice(&[20], &[4.0; 20]).into()));
}

#[test]
fn a_block_that_is_not_as_declared_is_an_error() {
    let host = Small::new(Threads, 2);
    let mut array = chain(3, 0);
    let layer = Arc::get_mut(&mut array.layer).unwrap();
    layer.body = Body::Blockwise { inputs: vec![], task: call("fill", vec![Task::data(5i64)]) };
    let error = host.compute(&[Value::Array(Arc::new(array))], Span::NONE).unwrap_err();
    assert_eq!(error.code(), Code::Shape);
    assert_eq!(error.task().unwrap().shape, Some(vec![4]));
}

#[test]
fn a_result_beyond_the_limit_is_refused_before_anything_runs() {
    let mut host = Small::new(Threads, 2);
    host.config.memory_limit = 1000;
    let error = host.compute(&[Value::Array(Arc::new(chain(50, 1)))], Span::NONE).unwrap_err();
    assert_eq!(error.code(), Code::Memory);
}

/// A random acyclic graph: each task takes some of those before it.
fn random_graph() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..5), 1..60).prop_map(|tasks| {
        let pick = |(at, deps): (usize, Vec<prop::sample::Index>)| {
            if at == 0 { vec![] } else { deps.into_iter().map(|d| d.index(at)).collect() }
        };
        tasks.into_iter().enumerate().map(pick).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_order_and_number_of_workers_gives_the_same(deps in random_graph(), seed: u64) {
        let names: Vec<String> = (0..deps.len()).map(|n| format!("k{n}")).collect();
        let tasks = || deps.iter().enumerate().map(|(n, deps)| {
            let args = std::iter::once(Task::data(n as i64)).chain(deps.iter().map(|&d| key(&names[d])));
            (names[n].as_str(), call("add", args.collect()))
        }).collect::<Vec<_>>();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut want: Vec<i64> = Vec::new();
        for (n, deps) in deps.iter().enumerate() {
            want.push(deps.iter().fold(n as i64, |sum, &d| sum.wrapping_mul(31).wrapping_add(want[d])));
        }
        let hosts = [Small::new(Synchronous, 1), Small::new(AnyOrder(seed), 1), Small::new(Threads, 2), Small::new(Threads, 5)];
        for host in hosts {
            let got = host.keys(tasks(), &keys).unwrap();
            let got: Vec<i64> = got.iter().filter_map(Value::as_int).collect();
            prop_assert_eq!(&got, &want);
            // A part of the graph, which the rest is culled from.
            let last = host.keys(tasks(), &keys[deps.len() - 1..]).unwrap();
            prop_assert_eq!(last[0].as_int(), want.last().copied());
        }
    }

    #[test]
    fn a_failure_anywhere_ends_the_run(deps in random_graph(), at: prop::sample::Index, panics: bool) {
        let names: Vec<String> = (0..deps.len()).map(|n| format!("k{n}")).collect();
        let bad = at.index(deps.len());
        let tasks = || deps.iter().enumerate().map(|(n, deps)| {
            let head = if n != bad { "add" } else if panics { "panic" } else { "fail" };
            (names[n].as_str(), call(head, deps.iter().map(|&d| key(&names[d])).collect()))
        }).collect::<Vec<_>>();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        for host in [Small::new(Synchronous, 1), Small::new(Threads, 3)] {
            let error = host.keys(tasks(), &keys).unwrap_err();
            prop_assert_eq!(error.code(), if panics { Code::Internal } else { Code::Value });
            prop_assert_eq!(&error.task().unwrap().key, &Key::new(names[bad].as_str()).quoted());
        }
    }
}

/// A random expression over arrays of 3 by 2 blocks, each of which is a number: sources, elementwise operations, transposed
/// twice, sums along an axis that are subtracted again, and cumulative ones.
#[derive(Clone, Debug)]
enum Expr {
    Source,
    Inc(usize),
    Add(usize, usize),
    Turned(usize),
    MinusRow(usize),
    Running(usize),
}

fn expressions() -> impl Strategy<Value = Vec<(Expr, Cost)>> {
    let cost = prop::sample::select(vec![Cost::Free, Cost::Cheap, Cost::Dear]);
    let step = (0..6, any::<prop::sample::Index>(), any::<prop::sample::Index>(), cost);
    prop::collection::vec(step, 1..12).prop_map(|steps| {
        steps
            .into_iter()
            .enumerate()
            .map(|(at, (kind, a, b, cost))| {
                let expr = match kind {
                    _ if at == 0 => Expr::Source,
                    0 => Expr::Source,
                    1 => Expr::Inc(a.index(at)),
                    2 => Expr::Add(a.index(at), b.index(at)),
                    3 => Expr::Turned(a.index(at)),
                    4 => Expr::MinusRow(a.index(at)),
                    _ => Expr::Running(a.index(at)),
                };
                (expr, cost)
            })
            .collect()
    })
}

fn layers(expressions: &[(Expr, Cost)]) -> Vec<Arc<Layer>> {
    let mut made: Vec<Arc<Layer>> = Vec::new();
    for (at, (expr, cost)) in expressions.iter().enumerate() {
        let layer = |suffix: &str, grid: [usize; 2], parents: Vec<Arc<Layer>>, body: Body| {
            let chunks = Chunks::regular(&grid, &[1, 1]);
            let name = format!("l{at}{suffix}").into();
            let blocks = Some((DType::I64, chunks));
            Arc::new(Layer {
                name,
                grid: grid.as_slice().into(),
                body,
                parents,
                blocks,
                cost: *cost,
                span: Span::NONE,
                parts: data::Parts::default(),
                nested: 0,
            })
        };
        let same = |parent| Input { parent, at: At::same(2) };
        let pattern = |inputs: Vec<Input>, task| Body::Blockwise { inputs, task };
        let index = Task::index(move |i| Value::Int(i64::from(i[0] * 10 + i[1]) + at as i64 * 100));
        let next = match *expr {
            Expr::Source => layer("", [3, 2], vec![], pattern(vec![], call("inc", vec![index]))),
            Expr::Inc(a) => {
                let task = call("add", vec![Task::input(0), index]);
                layer("", [3, 2], vec![made[a].clone()], pattern(vec![same(0)], task))
            }
            Expr::Add(a, b) => {
                let task = call("add", vec![call("add", vec![Task::input(0), Task::input(1)]), Task::input(1)]);
                layer("", [3, 2], vec![made[a].clone(), made[b].clone()], pattern(vec![same(0), same(1)], task))
            }
            Expr::Turned(a) => {
                let turned = || At([data::Axis::Axis(1), data::Axis::Axis(0)].as_slice().into());
                let task = || call("add", vec![Task::input(0), Task::index(|i| Value::Int(i64::from(i[1])))]);
                let inputs = || vec![Input { parent: 0, at: turned() }];
                let first = layer("t", [2, 3], vec![made[a].clone()], pattern(inputs(), task()));
                layer("", [3, 2], vec![first], pattern(inputs(), task()))
            }
            Expr::MinusRow(a) => {
                let sum = Body::PerBlock(Arc::new(|i: &[u32]| {
                    let column = (0..3).map(|row| data::BlockRef { parent: 0, index: [row, i[1]].as_slice().into() });
                    let items = (0..3).map(Task::input).collect();
                    (column.collect(), call("list-sum", vec![Task::list(items)]))
                }));
                let sums = layer("s", [1, 2], vec![made[a].clone()], sum);
                let first = At([data::Axis::Block(0), data::Axis::Axis(1)].as_slice().into());
                let task = call("add", vec![Task::input(0), Task::input(1)]);
                let inputs = vec![same(0), Input { parent: 1, at: first }];
                layer("", [3, 2], vec![made[a].clone(), sums], pattern(inputs, task))
            }
            Expr::Running(a) => {
                let up_to = Body::PerBlock(Arc::new(|i: &[u32]| {
                    let above =
                        (0..=i[0]).map(|row| data::BlockRef { parent: 0, index: [row, i[1]].as_slice().into() });
                    let items = (0..=i[0] as usize).map(Task::input);
                    (above.collect(), items.fold(Task::data(0i64), |sum, item| call("add", vec![sum, item])))
                }));
                layer("", [3, 2], vec![made[a].clone()], up_to)
            }
        };
        made.push(next);
    }
    made
}

/// All blocks of a layer as a list.
fn whole(layer: &Arc<Layer>) -> Value {
    let blocks = Body::PerBlock(Arc::new(|_: &[u32]| {
        let all = (0..6u32).map(|n| data::BlockRef { parent: 0, index: [n / 2, n % 2].as_slice().into() });
        (all.collect(), Task::list((0..6).map(Task::input).collect()))
    }));
    let name = format!("whole-{}", layer.name).into();
    let parents = vec![layer.clone()];
    let layer = Layer {
        name,
        grid: data::Dims::new(),
        body: blocks,
        parents,
        blocks: None,
        cost: Cost::Cheap,
        span: Span::NONE,
        parts: data::Parts::default(),
        nested: 0,
    };
    Value::Delayed(Arc::new(Delayed { layer: Arc::new(layer) }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn optimized_is_not_optimized(steps in expressions(), also: prop::sample::Index) {
        let layers = layers(&steps);
        let wanted = [whole(&layers[layers.len() - 1]), whole(&layers[also.index(layers.len())])];
        let plain = Small { config: Config { optimize: false, ..Config::default() }, ..Small::new(Synchronous, 1) };
        let want = plain.compute(&wanted, Span::NONE).unwrap();
        for host in [Small::new(Synchronous, 1), Small::new(Threads, 3), Small::new(AnyOrder(3), 1)] {
            let got = host.compute(&wanted, Span::NONE).unwrap();
            prop_assert!(got.iter().zip(&want).all(|(a, b)| a.same(b)), "{got:?} {want:?}");
        }
    }
}

/// More tasks than are compiled with a plan, each with a number of its own.
#[test]
fn tasks_that_are_all_unlike_are_compiled_as_they_run() {
    let layer = |name: &str, grid: &[usize], body, parents: Vec<Arc<Layer>>| {
        let (grid, cost) = (data::Dims::from_slice(grid), Cost::Dear);
        Arc::new(Layer {
            name: name.into(),
            grid,
            body,
            parents,
            blocks: None,
            parts: data::Parts::default(),
            nested: 0,
            cost,
            span: Span::NONE,
        })
    };
    let one = layer("one", &[], Body::Blockwise { inputs: vec![], task: call("inc", vec![Task::data(0i64)]) }, vec![]);
    let own = Body::PerBlock(Arc::new(|i: &[u32]| {
        let one = data::BlockRef { parent: 0, index: [].as_slice().into() };
        (vec![one], call("add", vec![Task::input(0), Task::data(i64::from(i[0]))]))
    }));
    let sum = Body::PerBlock(Arc::new(|_: &[u32]| {
        let all = (0..300).map(|n| data::BlockRef { parent: 0, index: [n].as_slice().into() });
        (all.collect(), call("list-sum", vec![Task::list((0..300).map(Task::input).collect())]))
    }));
    let sum = layer("sum", &[], sum, vec![layer("own", &[300], own, vec![one])]);
    let wanted = [Value::Delayed(Arc::new(Delayed { layer: sum }))];
    for host in [Small::new(Synchronous, 1), Small::new(Threads, 2)] {
        let got = host.compute(&wanted, Span::NONE).unwrap();
        // `add` is 31 times the first, and the second.
        assert!(got[0].same(&Value::Int(300 * 31 + 299 * 300 / 2)), "{got:?}");
    }
}

/// `x * x / sqrt(row)` and more of it, over 3 blocks of 2 by 4 and a row of 4: `what` in terms of inputs 0 (x) and 1 (the row).
fn elementwise(dtype: DType, what: Task) -> Value {
    let data = |name: &str, grid: &[usize], block: &[usize]| {
        let shape: Vec<usize> = grid.iter().zip(block).map(|(g, b)| g * b).collect();
        let chunks = Chunks::regular(&shape, block);
        let size = block.iter().product::<usize>() as i64;
        let block = data::Dims::from_slice(block);
        let task = Task::index(move |i| {
            let first = i64::from(i[0]) + 1;
            let elements: Vec<i64> = (0..size).map(|n| n * 7 % 5 + first).collect();
            Block::from_slice(&block, &elements).cast(dtype).unwrap().into()
        });
        let body = Body::Blockwise { inputs: vec![], task };
        let (grid, blocks) = (chunks.grid(), Some((dtype, chunks)));
        Arc::new(Layer {
            name: name.into(),
            grid,
            body,
            parents: vec![],
            blocks,
            cost: Cost::Dear,
            span: Span::NONE,
            parts: data::Parts::default(),
            nested: 0,
        })
    };
    let (x, row) = (data("x", &[3, 1], &[2, 4]), data("row", &[1], &[4]));
    let inputs = vec![
        Input { parent: 0, at: At::same(2) },
        Input { parent: 1, at: At([data::Axis::Axis(1)].as_slice().into()) },
    ];
    let body = Body::Blockwise { inputs, task: what };
    let (grid, parents) = (x.grid.clone(), vec![x, row]);
    let layer = Layer {
        name: "what".into(),
        grid,
        body,
        parents,
        blocks: None,
        cost: Cost::Cheap,
        span: Span::NONE,
        parts: data::Parts::default(),
        nested: 0,
    };
    let all = Body::PerBlock(Arc::new(|_: &[u32]| {
        let blocks = (0..3).map(|n| data::BlockRef { parent: 0, index: [n, 0].as_slice().into() });
        (blocks.collect(), Task::list((0..3).map(Task::input).collect()))
    }));
    let parents = vec![Arc::new(layer)];
    let (name, grid) = ("all".into(), data::Dims::new());
    let layer = Layer {
        name,
        grid,
        body: all,
        parents,
        blocks: None,
        cost: Cost::Cheap,
        span: Span::NONE,
        parts: data::Parts::default(),
        nested: 0,
    };
    Value::Delayed(Arc::new(Delayed { layer: Arc::new(layer) }))
}

/// Nests of calls over a block, a row and numbers.
fn nests() -> impl Strategy<Value = Task> {
    let leaf = prop_oneof![Just(Task::input(0)), Just(Task::input(1)), Just(Task::data(2i64)), Just(Task::data(0.5)),];
    leaf.prop_recursive(5, 40, 2, |inner| {
        let two = |op| (inner.clone(), inner.clone()).prop_map(move |(a, b)| call(op, vec![a, b]));
        prop_oneof![two("multiply"), two("divide"), inner.clone().prop_map(|a| call("sqrt", vec![a]))]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn fused_calls_are_the_calls(nest in nests(), double: bool) {
        let dtype = if double { DType::F64 } else { DType::F32 };
        let host = Small::new(Synchronous, 1);
        let fused = host.compute(&[elementwise(dtype, nest.clone())], Span::NONE);
        let by_hand = host.computation().keys(&graph_of(&elementwise(dtype, nest)), &[Key::new("all")]);
        match (fused, by_hand) {
            (Ok(fused), Ok(plain)) => prop_assert!(fused[0].same(&plain[0]), "{fused:?} {plain:?}"),
            (fused, plain) => prop_assert_eq!(fused.map_err(|e| e.code()).err(), plain.map_err(|e| e.code()).err()),
        }
    }
}

/// A view that was inlined into each of its uses.
#[test]
fn what_is_nested_twice_in_elementwise_calls_runs_once_where_it_only_answers() {
    let calls = |a: Task, b: Task| {
        CALLS.set(0);
        let nest = call("sqrt", vec![call("multiply", vec![a, b])]);
        Small::new(Synchronous, 1).compute(&[elementwise(DType::F64, nest)], Span::NONE).unwrap();
        CALLS.get()
    };
    let of = |name: &str, n: usize| call(name, vec![Task::input(n)]);
    // Three blocks.
    assert_eq!(calls(of("view", 0), of("view", 0)), 3);
    assert_eq!(calls(of("view", 0), of("view", 1)), 6);
    assert_eq!(calls(of("effect", 0), of("effect", 0)), 6);
    let part = |start: usize| {
        let slice = Value::Slice(Arc::new(data::Slice::new(start, 9)));
        call("view", vec![Task::input(0), Task::data(slice), Task::data(0.5)])
    };
    assert_eq!(calls(part(0), part(0)), 3);
    assert_eq!(calls(part(0), part(1)), 6);
    let two = || call("view", vec![of("effect", 0)]);
    assert_eq!(calls(two(), two()), 12);
}

/// The graph of a lazy value as if written by hand, which no pass rewrites and whose calls run one by one.
fn graph_of(value: &Value) -> Graph {
    let Value::Delayed(delayed) = value else { panic!("{value:?}") };
    Graph::from_tasks(Graph::of(std::slice::from_ref(&delayed.layer)).tasks().into_iter().collect())
}
