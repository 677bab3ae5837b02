//! What a task costs besides its work: graphs of trivial tasks under `:threads` and `:sync`, beside rayon on the same graph, and beside
//! Dask where `python3` can import it; time and memory that planning takes for array expressions; graphs made by hand, in which equal
//! tasks are looked for; and two small computations, from the text to the number.
//!
//!     cargo bench --bench overhead            1e5 and 1e6 tasks
//!     cargo bench --bench overhead -- 1000000
//!     cargo bench --bench overhead -- planning by-hand 1000000     these parts only, of running, planning, by-hand and small
//!
//! Planning and ordering are timed by what the processor does for them, whatever else it does meanwhile.

use dsk::data::function::Native;
use dsk::data::{
    Args, At, Axis, BlockRef, Body, Chunks, Cost, DType, Function, Graph, Host, Input, Key, Layer, Memory, Param,
    ParamKind, Pool, Signature, Task, Value,
};
use dsk::optimize::order::order;
use dsk::optimize::{Goal, Lists, optimize};
use dsk::schedule::{Computation, Config, Plan, Room, Runtime, Synchronous, Threads, Want};
use dsk::text::{Result, Span};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering::*};
use std::time::Instant;

/// The system's allocator, which counts what is allocated while it is told to.
struct Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

fn count(more: usize, less: usize) {
    if COUNTING.load(Relaxed) {
        let change = more as isize - less as isize;
        MOST.fetch_max(LIVE.fetch_add(change, Relaxed) + change, Relaxed);
    }
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were held at a time while `f` ran, besides what was held before.
fn most_bytes(f: impl FnOnce()) -> usize {
    LIVE.store(0, Relaxed);
    MOST.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    f();
    COUNTING.store(false, Relaxed);
    MOST.load(Relaxed) as usize
}

/// A host that knows one function, which does nothing.
struct Nothing(Arc<Function>);

impl Nothing {
    fn new() -> Self {
        let params = vec![Param { name: "xs".into(), kind: ParamKind::Rest, default: Value::Nil }];
        let callable = Box::new(Native(|_: Args| Ok(Value::Int(1))));
        let signature = Arc::new(Signature { params, ..Signature::default() });
        Nothing(Arc::new(Function {
            name: "noop".into(),
            signature,
            doc: None,
            cost: Cost::Dear,
            memory: Memory::Unknown,
            callable,
        }))
    }
}

impl Host for Nothing {
    fn apply(&self, _: &Value, _: &[Value], _: Span) -> Result<Value> {
        Ok(Value::Nil)
    }
    fn op(&self, _: &str) -> Option<Arc<Function>> {
        Some(self.0.clone())
    }
    fn global(&self, _: &str, _: Span) -> Option<Value> {
        Some(Value::Function(self.0.clone()))
    }
    fn compute(&self, values: &[Value], _: Span) -> Result<Vec<Value>> {
        Ok(values.to_vec())
    }
    fn interrupted(&self) -> bool {
        false
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn delay(&self, _: &Args) -> Result<Value> {
        Ok(Value::Nil)
    }
}

fn layer(name: String, len: usize, parents: Vec<Arc<Layer>>, body: Body) -> Arc<Layer> {
    let chunks = Chunks::regular(&[len], &[1]);
    let (grid, blocks) = (chunks.grid(), Some((DType::F64, chunks)));
    Arc::new(Layer {
        name: name.into(),
        grid,
        body,
        parents,
        blocks,
        cost: Cost::Dear,
        span: Span::NONE,
        parts: Default::default(),
        nested: 0,
    })
}

fn call(inputs: usize) -> Task {
    Task::call(std::iter::once(Task::symbol("noop")).chain((0..inputs).map(Task::input)).collect())
}

fn independent(n: usize) -> Arc<Layer> {
    layer("x".into(), n, vec![], Body::Blockwise { inputs: vec![], task: call(0) })
}

/// Each layer is one task, which takes the one of the layer above.
fn chain(n: usize) -> Arc<Layer> {
    let mut last = layer("x".into(), 1, vec![], Body::Blockwise { inputs: vec![], task: call(0) });
    for at in 1..n {
        let inputs = vec![Input { parent: 0, at: At([Axis::Block(0)].as_slice().into()) }];
        last = layer(format!("x{at}"), 1, vec![last], Body::Blockwise { inputs, task: call(1) });
    }
    last
}

fn tree(leaves: usize) -> Arc<Layer> {
    let mut last = independent(leaves);
    let mut width = leaves;
    while width > 1 {
        width /= 2;
        let two = Body::PerBlock(Arc::new(|i: &[u32]| {
            let block = |n: u32| BlockRef { parent: 0, index: [2 * i[0] + n].as_slice().into() };
            (vec![block(0), block(1)], call(2))
        }));
        last = layer(format!("x{width}"), width, vec![last], two);
    }
    last
}

/// Layers of `width` tasks, each of which takes `k` of the layer above.
fn crosstalk(width: usize, height: usize, k: usize) -> Arc<Layer> {
    let mut last = independent(width);
    for at in 1..height {
        let some = Body::PerBlock(Arc::new(move |i: &[u32]| {
            let mut seed = (u64::from(i[0]) << 32 | at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let blocks = (0..k).map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                BlockRef { parent: 0, index: [(seed >> 33) as u32 % width as u32].as_slice().into() }
            });
            (blocks.collect(), call(k))
        }));
        last = layer(format!("x{at}"), width, vec![last], some);
    }
    last
}

/// The same graph with rayon: a task spawns those it makes ready.
fn rayon_run(plan: &Plan) -> f64 {
    let pending: Vec<AtomicU32> = plan.dependencies.iter().map(|d| AtomicU32::new(d.len() as u32)).collect();
    fn run<'s>(scope: &rayon::Scope<'s>, plan: &'s Plan, pending: &'s [AtomicU32], mut id: u32) {
        loop {
            std::hint::black_box(Value::Int(1));
            let mut next = None;
            for &d in plan.dependents.get(id) {
                if pending[d as usize].fetch_sub(1, AcqRel) == 1
                    && let Some(other) = next.replace(d)
                {
                    scope.spawn(move |s| run(s, plan, pending, other));
                }
            }
            match next {
                Some(task) => id = task,
                None => return,
            }
        }
    }
    let begin = Instant::now();
    rayon::scope(|scope| {
        for id in (0..plan.len() as u32).filter(|&t| plan.dependencies.get(t).is_empty()) {
            let pending = &pending;
            scope.spawn(move |s| run(s, plan, pending, id));
        }
    });
    begin.elapsed().as_secs_f64()
}

fn best(runs: usize, mut f: impl FnMut() -> f64) -> f64 {
    (0..runs).map(|_| f()).fold(f64::INFINITY, f64::min)
}

fn seconds(f: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    f();
    begin.elapsed().as_secs_f64()
}

/// Seconds that the processor was at work for `f` on this thread, where the system tells.
fn worked(f: impl FnOnce()) -> f64 {
    #[cfg(unix)]
    fn now() -> f64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock writes to the place that is given.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    }
    #[cfg(unix)]
    return {
        let begin = now();
        f();
        now() - begin
    };
    #[cfg(not(unix))]
    seconds(f)
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let size = given.iter().find_map(|a| a.parse().ok());
    let parts: Vec<&String> = given.iter().filter(|a| a.parse::<usize>().is_err()).collect();
    let has = |part: &str| parts.is_empty() || parts.iter().any(|p| *p == part);
    let dask = if has("running") { dask_runs(20_000) } else { Vec::new() };
    for n in size.map_or(vec![100_000, 1_000_000], |n| vec![n]) {
        if has("running") {
            running(n, &dask);
        }
        if has("planning") {
            planning(n);
        }
        if has("by-hand") {
            by_hand(n);
        }
    }
    if has("small") {
        small();
    }
}

/// Plans of trivial tasks, run, beside what Dask took for a task of the same shape.
fn running(n: usize, dask: &[Vec<f64>]) {
    let host = Nothing::new();
    let runtime = Runtime::new(Pool::new(0));
    let cancel = AtomicBool::new(false);
    let threads = Config { optimize: false, ..Config::default() };
    let sync = Config { scheduler: Arc::new(Synchronous), ..threads.clone() };
    assert_eq!(threads.scheduler.name(), dsk::schedule::Scheduler::name(&Threads));

    println!("{n} tasks, {} workers; µs a task, best of 5; Dask's also as a multiple of ours", threads.workers);
    let head = ["plan", "of it order", ":threads", ":sync", "rayon", "dask.threaded", "", "dask.sync", ""];
    println!("{:<20}{}", "", head.map(|h| format!("{h:>14}")).concat());
    let rows: Vec<(&str, Arc<Layer>)> = vec![
        ("independent", independent(n)),
        ("chain", chain(n / 10)),
        ("tree", tree(n.next_power_of_two() / 2)),
        ("crosstalk, 1 each", crosstalk(n / 100, 100, 1)),
        ("crosstalk, 5 each", crosstalk(n / 100, 100, 5)),
        ("crosstalk, 20 each", crosstalk(n / 100, 100, 20)),
    ];
    for (row, (name, layer)) in rows.iter().enumerate() {
        let wants = [Want::Layer(layer.clone())];
        let room = Room { bytes: usize::MAX, cancel: &cancel };
        let make = || Plan::new(&host, &wants, room).expect("the layers fit together");
        let plan = make();
        let a_task = 1e6 / plan.len() as f64;
        let run = |config: &Config| {
            let computation = Computation { host: &host, runtime: &runtime, config, cancel: &cancel };
            a_task * best(5, || seconds(|| computation.plan(&plan).expect("nothing fails")))
        };
        let planned = a_task * best(3, || worked(|| drop(std::hint::black_box(make()))));
        let (dependencies, dependents) = layer_by_layer(&plan);
        let ordered = a_task * best(3, || worked(|| drop(order(&dependencies, &dependents).expect("no cycle"))));
        let (ours, ours_sync) = (run(&threads), run(&sync));
        let own = [planned, ordered, ours, ours_sync, a_task * best(5, || rayon_run(&plan))];
        print!("{name:<20}{}", own.map(|us| format!("{us:>14.3}")).concat());
        if let Some(&[threaded, sync]) = dask.get(row).map(Vec::as_slice) {
            print!("{threaded:>14.1}{:>13.0}x{sync:>14.1}{:>13.0}x", threaded / ours, sync / ours_sync);
        }
        println!();
    }
    println!();
}

/// The edges of a plan, its tasks numbered layer by layer, as they are before they are ordered.
fn layer_by_layer(plan: &Plan) -> (Lists, Lists) {
    let mut pending: Vec<u32> = plan.dependencies.iter().map(|d| d.len() as u32).collect();
    let mut tasks: Vec<u32> = (0..plan.len() as u32).filter(|&t| pending[t as usize] == 0).collect();
    let mut rank = vec![0; plan.len()];
    let mut at = 0;
    while let Some(&task) = tasks.get(at) {
        rank[task as usize] = at as u32;
        at += 1;
        for &next in plan.dependents.get(task) {
            pending[next as usize] -= 1;
            if pending[next as usize] == 0 {
                tasks.push(next);
            }
        }
    }
    let dependencies = plan.dependencies.permuted(&tasks, &rank);
    let dependents = dependencies.reversed();
    (dependencies, dependents)
}

/// Array expressions of about so many keys: built, optimized, numbered and ordered.
fn planning(n: usize) {
    let host = Nothing::new();
    let engine = dsk::Engine::new();
    let cancel = AtomicBool::new(false);
    println!("expressions of about {n} keys: built, optimized, ordered; best of 3");
    println!(
        "{:<44}{:>10}{:>10}{:>10}{:>10}{:>13}{:>14}",
        "", "keys", "tasks", "µs a key", "a task", "bytes a key", "a task"
    );
    // Each with the layers of as many blocks as x has: its keys are so many times more. A product has a layer of the result's
    // blocks for each pair that meets.
    let rows = [
        ("(sum (+ (* x 2) y))", 5.0, 2),
        ("(- x (mean x :axis 0))", 3.0, 2),
        ("(+ x (transpose x))", 3.0, 2),
        ("(std (* (slice x 1: ::2) 2) :axis 1)", 2.0, 2),
        ("(slice (sqrt x) : odd)", 2.5, 2),
        ("(rechunk x 3)", 1.1, 2),
        ("(rechunk (sqrt x) [1 -1])", 2.0, 2),
        ("(sum (concatenate [x y]) :axis 1)", 4.0, 2),
        ("(concatenate [(sqrt x) (sqrt y)])", 6.0, 2),
        ("(dot (sqrt x) (sqrt y))", 1.0, 3),
    ];
    for (expression, layers, power) in rows {
        let side = (n as f64 / layers).powf(1.0 / f64::from(power)) as usize;
        let source = format!(
            "(let [x (ones [{side} {side}] :chunks 1) y (zeros [{side} {side}] :chunks 1)\
             odd (to-list (arange 1 {side} 2))] {expression})"
        );
        let (mut keys, mut tasks) = (0, 0);
        let mut plan = || {
            let value = engine.eval(&source).expect("the expression is right");
            let Value::Array(array) = &value else { panic!("{expression} is no array") };
            let outputs = [array.layer.clone()];
            let graph = Graph::of(&outputs);
            keys = graph.len();
            let graph = optimize(graph, &Goal::new(&outputs, 1 << 34, &host), &mut |_, _| {});
            let layer = graph.layer(&array.layer.name).expect("outputs stay").clone();
            let room = Room { bytes: usize::MAX, cancel: &cancel };
            tasks = Plan::new(&host, &[Want::Layer(layer)], room).expect("the layers fit together").len();
        };
        let planned = best(3, || worked(&mut plan));
        let bytes = most_bytes(plan);
        let a_key = keys as f64;
        let a_task = tasks as f64;
        print!("{expression:<44}{keys:>10}{tasks:>10}{:>10.3}{:>10.3}", planned / a_key * 1e6, planned / a_task * 1e6);
        println!("{:>13.0}{:>14.0}", bytes as f64 / a_key, bytes as f64 / a_task);
    }
    // Of blocks so large that it is worth more: a better order, what each task takes, and a bound on the memory.
    let side = (n as f64 / 2.0).sqrt() as usize * 1000;
    let x = format!("(random/normal 0 1 [{side} {side}] :chunks 1000)");
    let source = format!("(:tasks (explain (let [x {x}] (- x (mean x :axis 0))) :store true))");
    let mut tasks = 0.0;
    let explained = best(2, || worked(|| tasks = engine.eval_as::<i64>(&source).expect("it can be planned") as f64));
    println!("explain, centring blocks of 8 MB: {tasks} tasks, {:.3} µs a task", explained / tasks * 1e6);
    println!();
}

/// Graphs of so many tasks that were made by hand: what looking for equal ones takes, where there are none and where there are.
fn by_hand(n: usize) {
    let engine = dsk::Engine::new();
    println!("graphs of {n} tasks made by hand; µs a task, best of 3");
    println!("{:<44}{:>10}{:>14}{:>14}{:>14}", "", "keys left", "made", "dedup alone", "planned");
    // Tasks that add the same number to the same key are equal.
    for (name, numbers) in [("no two are equal", n), ("most are equal", 1)] {
        let key = |at: usize| Key::block("x".into(), &[at as u32]);
        let task = |at: usize| {
            let before = if at == 0 { Task::data(0i64) } else { Task::key(key(at * 9 / 10)) };
            Task::call(vec![Task::symbol("add"), before, Task::data((at % numbers) as i64)])
        };
        let make = || Graph::from_tasks((0..n).map(|at| (key(at), task(at))).collect());
        let made = best(3, || worked(|| drop(make())));
        engine.set("g", Value::Graph(Arc::new(make()))).expect("it is a value");
        let eval = |text: &str| engine.eval(text).expect("the graph is right");
        let deduplicated = best(3, || worked(|| drop(eval("(dedup g)"))));
        let Value::Int(left) = eval("(count (keys (dedup g)))") else { panic!("a count is a number") };
        let host = Nothing::new();
        let cancel = AtomicBool::new(false);
        let layer = make().layers.remove(0);
        let wants: Vec<Want> = (0..n).map(|at| Want::Key(layer.clone(), key(at))).collect();
        let room = Room { bytes: usize::MAX, cancel: &cancel };
        let planned = best(3, || worked(|| drop(Plan::new(&host, &wants, room).expect("the graph is right"))));
        let a_task = 1e6 / n as f64;
        println!(
            "{name:<44}{left:>10}{:>14.3}{:>14.3}{:>14.3}",
            made * a_task,
            deduplicated * a_task,
            planned * a_task
        );
    }
    println!();
}

/// Two whole computations, from the text on.
fn small() {
    let engine = dsk::Engine::new();
    let ours = [2, 1000].map(|chunks| {
        let source = format!("(compute (sum (ones [1000] :chunks [{chunks}])))");
        best(20, || seconds(|| assert_eq!(engine.eval_as::<f64>(&source).expect("it adds up"), 1000.0)))
    });
    let dask = dask(
        r#"
import time
import dask.array as da
for chunks in (2, 1000):
    times = []
    for _ in range(5):
        t = time.perf_counter(); da.ones(1000, chunks=chunks).sum().compute(); times.append(time.perf_counter() - t)
    print(min(times) * 1e6)
"#,
    );
    println!("whole computations; ms{:>31}{:>10}", "dsk", "dask");
    for ((chunks, ours), dask) in [2, 1000].into_iter().zip(ours).zip(dask.iter().map(Some).chain([None, None])) {
        print!("{:<42}{:>10.3}", format!("(sum (ones [1000] :chunks [{chunks}]))"), ours * 1e3);
        println!("{}", dask.map_or(String::new(), |us| format!("{:>10.3}{:>9.0}x", us[0] / 1e3, us[0] / ours / 1e6)));
    }
}

/// Dask's schedulers on the same shapes, of about `n` tasks, in the same minutes: for each row µs a task with threads, and without.
fn dask_runs(n: usize) -> Vec<Vec<f64>> {
    let script = format!(
        r#"
import time, random
import dask, dask.threaded, dask.local
n = {n}
noop = lambda *a: 1
def chain(n): return {{"x0": (noop,), **{{f"x{{i}}": (noop, f"x{{i-1}}") for i in range(1, n)}}}}, f"x{{n-1}}"
def independent(n): return {{("x", i): (noop,) for i in range(n)}}, [("x", i) for i in range(n)]
def tree(w):
    g = {{("x", 0, i): (noop,) for i in range(w)}}; level = 0
    while w > 1:
        w //= 2; level += 1
        g.update({{("x", level, i): (noop, ("x", level-1, 2*i), ("x", level-1, 2*i+1)) for i in range(w)}})
    return g, ("x", level, 0)
def crosstalk(w, h, k):
    r = random.Random(0); g = {{("x", 0, i): (noop,) for i in range(w)}}
    for j in range(1, h): g.update({{("x", j, i): (noop, [("x", j-1, r.randrange(w)) for _ in range(k)]) for i in range(w)}})
    return g, [("x", h-1, i) for i in range(w)]
for g, keys in [independent(n), chain(n // 10), tree(2 ** (n.bit_length() - 1)), *(crosstalk(n // 100, 100, k) for k in (1, 5, 20))]:
    times = []
    for get in (dask.threaded.get, dask.local.get_sync):
        t = time.perf_counter(); get(g, keys); times.append((time.perf_counter() - t) / len(g) * 1e6)
    print(*times)
"#
    );
    dask(&script)
}

/// The numbers that a script prints, line by line; nothing where `python3` cannot run it.
fn dask(script: &str) -> Vec<Vec<f64>> {
    match Command::new("python3").args(["-c", script]).output() {
        Ok(out) if out.status.success() => {
            let numbers = |line: &str| line.split(' ').filter_map(|n| n.parse().ok()).collect();
            String::from_utf8_lossy(&out.stdout).lines().map(numbers).collect()
        }
        _ => {
            println!("No `python3` that imports dask was found: no comparison with Dask.");
            Vec::new()
        }
    }
}
