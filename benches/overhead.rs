//! What a task costs besides its work: graphs of trivial tasks under `:threads` and `:sync`, beside rayon on the same graph, and beside
//! Dask where `python3` can import it.
//!
//!     cargo bench --bench overhead            1e5 tasks
//!     cargo bench --bench overhead -- 1000000

use dsk::data::function::Native;
use dsk::data::{
    Args, At, Axis, BlockRef, Body, Chunks, Cost, DType, Function, Host, Input, Layer, Param, ParamKind, Pool,
    Signature, Task, Value,
};
use dsk::schedule::{Computation, Config, Plan, Room, Runtime, Synchronous, Threads, Want};
use dsk::text::{Result, Span};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use std::time::Instant;

/// A host that knows one function, which does nothing.
struct Nothing(Arc<Function>);

impl Nothing {
    fn new() -> Self {
        let params = vec![Param { name: "xs".into(), kind: ParamKind::Rest, default: Value::Nil }];
        let callable = Box::new(Native(|_: Args| Ok(Value::Int(1))));
        let signature = Arc::new(Signature { params });
        Nothing(Arc::new(Function { name: "noop".into(), signature, doc: None, cost: Cost::Dear, callable }))
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

fn main() {
    let n = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(100_000usize);
    let host = Nothing::new();
    let runtime = Runtime::new(Pool::new(0));
    let cancel = AtomicBool::new(false);
    let threads = Config { optimize: false, ..Config::default() };
    let sync = Config { scheduler: Arc::new(Synchronous), ..threads.clone() };
    assert_eq!(threads.scheduler.name(), dsk::schedule::Scheduler::name(&Threads));

    println!("{n} tasks, {} workers; µs a task, best of 5", threads.workers);
    println!("{:<22}{:>10}{:>10}{:>10}{:>10}", "", "plan", ":threads", ":sync", "rayon");
    let rows: Vec<(&str, usize, Arc<Layer>)> = vec![
        ("independent", n, independent(n)),
        ("chain", n / 10, chain(n / 10)),
        ("tree", n, tree(n.next_power_of_two() / 2)),
        ("crosstalk, 1 each", n, crosstalk(n / 100, 100, 1)),
        ("crosstalk, 5 each", n, crosstalk(n / 100, 100, 5)),
        ("crosstalk, 20 each", n, crosstalk(n / 100, 100, 20)),
    ];
    for (name, _, layer) in &rows {
        let wants = [Want::Layer(layer.clone())];
        let room = Room { bytes: usize::MAX, cancel: &cancel };
        let make = || Plan::new(&host, &wants, room).expect("the layers fit together");
        let plan = make();
        let tasks = plan.len() as f64;
        let planning = best(3, || {
            let begin = Instant::now();
            std::hint::black_box(make());
            begin.elapsed().as_secs_f64()
        });
        let run = |config: &Config| {
            let computation = Computation { host: &host, runtime: &runtime, config, cancel: &cancel };
            best(5, || {
                let begin = Instant::now();
                computation.plan(&plan).expect("nothing fails");
                begin.elapsed().as_secs_f64()
            })
        };
        let row = [planning, run(&threads), run(&sync), best(5, || rayon_run(&plan))];
        let row: Vec<String> = row.iter().map(|s| format!("{:>10.3}", s / tasks * 1e6)).collect();
        println!("{name:<22}{}", row.concat());
    }
    beside_dask(n);
}

/// Dask's schedulers on the same shapes, in the same minute.
fn beside_dask(n: usize) {
    let script = format!(
        r#"
import time, random
import dask, dask.threaded, dask.local
n = min({n}, 100_000)
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
rows = [("independent", independent(n)), ("chain", chain(n // 10)), ("tree", tree(n // 2))]
rows += [(f"crosstalk, {{k}} each", crosstalk(n // 100, 100, k)) for k in (1, 5, 20)]
print(f"dask {{dask.__version__}}, µs a task".ljust(32) + "threaded".rjust(10) + "sync".rjust(10))
for name, (g, keys) in rows:
    times = []
    for get in (dask.threaded.get, dask.local.get_sync):
        t = time.perf_counter(); get(g, keys); times.append((time.perf_counter() - t) / len(g) * 1e6)
    print(name.ljust(32) + "".join(f"{{t:10.1f}}" for t in times))
"#
    );
    match Command::new("python3").args(["-c", &script]).output() {
        Ok(out) if out.status.success() => println!("\n{}", String::from_utf8_lossy(&out.stdout).trim_end()),
        _ => println!("\nNo `python3` that imports dask was found: no comparison with Dask."),
    }
}
