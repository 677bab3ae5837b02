//! dsk: a small Lisp whose programs are task graphs.
//!
//! This crate is the language and its engine, to be embedded. The command `dsk` uses nothing that is not here.
//!
//! # From one line to a host program
//!
//! An [`Engine`] holds names and their values, and whatever computing takes: worker threads, block memory, limits.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! let engine = dsk::Engine::new();
//! let mean: f64 = engine.eval_as("(mean [1 2 3 4])")?;
//! assert_eq!(mean, 2.5);
//! # Ok(())
//! # }
//! ```
//!
//! Values go in by name and come out by type; arrays are `ndarray`'s. What is in chunks is lazy: `x` below stands for a
//! graph of tasks, and `eval_as` computes it, on every core.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! use ndarray::{Array1, Array2};
//!
//! let engine = dsk::Engine::new();
//! engine.set("x", Array2::from_shape_fn((100, 4), |(i, j)| (i * j) as f64))?;
//! engine.eval("(def x (rechunk x [25 4]))")?;
//! let means: Array1<f64> = engine.eval_as("(mean x :axis 0)")?;
//! assert_eq!(means.to_vec(), [0.0, 49.5, 99.0, 148.5]);
//! # Ok(())
//! # }
//! ```
//!
//! A Rust function becomes one of the language. Its usage line says how it is called; its arguments are checked and
//! converted. Given a lazy argument the call is a task, and the function runs on a worker, with the computed value.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! use ndarray::ArrayD;
//!
//! let engine = dsk::Engine::new();
//! engine.register("(hypot x y)", |x: f64, y: f64| x.hypot(y))?;
//! assert_eq!(engine.eval_as::<f64>("(hypot 3 4)")?, 5.0);
//!
//! engine.register("(clamped block)", |block: ArrayD<f64>| block.mapv(|x| x.clamp(0.0, 2.0)))?;
//! let sum: f64 = engine.eval_as("(sum (map-blocks clamped (arange 0.0 6.0 :chunks 2)))")?;
//! assert_eq!(sum, 9.0);
//! # Ok(())
//! # }
//! ```
//!
//! Errors are values with a code, a sentence, and the text that caused them.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! let engine = dsk::Engine::new();
//! engine.register("(root x)", |x: f64| if x < 0.0 { Err(dsk::err!(Value, "root: {x} is negative")) } else { Ok(x.sqrt()) })?;
//! let error = engine.eval("(+ 1 (root -4.0))").unwrap_err();
//! assert_eq!(error.code().as_str(), "dsk::value");
//! assert!(engine.report(&error, false).contains("root: -4 is negative"));
//! # Ok(())
//! # }
//! ```
//!
//! A computation can be limited, watched, and cancelled from another thread.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! use dsk::{Config, Engine};
//! use std::thread;
//! use std::time::Duration;
//!
//! let engine = Engine::with_config(Config { workers: 2, memory_limit: 1 << 30, ..Config::default() });
//! let canceller = engine.canceller();
//! let watch = thread::spawn(move || {
//!     // Cancelling where nothing runs does nothing, and says so.
//!     while !canceller.cancel() {
//!         thread::sleep(Duration::from_millis(1));
//!     }
//! });
//! let error = engine.eval("(loop [] (recur))").unwrap_err();
//! assert_eq!(error.code().as_str(), "dsk::interrupted");
//! watch.join().unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! A graph may also be made by hand: a map from keys to tasks, which are what the reader yields.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! use dsk::data::{Graph, Key};
//!
//! let engine = dsk::Engine::new();
//! let task = |text| engine.read_one("graph", text);
//! let graph = Graph::from_tasks(vec![
//!     (Key::new("x"), task("1")?),
//!     (Key::new("y"), task("(+ x 1)")?),
//!     (Key::new("z"), task("(* y 10)")?),
//! ]);
//! let z = engine.compute_keys(&graph, &[Key::new("z")])?;
//! assert_eq!(format!("{z:?}"), "[20]");
//! # Ok(())
//! # }
//! ```
//!
//! And so may a scheduler: it decides which ready task runs when, and where. The tasks, their results and their errors are
//! looked after.
//!
//! ```
//! # fn main() -> dsk::Result<()> {
//! use dsk::schedule::{Run, Scheduler};
//! use dsk::{Config, Engine};
//! use std::sync::Arc;
//!
//! /// What became ready last runs first, on this thread.
//! struct LastFirst;
//!
//! impl Scheduler for LastFirst {
//!     fn name(&self) -> &'static str {
//!         "last-first"
//!     }
//!
//!     fn run(&self, run: &Run) {
//!         let mut ready = run.roots().to_vec();
//!         while let Some(task) = ready.pop() {
//!             if run.stopped() {
//!                 return;
//!             }
//!             run.task(task, 0, &mut |next| ready.push(next));
//!         }
//!     }
//! }
//!
//! let engine = Engine::with_config(Config { scheduler: Arc::new(LastFirst), ..Config::default() });
//! assert_eq!(engine.eval_as::<i64>("(sum (+ (arange 15 :chunks 5) 100))")?, 1605);
//! # Ok(())
//! # }
//! ```
//!
//! # The life of one line
//!
//! What happens to `(store (dot (transpose A) B) "out.h5::/C")`:
//!
//! 1. [`read`] turns the text into a [`data::Task`]: a call of `store` whose first argument is a call of `dot`. A task is
//!    data, a key, a call or a list, and that is all the syntax there is.
//! 2. [`eval`] compiles the task and runs it, arguments first.
//! 3. [`ops`] `transpose` and `dot` are given lazy arrays, so they are lazy: each infers shape, dtype and chunks of its
//!    result, or says at the call why it cannot, and adds a [`data::Layer`]: one task that stands for that of every block.
//! 4. [`optimize`] rewrites the layers that `store` needs, pass by pass, into fewer and larger tasks, and ranks them.
//! 5. [`schedule`] gives ready tasks to workers by rank, and keeps each result until its last use.
//! 6. [`io`] reads a block where it lies in the file; [`kernel`] adds the product of two blocks to an accumulator; the
//!    finished block is written, and its buffer becomes the next block's.
//! 7. What went wrong on the way comes back as a [`text::Error`] with a code, the span of the text that caused it, and the
//!    key of the task.
//!
//! `src/README.md` is the map of the folders, in the order of these floors.

pub use data::Value;
pub use engine::{Canceller, Engine, FromValue, IntoValue};
pub use schedule::Config;
pub use text::{Error, Result};

pub mod data;
pub mod engine;
pub mod eval;
pub mod io;
pub mod kernel;
pub mod memory;
pub mod op;
pub mod ops;
pub mod optimize;
pub mod read;
pub mod schedule;
pub mod text;
pub mod tools;
