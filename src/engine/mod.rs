//! Floor 8: everything below, tied together for a host program. The command and the session use nothing else.

mod convert;
mod register;

pub use convert::{FromValue, IntoValue};
pub use register::{HostFunction, Refusal};

use crate::data::panicked::panicked;
use crate::data::{Cost, Function, Graph, Host, Key, Memory, ParamKind, Task, Value, cancel};
use crate::err;
use crate::eval::Interpreter;
use crate::memory::CacheInfo;
use crate::read;
use crate::schedule::{Computation, Config};
use crate::text::{Code, Error, Result, Sources, Span};
use parking_lot::Mutex;
use register::Registered;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A language of its own: names and their values, worker threads, block memory, options. Engines share nothing, and
/// nothing is global. An engine may be used from many threads at once; cloning one gives another handle to it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Stops what an engine is computing, from any thread. Cloning one gives another for the same engine.
#[derive(Clone)]
pub struct Canceller {
    shared: Arc<Shared>,
}

struct Shared {
    interpreter: Arc<Interpreter>,
    running: Mutex<Running>,
}

/// What there is to cancel.
#[derive(Default)]
struct Running {
    calls: usize,
    cancelled: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Engine::new()
    }
}

impl Engine {
    /// An engine with the default options: every core, and 70 % of the machine's memory for blocks.
    pub fn new() -> Self {
        Engine::with_config(Config::default())
    }

    /// An engine with options of its own: workers, memory, scheduler, observers.
    ///
    /// # Panics
    /// When the ops or the prelude that dsk comes with are broken, which a test would have found.
    pub fn with_config(config: Config) -> Self {
        let interpreter = crate::ops::registry().and_then(Interpreter::new);
        let interpreter = interpreter.unwrap_or_else(|error| panic!("the language itself is broken: {error:?}"));
        interpreter.set_config(config);
        Engine { shared: Arc::new(Shared { interpreter, running: Mutex::default() }) }
    }

    /// The most values that the stack of a thread may hold, which bounds recursion: about three for a call.
    pub fn limit_stack(&self, values: usize) {
        self.interpreter().set_stack_limit(values);
    }

    /// The most bytes that blocks of this engine have taken at once.
    pub fn peak_bytes(&self) -> usize {
        self.interpreter().runtime().pool.peak()
    }

    /// What is kept of computations for later ones, with so many entries of the highest scores. What is kept is said by the option
    /// [`Config::cache`]: nothing unless it is set.
    pub fn cache_info(&self, top: usize) -> CacheInfo {
        self.interpreter().cache_info(top)
    }

    /// The task that failed in the last computation: what `(replay)` runs again.
    pub fn failed_task(&self) -> Option<Key> {
        self.interpreter().runtime().failed.lock().as_ref().map(|failed| failed.key.clone())
    }

    /// Drops all that is kept between computations.
    pub fn clear_cache(&self) {
        self.interpreter().runtime().cache.clear();
    }

    /// Bytes of results that did not fit in memory and were put on disk so far.
    pub fn spilled_bytes(&self) -> u64 {
        self.interpreter().runtime().spilled()
    }

    /// Bytes of these results that were read back so far, each as often as it was.
    pub fn read_back_bytes(&self) -> u64 {
        self.interpreter().runtime().read_back()
    }

    /// Where `print` writes; standard output if never told.
    pub fn set_output(&self, output: impl Write + Send + 'static) {
        self.interpreter().set_output(output);
    }

    /// Evaluates all forms of a text, and gives the value of the last one; a lazy value stays lazy.
    pub fn eval(&self, text: &str) -> Result<Value> {
        self.eval_named("<eval>", text)
    }

    /// [`Engine::eval`], with the name that errors call the text by, and that `import` starts from.
    pub fn eval_named(&self, name: &str, text: &str) -> Result<Value> {
        self.guarded(|| self.interpreter().eval_source(name, text))
    }

    /// Evaluates all forms of a text, computes the last value, and converts it.
    pub fn eval_as<T: FromValue>(&self, text: &str) -> Result<T> {
        T::try_from_value(&self.compute(&self.eval(text)?)?)
    }

    /// Runs a program in a file; what it imports is found relative to it.
    pub fn run_file(&self, path: &Path) -> Result<Value> {
        self.eval_named(&path.to_string_lossy(), &crate::io::text::program(path)?)
    }

    /// All that can be told to be wrong with a program without running it: syntax, names, calls, and shapes where they are known. Macros
    /// run, and the modules that it imports are looked at. The engine is no good for running programs afterwards.
    pub fn check(&self, name: &str, text: &str) -> Vec<Error> {
        let problems = self.guarded(|| Ok(self.interpreter().check(name, text))).unwrap_or_else(|error| vec![error]);
        problems.into_iter().map(|error| error.with_sources(self.sources())).collect()
    }

    /// Reads a text into its forms, which keep their places in it.
    pub fn read(&self, name: &str, text: &str) -> Result<Vec<Task>> {
        self.guarded(|| read::read(self.sources().add(name, text), text))
    }

    /// Reads a text that is one form.
    pub fn read_one(&self, name: &str, text: &str) -> Result<Task> {
        self.guarded(|| read::read_one(self.sources().add(name, text), text))
    }

    /// Evaluates one form.
    pub fn eval_form(&self, form: &Task) -> Result<Value> {
        self.guarded(|| self.interpreter().eval(form))
    }

    /// The value with all that is lazy in it computed, also within lists and maps; what is concrete as it is.
    pub fn compute(&self, value: &Value) -> Result<Value> {
        let values = self.compute_all(std::slice::from_ref(value))?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Computes values together: what they share runs once.
    pub fn compute_all(&self, values: &[Value]) -> Result<Vec<Value>> {
        self.guarded(|| self.interpreter().compute(values, Span::NONE))
    }

    /// The results of keys of a graph. Heads of calls in hand-made tasks are global names of this engine.
    pub fn compute_keys(&self, graph: &Graph, keys: &[Key]) -> Result<Vec<Value>> {
        let interpreter = self.interpreter();
        self.guarded(|| {
            let (runtime, config, cancel) = (interpreter.runtime(), &interpreter.config(), interpreter.cancelled());
            Computation { host: &**interpreter, runtime, config, cancel }.keys(graph, keys)
        })
    }

    /// The value of a global name.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.interpreter().global(name, Span::NONE)
    }

    /// The value of a global name, computed and converted.
    pub fn get_as<T: FromValue>(&self, name: &str) -> Result<T> {
        let value = self.get(name).ok_or_else(|| err!(Unbound, "nothing is called `{name}`"))?;
        T::try_from_value(&self.compute(&value)?)
    }

    /// Binds a global name.
    pub fn set(&self, name: &str, value: impl IntoValue) -> Result<()> {
        self.interpreter().define(name, value.into_value()?);
        Ok(())
    }

    /// Makes a Rust function one of the language. `usage` says how it is called, as `(hypot x y)`, `(load path :retries 3)`,
    /// `(total & xs)`: the name, then a parameter for each argument of the function; what `&` collects is a list.
    ///
    /// The function is called with concrete values. Given a lazy argument, the call is a task instead, which a worker runs;
    /// so the function may be called from many threads at once.
    pub fn register<A: 'static, F: HostFunction<A>>(&self, usage: &str, function: F) -> Result<()> {
        let (name, signature) = crate::op::usage::parse(usage)?;
        if signature.params.len() != F::ARITY {
            let (declared, taken) = (signature.params.len(), F::ARITY);
            return Err(err!(Arity, "`{usage}` declares {declared} parameters, but the function takes {taken}"));
        }
        self.register_function(Function {
            name,
            signature: Arc::new(signature),
            doc: None,
            cost: Cost::Unknown,
            memory: Memory::Unknown,
            callable: Box::new(Registered::new(function)),
        });
        Ok(())
    }

    /// Makes any [`Function`] one of the language, under its name: one that wants the call's span, or calls back.
    pub fn register_function(&self, function: Function) {
        let name = function.name.clone();
        self.interpreter().define(&name, Value::from(function));
    }

    /// A handle that stops what this engine computes.
    pub fn canceller(&self) -> Canceller {
        Canceller { shared: self.shared.clone() }
    }

    /// A value as a session shows it. `dsk::limit` where that is a text longer than a gigabyte, as it may be of lists that share
    /// their parts.
    pub fn show(&self, value: &Value) -> Result<String> {
        self.guarded(|| read::show(value))
    }

    /// An error as a report: its code and sentence, the text that caused it with labels, and help.
    pub fn report(&self, error: &Error, colour: bool) -> String {
        crate::text::report(&error.clone().with_sources(self.sources()), colour)
    }

    /// An error as `catch` gives it: a map of `:code :message :key :span`.
    pub fn error_value(&self, error: &Error) -> Value {
        crate::eval::error_value(error, self.sources())
    }

    /// The texts that were read.
    pub fn sources(&self) -> &Arc<Sources> {
        self.interpreter().sources()
    }

    /// Every name that a program can mention: globals, macros, ops and special forms.
    pub fn names(&self) -> Vec<String> {
        self.interpreter().names().iter().map(ToString::to_string).collect()
    }

    /// How the function, macro or special form of that name is called.
    pub fn usage(&self, name: &str) -> Option<String> {
        self.interpreter().usage(name)
    }

    /// What the function, macro or special form of that name says of itself.
    pub fn doc(&self, name: &str) -> Option<String> {
        self.interpreter().doc(name).map(|doc| doc.to_string())
    }

    /// The names of the arguments that a function takes by name.
    pub fn keywords(&self, name: &str) -> Vec<String> {
        let Some(Value::Function(function)) = self.get(name) else { return Vec::new() };
        let params = function.signature.params.iter();
        let named = params.filter(|p| matches!(p.kind, ParamKind::Optional | ParamKind::Keyword));
        named.map(|p| p.name.to_string()).collect()
    }

    fn interpreter(&self) -> &Arc<Interpreter> {
        &self.shared.interpreter
    }

    /// Runs so that it can be cancelled, with what an error refers to attached to it, and with a panic, which is a defect,
    /// as an error.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let _running = Guard::new(&self.shared);
        let _pool = self.interpreter().enter_pool();
        let run = || cancel::during(self.interpreter().cancelled(), run);
        let caught = catch_unwind(AssertUnwindSafe(run));
        let mut result = caught.unwrap_or_else(|panic| Err(panicked("a panic", &*panic)));
        // What was cancelled may have stopped half-way without a word: it has no result.
        let unsaid = result.as_ref().err().is_none_or(|error| error.code() == Code::Internal);
        if unsaid && self.interpreter().cancelled().load(Relaxed) {
            result = Err(err!(Interrupted, "the computation was interrupted"));
        }
        result.map_err(|error| error.with_sources(self.sources()))
    }
}

/// Counts a call of the engine while it lasts. Only when the last one is over may what was cancelled run again.
struct Guard<'a>(&'a Shared);

impl<'a> Guard<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.running.lock().calls += 1;
        Guard(shared)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut running = self.0.running.lock();
        running.calls -= 1;
        if running.calls == 0 && running.cancelled {
            running.cancelled = false;
            self.0.interpreter.resume();
        }
    }
}

impl Canceller {
    /// Stops what is being computed: it ends with `dsk::interrupted` as soon as the tasks that run are done. Whether there
    /// was something to stop that nobody had stopped before.
    pub fn cancel(&self) -> bool {
        let mut running = self.shared.running.lock();
        let stops = running.calls > 0 && !running.cancelled;
        if stops {
            running.cancelled = true;
            self.shared.interpreter.cancel();
        }
        stops
    }
}
