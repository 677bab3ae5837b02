//! Floor 8: everything below, tied together for a host program. The command and the session use nothing else.

mod convert;
mod register;

pub use convert::{FromValue, IntoValue};
pub use register::{HostFunction, Refusal};

use crate::data::{Cost, Function, Graph, Key, Task, Value};
use crate::err;
use crate::eval::Interpreter;
use crate::schedule::Config;
use crate::text::{Error, Result, Sources, Span};
use register::Registered;
use std::path::Path;
use std::sync::Arc;

/// A language of its own: names and their values, worker threads, block memory, options. Engines share nothing, and
/// nothing is global. An engine may be used from many threads at once; cloning one gives another handle to it.
#[derive(Clone)]
pub struct Engine {
    interpreter: Arc<Interpreter>,
}

/// Stops what an engine is computing, from any thread. Cloning one gives another for the same engine.
#[derive(Clone)]
pub struct Canceller {
    interpreter: Arc<Interpreter>,
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
    pub fn with_config(config: Config) -> Self {
        Engine { interpreter: Interpreter::new(config) }
    }

    /// Evaluates all forms of a text, and gives the value of the last one; a lazy value stays lazy.
    pub fn eval(&self, text: &str) -> Result<Value> {
        self.eval_named("<eval>", text)
    }

    /// [`Engine::eval`], with the name that errors call the text by.
    pub fn eval_named(&self, name: &str, text: &str) -> Result<Value> {
        let mut value = Value::Nil;
        for form in self.read(name, text)? {
            value = self.eval_form(&form)?;
        }
        Ok(value)
    }

    /// Evaluates all forms of a text, computes the last value, and converts it.
    pub fn eval_as<T: FromValue>(&self, text: &str) -> Result<T> {
        T::try_from_value(&self.compute(&self.eval(text)?)?)
    }

    /// Runs a program in a file; what it imports is found relative to it.
    pub fn run_file(&self, path: &Path) -> Result<Value> {
        self.guarded(|| self.interpreter.run_file(path))
    }

    /// Reads a text into its forms, which keep their places in it.
    pub fn read(&self, name: &str, text: &str) -> Result<Vec<Task>> {
        self.guarded(|| self.interpreter.read(name, text))
    }

    /// Reads a text that is one form.
    pub fn read_one(&self, name: &str, text: &str) -> Result<Task> {
        let mut forms = self.read(name, text)?;
        match (forms.pop(), forms.len()) {
            (Some(form), 0) => Ok(form),
            (None, _) => Err(err!(Syntax, "there is no form in the text")),
            (Some(_), more) => Err(err!(Syntax, "there is one form expected in the text, and {} found", more + 1)),
        }
    }

    /// Whether the text ends before a form does, so that more lines could complete it.
    pub fn is_incomplete(&self, text: &str) -> bool {
        crate::read::read(text).is_err_and(|error| error.is_incomplete())
    }

    /// Evaluates one form.
    pub fn eval_form(&self, form: &Task) -> Result<Value> {
        self.guarded(|| self.interpreter.eval(form))
    }

    /// The value with all that is lazy in it computed, also within lists and maps; what is concrete as it is.
    pub fn compute(&self, value: &Value) -> Result<Value> {
        let values = self.compute_all(std::slice::from_ref(value))?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Computes values together: what they share runs once.
    pub fn compute_all(&self, values: &[Value]) -> Result<Vec<Value>> {
        use crate::data::Host;
        self.guarded(|| self.interpreter.compute(values, Span::NONE))
    }

    /// The results of keys of a graph, as the option `scheduler` says. Heads of calls are global names of this engine.
    pub fn compute_keys(&self, graph: &Graph, keys: &[Key]) -> Result<Vec<Value>> {
        self.guarded(|| self.interpreter.compute_keys(graph, keys))
    }

    /// The value of a global name.
    pub fn get(&self, name: &str) -> Option<Value> {
        use crate::data::Host;
        self.interpreter.global(name)
    }

    /// The value of a global name, computed and converted.
    pub fn get_as<T: FromValue>(&self, name: &str) -> Result<T> {
        let value = self.get(name).ok_or_else(|| err!(Unbound, "nothing is named `{name}`"))?;
        T::try_from_value(&self.compute(&value)?)
    }

    /// Binds a global name.
    pub fn set(&self, name: &str, value: impl IntoValue) -> Result<()> {
        self.interpreter.define(name, value.into_value()?);
        Ok(())
    }

    /// Makes a Rust function one of the language. `usage` says how it is called, as `(hypot x y)`, `(load path :retries 3)`,
    /// `(total & xs)`: the name, then a parameter for each argument of the function; what `&` collects is a list.
    ///
    /// The function is called with concrete values. Given a lazy argument, the call is a task instead, which a worker runs;
    /// so the function may be called from many threads at once.
    pub fn register<A: 'static, F: HostFunction<A>>(&self, usage: &str, function: F) -> Result<()> {
        let (name, signature) = crate::op::parse_usage(usage)?;
        if signature.params.len() != F::ARITY {
            let (declared, taken) = (signature.params.len(), F::ARITY);
            return Err(err!(Arity, "`{usage}` declares {declared} parameters, but the function takes {taken}"));
        }
        self.register_function(Function {
            name,
            signature: Arc::new(signature),
            doc: None,
            cost: Cost::Unknown,
            callable: Box::new(Registered::new(function)),
        });
        Ok(())
    }

    /// Makes any [`Function`] one of the language, under its name: one that wants the call's span, or calls back.
    pub fn register_function(&self, function: Function) {
        let name = function.name.clone();
        self.interpreter.define(&name, Value::from(function));
    }

    /// A handle that stops what this engine computes.
    pub fn canceller(&self) -> Canceller {
        Canceller { interpreter: self.interpreter.clone() }
    }

    /// A value as text that reads back where that is possible.
    pub fn show(&self, value: &Value) -> String {
        crate::read::print(value)
    }

    /// An error as a report: its code and sentence, the text that caused it with labels, and help.
    pub fn report(&self, error: &Error, colour: bool) -> String {
        crate::text::report(&error.clone().with_sources(self.sources()), colour)
    }

    /// The texts that were read.
    pub fn sources(&self) -> &Arc<Sources> {
        self.interpreter.sources()
    }

    /// Names that are bound: ops, the prelude's, the user's.
    pub fn names(&self) -> Vec<String> {
        self.interpreter.names()
    }

    /// How the function of that name is called.
    pub fn usage(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Function(function) => Some(function.usage()),
            _ => None,
        }
    }

    /// Runs with what an error refers to attached to it, and with a panic, which is a defect, as an error.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
            Err(err!(Internal, "a panic: {}", text.unwrap_or("without a message")))
        });
        result.map_err(|error| error.with_sources(self.sources()))
    }
}

impl Canceller {
    /// Stops what is being computed: it ends with `dsk::interrupted` as soon as running tasks are done. Whether there was
    /// something to stop that nobody had stopped before.
    pub fn cancel(&self) -> bool {
        self.interpreter.cancel()
    }
}
impl Engine {
    pub fn error_value(&self, error: &Error) -> Value { self.interpreter.error_value(error) }
    pub fn keywords(&self, name: &str) -> Vec<String> { let Some(Value::Function(f)) = self.get(name) else { return Vec::new() };
        let named = f.signature.params.iter().filter(|p| matches!(p.kind, crate::data::ParamKind::Optional | crate::data::ParamKind::Keyword));
        named.map(|p| p.name.to_string()).collect() }
}
