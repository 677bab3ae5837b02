//! Kernels on one thread against what the machine can do (copying, reading, multiply-adds, measured beside them) and, where
//! python3 has it, against NumPy. Best of several runs each; ratios are what counts.
//!
//!     cargo bench --bench kernels

use dsk::data::{Block, DType, Pool, Value};
use dsk::kernel::fused::{Expr, Program};
use dsk::kernel::gemm::{self, Threads};
use dsk::kernel::random::{Distribution, random};
use dsk::kernel::reduce::{self, Reduce};
use dsk::kernel::{Binary, Unary, layout};
use multiversion::multiversion;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

/// Elements of the streaming benchmarks: well beyond the caches.
const N: usize = 1 << 23;

fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let time = |f: &mut dyn FnMut()| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    (0..7).map(|_| time(&mut f)).fold(f64::INFINITY, f64::min)
}

/// Multiply-adds on registers: the most that arithmetic can reach.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn multiply_adds(rounds: usize) -> f64 {
    let mut lanes = [1.0f64; 96];
    let (a, b) = (black_box(0.999_999), black_box(1e-9));
    for _ in 0..rounds {
        for x in &mut lanes {
            *x = x.mul_add(a, b);
        }
    }
    lanes.iter().sum()
}

fn number(n: i64) -> Expr {
    Expr::Number(Value::Int(n))
}

fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::binary(op, a, b)
}

const NUMPY: &str = r#"
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np, time
def best(f):
    f()
    t = []
    for _ in range(5):
        s = time.perf_counter(); f(); t.append(time.perf_counter() - s)
    return min(t)
n = 1 << 23
x = np.random.default_rng(0).random(n); y = x[::-1].copy(); m = x.reshape(4096, 2048); f = x.astype("f4")
a = np.random.default_rng(1).random((1000, 1000)); b = a.T.copy()
for name, g in [("add", lambda: x + y), ("polynomial", lambda: ((x + 1) * 2) ** 3), ("exp(sin(x)*y)", lambda: np.exp(np.sin(x) * y)),
                ("where", lambda: np.where(x > 0.5, x, y)), ("cast", lambda: x.astype("f4")), ("transposed copy", lambda: m.T.copy()),
                ("sum", lambda: x.sum()), ("sum float32", lambda: f.sum()), ("sum axis 0", lambda: m.sum(0)), ("sum axis 1", lambda: m.sum(1)), ("max", lambda: x.max()),
                ("var", lambda: x.var()), ("gemm", lambda: a @ b), ("gemm transposed", lambda: a.T @ b)]:
    print(name, best(g), sep="\t")
"#;

fn numpy() -> HashMap<String, f64> {
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let output = std::process::Command::new(python).args(["-c", NUMPY]).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let row = |line: &str| line.split_once('\t').and_then(|(k, v)| Some((k.to_string(), v.parse().ok()?)));
    text.lines().filter_map(row).collect()
}

fn main() {
    let pool = Pool::new(1 << 30);
    let _in_force = pool.enter();
    let make = |seed, shape: &[usize]| {
        let origin = vec![0; shape.len()];
        random(&Distribution::Random, DType::F64, seed, shape, &origin, shape).expect("floats are random")
    };
    let (x, y) = (make(1, &[N]), make(2, &[N]));
    let matrix = x.reshape(&[4096, 2048]);
    let narrow = x.cast(DType::F32).expect("floats convert");
    let run = |dtypes: &[DType], expr: Expr, inputs: &[&Block]| {
        let program = Program::new(dtypes, &expr).expect("the expression compiles");
        seconds(|| {
            let inputs = inputs.iter().map(|b| (*b).clone()).collect();
            black_box(program.run(inputs).expect("the program runs"));
        })
    };
    let [a, b] = [0, 1].map(Expr::Input);
    let polynomial = binary(
        Binary::Power,
        binary(Binary::Multiply, binary(Binary::Add, a.clone(), number(1)), number(2)),
        number(3),
    );
    let waves = Expr::unary(Unary::Exp, binary(Binary::Multiply, Expr::unary(Unary::Sin, a.clone()), b.clone()));
    let half = Expr::Number(Value::Float(0.5));
    let chosen = Expr::where_(binary(Binary::Greater, a.clone(), half), a.clone(), b.clone());
    let two = [DType::F64; 2];
    let reduced = |op, block: &Block, axes: &[usize]| {
        seconds(|| {
            black_box(reduce::reduce(op, block, axes, None).expect("numbers are reduced"));
        })
    };

    // Memory as blocks have it.
    let mut target = Block::alloc(DType::F64, &[N]);
    let target = target.as_mut_bytes();
    let bytes = x.as_bytes().expect("the block is contiguous");
    let copy = seconds(|| black_box(&mut *target).copy_from_slice(bytes));
    let words = x.as_slice::<f64>().expect("the block is contiguous");
    let read = seconds(|| {
        let lanes = words.chunks_exact(64).fold([0.0; 64], |mut lanes: [f64; 64], chunk| {
            lanes.iter_mut().zip(chunk).for_each(|(a, x)| *a += x);
            lanes
        });
        black_box(lanes);
    });
    let rounds = 1_000_000;
    let peak = 2.0 * 96.0 * rounds as f64
        / seconds(|| {
            black_box(multiply_adds(black_box(rounds)));
        })
        / 1e9;
    let gb = |bytes: usize, t: f64| bytes as f64 / t / 1e9;
    println!("copy {:.1} GB/s, read {:.1} GB/s, multiply-adds {peak:.1} GFLOPS", gb(16 * N, copy), gb(8 * N, read));

    let numpy = numpy();
    println!("{:<18}{:>9}{:>14}{:>12}{:>12}", "", "ms", "GB/s", "of limit", "NumPy / dsk");
    let row = |name: &str, time: f64, rate: String, limit: f64| {
        let beside = numpy.get(name).map_or("-".into(), |t| format!("{:.2}", t / time));
        println!("{name:<18}{:>9.2}{rate:>14}{limit:>12.2}{beside:>12}", time * 1e3);
    };
    // A pass that reads and writes is measured by copying, one that only reads by reading.
    let streams = [
        ("add", run(&two, binary(Binary::Add, a.clone(), b.clone()), &[&x, &y]), 24),
        ("polynomial", run(&two[..1], polynomial, &[&x]), 16),
        ("exp(sin(x)*y)", run(&two, waves, &[&x, &y]), 24),
        ("where", run(&two, chosen, &[&x, &y]), 24),
        ("cast", run(&two[..1], Expr::cast(DType::F32, a), &[&x]), 12),
        (
            "transposed copy",
            seconds(|| {
                black_box(matrix.transpose(&[1, 0]).contiguous());
            }),
            16,
        ),
    ];
    for (name, time, per_element) in streams {
        let rate = gb(per_element * N, time);
        row(name, time, format!("{rate:.1}"), rate / gb(16 * N, copy));
    }
    let reductions = [
        ("sum", reduced(Reduce::Sum, &x, &[0]), 8),
        ("sum float32", reduced(Reduce::Sum, &narrow, &[0]), 4),
        ("sum axis 0", reduced(Reduce::Sum, &matrix, &[0]), 8),
        ("sum axis 1", reduced(Reduce::Sum, &matrix, &[1]), 8),
        ("max", reduced(Reduce::Max, &x, &[0]), 8),
        (
            "var",
            seconds(|| {
                black_box(reduce::moments(&x, &[0]).expect("numbers have moments"));
            }),
            8,
        ),
    ];
    for (name, time, per_element) in reductions {
        let rate = gb(per_element * N, time);
        row(name, time, format!("{rate:.1}"), rate / gb(8 * N, read));
    }
    let (p, q) = (make(3, &[1000, 1000]), make(4, &[1000, 1000]));
    for (name, p) in [("gemm", p.clone()), ("gemm transposed", p.transpose(&[1, 0]))] {
        let time = seconds(|| {
            black_box(gemm::matmul(&p, &q, Threads::One).expect("the shapes fit"));
        });
        let rate = 2.0 / time;
        row(name, time, format!("{rate:.1} GF"), rate / peak);
    }
    let mut whole = Block::alloc(DType::F64, &[4096, 2048]);
    let time = seconds(|| layout::copy_into(&mut whole, &[0, 0], &matrix));
    row("copy into", time, format!("{:.1}", gb(16 * N, time)), copy / time);
}
