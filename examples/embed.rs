//! A program that embeds dsk: it gives the engine an array and a function of its own, runs a pipeline on blocks with
//! progress and a limit, and takes the result back. `cargo run --example embed`

use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine, Result, Value};
use ndarray::{Array1, Array3, ArrayD};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts tasks as they finish.
#[derive(Default)]
struct Count(AtomicUsize);

impl Observer for Count {
    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {
        self.0.fetch_add(1, Relaxed);
    }
}

pub fn main() -> Result<()> {
    let count = Arc::new(Count::default());
    let config = Config { workers: 2, memory_limit: 256 << 20, observers: vec![count.clone()], ..Config::default() };
    let engine = Engine::with_config(config);

    // Ten days of temperatures, four a day, on a grid of 6 by 8 places; in kelvin.
    let measured = Array3::from_shape_fn((40, 6, 8), |(time, row, column)| {
        280.0 + (time % 4) as f64 + row as f64 * 0.5 - column as f64 * 0.25
    });
    engine.set("measured", measured)?;

    // A function in Rust, for blocks: it runs inside the tasks, on the workers.
    engine.register("(celsius block)", |block: ArrayD<f64>| block - 273.15)?;

    engine.eval("(def temps (map-blocks celsius (rechunk measured [4 6 8])))")?;
    let by_hour: Array1<f64> = engine.eval_as(
        "(let [mean-at (fn [hour] (mean (temps (: hour nil 4))))]
           (stack [(mean-at 0) (mean-at 1) (mean-at 2) (mean-at 3)]))",
    )?;
    println!("mean by hour of the day: {by_hour:.2}");
    println!("tasks run: {}", if count.0.load(Relaxed) > 0 { "some" } else { "none" });

    // What goes wrong says what, and where.
    let error = engine.eval("(sum temps :axes 0)").unwrap_err();
    print!("{}", engine.report(&error, false));
    Ok(())
}
