//! Ten computations on data twenty times as large as the memory limit: `cargo bench --bench budget`.
//!
//! Each runs in a process of its own, once with the limit and once without, so that its peak resident memory is its own.
//! The table tells whether the limit was kept, how the bound that `explain` gave before compares with the peak, and what the
//! limit costs. `DSK_BENCH_MB` is the size of the data, 1280 unless it says otherwise; a word as argument picks kinds.
//! It fails where a result under the limit is not the one without a limit, to the bit, and where a bound does not hold.

mod memory;

use dsk::{Config, Engine, Value};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Kinds and expressions; those that make something large are stored, others computed. `x` is a dataset of 20 by 20
/// blocks, `rows` the same one in whole rows.
const KINDS: &[(&str, bool, &str)] = &[
    ("elementwise", true, "(+ (* x 2) (sqrt (abs x)))"),
    ("reductions", false, "[(sum x :axis 0) (std x :axis 1) (max x)]"),
    ("matmul", true, "(dot x (transpose (slice x (: 0 block))))"),
    ("rows to columns", true, "(rechunk rows [-1 thin])"),
    ("concatenate", false, "(sum (concatenate [x (negative x)] :axis 1) :axis 0)"),
    ("transpose", true, "(transpose x)"),
    ("centre", true, "(- x (mean x :axis 0))"),
    ("shifted slices", true, "(+ (slice x 1:) (slice x :-1))"),
    ("reshape", true, "(reshape x [(* 2 side) (// side 2)])"),
    ("wide graph", false, "(delayed-total)"),
];

const MB: f64 = 1e6;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "child") {
        return child(&args[at + 1], &args[at + 2], args[at + 3].parse().expect("a limit"));
    }
    let megabytes: usize = std::env::var("DSK_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(1280);
    let side = (megabytes * 1_000_000 / 8).isqrt() / 400 * 400;
    let limit = side * side * 8 / 20;
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), side);
    println!("{side} x {side} float64, {:.0} MB; memory limit {:.0} MB\n", limit as f64 * 20.0 / MB, limit as f64 / MB);
    println!(
        "{:16} {:>9} {:>9} {:>7} {:>9} {:>9} {:>7} {:>8} {:>8} {:>6} {:>9}",
        "MB, seconds", "peak RSS", "bound", "ratio", "held", "bound", "ratio", "limited", "free", "ratio", "spilled"
    );
    let (mut runs, mut within, mut close, mut wrong) = (0, 0, 0, Vec::<String>::new());
    let wanted = |kind: &str| args[1..].iter().all(|a| a.starts_with('-') || kind.contains(a.as_str()));
    for (kind, ..) in KINDS.iter().filter(|(kind, ..)| wanted(kind)) {
        runs += 1;
        let (limited, free) = match (run(kind, folder.path(), limit), run(kind, folder.path(), 0)) {
            (Ok(limited), Ok(free)) => (limited, free),
            (Err(what), _) | (_, Err(what)) => {
                wrong.push(format!("{kind} failed: {what}"));
                continue;
            }
        };
        if limited.digest != free.digest {
            wrong.push(format!("{kind}: the result under the limit is another one"));
        }
        let kept = if limited.resident <= limit as f64 + 64e6 { "" } else { "  above the limit + 64 MB" };
        let holds = limited.resident <= limited.resident_bound && limited.held <= limited.bound;
        within += usize::from(holds);
        close += usize::from(holds && limited.resident_bound <= 1.5 * limited.resident);
        let below = if holds { "" } else { "  above the bound" };
        if !holds {
            wrong.push(format!("{kind}: more memory was taken than was foretold"));
        }
        println!(
            "{kind:16} {:9.1} {:9.1} {:7.2} {:9.1} {:9.1} {:7.2} {:8.2} {:8.2} {:6.2} {:9.1}{kept}{below}",
            limited.resident / MB,
            limited.resident_bound / MB,
            limited.resident_bound / limited.resident,
            limited.held / MB,
            limited.bound / MB,
            limited.bound / limited.held,
            limited.seconds,
            free.seconds,
            limited.seconds / free.seconds,
            limited.spilled / MB
        );
    }
    println!("\nthe bound held for {within} of {runs}, and was at most 1.5 times the peak for {close}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("all results are the same with the limit and without, to the bit");
}

/// What a child measured.
struct Measured {
    resident: f64,
    resident_bound: f64,
    held: f64,
    bound: f64,
    seconds: f64,
    spilled: f64,
    /// Of the result's bits.
    digest: u64,
}

fn run(kind: &str, folder: &Path, limit: usize) -> Result<Measured, String> {
    let this = std::env::current_exe().expect("this program");
    let out = Command::new(this).args(["child", kind]).arg(folder).arg(limit.to_string()).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout);
    let (figures, digest) = text.trim().rsplit_once(' ').unwrap_or_default();
    let figures: Vec<f64> = figures.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    match (&figures[..], digest.parse()) {
        (&[resident, resident_bound, held, bound, seconds, spilled], Ok(digest)) => {
            Ok(Measured { resident, resident_bound, held, bound, seconds, spilled, digest })
        }
        _ => Err(format!("{text}{}", String::from_utf8_lossy(&out.stderr))),
    }
}

/// Makes the dataset.
fn make(folder: &Path, side: usize) {
    let engine = Engine::new();
    let target = folder.join("in.h5");
    let text = format!(
        "(store (random/normal 0 1 [{side} {side}] :chunks {} :seed 1) \"{}::/x\" :storage-chunks [{} {}])",
        side / 20,
        target.display(),
        side / 40,
        side / 40
    );
    engine.eval(&text).expect("the dataset is written");
    // Otherwise the first run would wait for the disk.
    File::open(target).and_then(|file| file.sync_all()).expect("the dataset is on disk");
}

fn child(kind: &str, folder: &str, limit: usize) {
    let mut config = Config { workers: 2, spill_dir: folder.into(), ..Config::default() };
    if limit > 0 {
        config.memory_limit = limit;
    }
    let engine = Engine::with_config(config);
    let definitions = format!(
        "(def x (read-array \"{folder}/in.h5::/x\"))
         (def side (nth (shape x) 0))
         (def block (// side 20))
         (def thin (// side 200))
         (def x (read-array \"{folder}/in.h5::/x\" :chunks block))
         (def rows (read-array \"{folder}/in.h5::/x\" :chunks [thin -1]))
         (defn delayed-total []
           (let [blocks (map (fn [i] (delay (random/normal 0 1 [block block] :seed i))) (range 400))
                 whole (delay (sum (map mean blocks)))]
             (delay (sum (map (fn [b] (max (- b whole))) blocks)))))"
    );
    let eval = |text: &str| engine.eval(text).unwrap_or_else(|e| panic!("{kind}: {e:?}"));
    eval(&definitions);
    let (_, stored, text) = KINDS.iter().find(|(name, ..)| *name == kind).expect("a kind");
    let figure = |explained: &Value, name: &str| match explained {
        Value::Map(map) => map.get(&Value::keyword(name)).and_then(Value::as_float).unwrap_or(0.0),
        _ => 0.0,
    };
    let explained = eval(&format!("(explain {text} :store {stored})"));
    let start = Instant::now();
    let answer = match stored {
        true => eval(&format!("(store {text} \"{folder}/out.h5::/y\" :overwrite true)")),
        false => eval(&format!("(compute {text})")),
    };
    let seconds = start.elapsed().as_secs_f64();
    print!(
        "{} {} {} {} {seconds} {} ",
        memory::peak(),
        figure(&explained, "resident-bytes"),
        engine.peak_bytes(),
        figure(&explained, "peak-bytes"),
        engine.spilled_bytes()
    );
    let mut digest = DefaultHasher::new();
    match stored {
        true => stored_bits(&engine, folder, &mut digest),
        false => bits(&answer, &mut digest),
    }
    println!("{}", digest.finish());
    if *stored {
        let _ = std::fs::remove_file(format!("{folder}/out.h5"));
    }
}

/// The bits of what was stored, some rows after the other.
fn stored_bits(engine: &Engine, folder: &str, to: &mut DefaultHasher) {
    let eval = |text: String| engine.eval(&text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    eval(format!("(def y (read-array \"{folder}/out.h5::/y\" :chunks [20 -1]))"));
    let rows = eval("(nth (shape y) 0)".into()).as_int().expect("a number of rows");
    (0..rows).step_by(20).for_each(|row| bits(&eval(format!("(compute (slice y {row}:{}))", row + 20)), to));
}

fn bits(value: &Value, to: &mut DefaultHasher) {
    match value {
        Value::Block(block) => {
            block.shape().iter().for_each(|&n| to.write_usize(n));
            to.write(block.contiguous().as_bytes().expect("bytes in a row"));
        }
        Value::List(items) => items.iter().for_each(|item| bits(item, to)),
        Value::Float(x) => to.write_u64(x.to_bits()),
        other => panic!("{other:?} has bits that nobody thought of"),
    }
}
