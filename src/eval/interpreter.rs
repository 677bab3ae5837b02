//! The interpreter: what programs share. It implements [`Host`], so that ops and schedulers can call dsk functions.

use super::call::{self, Arguments};
use super::closure::Closure;
use super::globals::{Binding, Cell, Globals, Namespace, Role};
use super::modules::Modules;
use super::operator::{Operator, Operators};
use super::quasi::Internals;
use super::{analyze, lazy, machine};
use crate::data::buffer::{Entered, Room};
use crate::data::function::Next;
use crate::data::{Args, Form, Function, Host, Pool, Reads, Seeds, Str, Task, Value, function, task::deep};
use crate::err;
use crate::memory::CacheInfo;
use crate::op::{Op, Registry};
use crate::read;
use crate::schedule::{self, Config, Runtime, inside_task};
use crate::text::{Error, Result, SourceId, Sources, Span};
use std::any::Any;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};

/// Values on the stack of one thread, about a third as many calls inside each other.
const STACK_LIMIT: usize = 2_000_000;

pub struct Interpreter {
    pub(super) globals: Globals,
    /// Ops and the prelude.
    pub(super) language: Arc<Namespace>,
    /// What scripts, the REPL and the embedding program define.
    pub(super) main: Arc<Namespace>,
    pub(super) registry: Registry,
    pub(super) operators: Operators,
    pub(super) internals: Internals,
    pub(super) modules: Modules,
    pub(super) cancel: AtomicBool,
    stack_limit: AtomicUsize,
    numbers: AtomicU64,
    seeds: Seeds,
    sources: Arc<Sources>,
    runtime: Runtime,
    output: parking_lot::Mutex<Box<dyn Write + Send>>,
    config: parking_lot::RwLock<Arc<Config>>,
    /// Tells interpreters of one thread apart.
    id: u64,
}

thread_local! {
    /// Options that `with-config` laid over others, by interpreter.
    static OPTIONS: RefCell<Vec<(u64, Arc<Config>)>> = const { RefCell::new(Vec::new()) };
}

impl Interpreter {
    /// An interpreter with these ops, its prelude read.
    pub fn new(registry: Registry) -> Result<Arc<Interpreter>> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let language = Arc::new(Namespace::default());
        let interpreter = Arc::new(Interpreter {
            globals: Globals::default(),
            main: Arc::new(Namespace::behind(language.clone())),
            operators: std::array::from_fn(|n| registry.get(Operator::ALL[n].name()).cloned()),
            internals: Internals::new(),
            modules: Modules::default(),
            cancel: AtomicBool::new(false),
            stack_limit: AtomicUsize::new(STACK_LIMIT),
            numbers: AtomicU64::new(0),
            seeds: Seeds::new(),
            sources: Arc::default(),
            runtime: Runtime::new(Pool::new(usize::MAX)),
            output: parking_lot::Mutex::new(Box::new(std::io::stdout())),
            config: parking_lot::RwLock::default(),
            id: IDS.fetch_add(1, Relaxed),
            language,
            registry,
        });
        for (name, function) in interpreter.registry.functions() {
            let cell = interpreter.language.own(name);
            let mut binding = Binding::new(Value::Function(function.clone()), Role::Op);
            binding.doc = function.doc.clone();
            interpreter.globals.set(&cell, binding);
        }
        interpreter.language.later().put_off(&interpreter);
        Ok(interpreter)
    }

    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Reads a text and evaluates all its forms: the value of the last. `name` is what reports call it, and where
    /// `import` starts from.
    pub fn eval_source(&self, name: &str, text: &str) -> Result<Value> {
        let source = self.sources.add(name, text);
        self.eval_text(source, text, &self.main).map_err(|e| e.with_sources(&self.sources))
    }

    pub(super) fn eval_text(&self, source: SourceId, text: &str, namespace: &Arc<Namespace>) -> Result<Value> {
        let forms = read::read(source, text)?;
        forms.iter().try_fold(Value::Nil, |_, form| self.eval_in(namespace, form))
    }

    /// Evaluates one form.
    pub fn eval(&self, form: &Task) -> Result<Value> {
        self.eval_in(&self.main, form).map_err(|e| e.with_sources(&self.sources))
    }

    /// Evaluates a top-level form. The parts of a top-level `do` are top-level forms: what one defines, the next can use
    /// as a macro.
    pub(super) fn eval_in(&self, namespace: &Arc<Namespace>, form: &Task) -> Result<Value> {
        if let Form::Call(items) = &form.form
            && form.is_call_of("do")
        {
            return deep(|| items[1..].iter().try_fold(Value::Nil, |_, form| self.eval_in(namespace, form)));
        }
        let proto = analyze::top_level(self, namespace, form)?;
        let closure = Closure { proto: Arc::new(proto), captured: Box::default() };
        // A call in tail position leaves no trace, and what the standard library is written in is no text of the user's.
        machine::call_closure(self, &closure, std::iter::empty(), form.span).map_err(|e| e.at(form.span))
    }

    /// The listing of what a form is compiled to.
    pub fn listing(&self, form: &Task) -> Result<String> {
        Ok(format!("{:?}", analyze::top_level(self, &self.main, form)?))
    }

    /// Binds a global name, as `def` does.
    pub fn define(&self, name: &str, value: Value) {
        let doc = match &value {
            Value::Function(f) => f.doc.clone(),
            _ => None,
        };
        let mut binding = Binding::new(value, Role::Value);
        binding.doc = doc;
        self.globals.set(&self.main.own(name), binding);
    }

    /// Every name a program can mention: globals, macros, ops and special forms, sorted.
    pub fn names(&self) -> Vec<Str> {
        let mut names = self.main.names();
        names.extend(super::forms::SPECIAL.iter().map(|(n, _)| Str::from(*n)));
        names.extend(self.registry.names().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Stops what runs at the next call or loop. It stays stopped until [`Interpreter::resume`].
    pub fn cancel(&self) {
        self.cancel.store(true, SeqCst);
    }

    /// Lets programs run again after [`Interpreter::cancel`].
    pub fn resume(&self) {
        self.cancel.store(false, SeqCst);
    }

    /// What computations look at to see whether they were stopped.
    pub fn cancelled(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Where `print` writes; standard output if never told.
    pub fn set_output(&self, output: impl Write + Send + 'static) {
        *self.output.lock() = Box::new(output);
    }

    /// How many values the stack of a thread may hold: what bounds recursion.
    pub fn stack_limit(&self) -> usize {
        self.stack_limit.load(Relaxed)
    }

    pub fn set_stack_limit(&self, values: usize) {
        self.stack_limit.store(values.clamp(1024, u32::MAX as usize), Relaxed);
    }

    /// The options in force here.
    pub fn config(&self) -> Arc<Config> {
        let nearest = OPTIONS.with_borrow(|o| o.iter().rev().find(|(id, _)| *id == self.id).map(|(_, c)| c.clone()));
        nearest.unwrap_or_else(|| self.config.read().clone())
    }

    /// The options of programs that set none themselves.
    pub fn set_config(&self, config: Config) {
        *self.config.write() = Arc::new(config);
    }

    /// Runs `f` on this thread with other options.
    pub fn with_config<T>(&self, config: Config, f: impl FnOnce() -> T) -> T {
        /// Takes the options away even when `f` panics.
        struct Restore(usize);
        impl Drop for Restore {
            fn drop(&mut self) {
                OPTIONS.with_borrow_mut(|o| o.truncate(self.0));
            }
        }
        let before = OPTIONS.with_borrow_mut(|o| {
            o.push((self.id, Arc::new(config)));
            o.len() - 1
        });
        let _restore = Restore(before);
        let _pool = self.enter_pool();
        f()
    }

    /// Has what is concrete take its memory from the pool, within the memory limit.
    pub fn enter_pool(&self) -> Entered {
        let limit = self.config().memory_limit;
        // What tasks take together others see to.
        self.runtime.pool.enter_within(if inside_task() { Room::Own(limit) } else { Room::All(limit) })
    }

    /// What is kept between computations, with so many entries of the highest scores.
    pub fn cache_info(&self, top: usize) -> CacheInfo {
        CacheInfo { limit: self.config().cache.unwrap_or(0), ..self.runtime.cache.info(top) }
    }

    /// A number that nobody got before.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    /// A symbol that nobody wrote.
    pub fn fresh(&self, name: &str) -> String {
        format!("{name}__{}", self.next_number())
    }

    pub(super) fn op_named(&self, name: &str) -> Option<Arc<Function>> {
        self.registry.get(name).cloned()
    }

    /// Whether the function is an op, which tasks name instead of holding it.
    pub(super) fn is_op(&self, f: &Arc<Function>) -> bool {
        self.registry.get(&f.name).is_some_and(|op| Arc::ptr_eq(op, f))
    }

    /// A function that was defined under its own name, by the program or by the host.
    pub(super) fn function_of(&self, f: &Function) -> Option<Arc<Function>> {
        let same = |value: &Value| match value {
            Value::Function(g) if std::ptr::eq(Arc::as_ptr(g), f) => Some(g.clone()),
            _ => None,
        };
        self.binding(&f.name, |b| same(&b.value))?
    }

    pub(super) fn is_form(&self, name: &str) -> bool {
        analyze::special(name).is_some()
    }

    /// The op or special form of that name.
    pub fn op_info(&self, name: &str) -> Option<&'static Op> {
        self.registry.op(name)
    }

    /// What a name is bound to: value, role, docstring, source.
    pub fn binding<T>(&self, name: &str, f: impl FnOnce(&Binding) -> T) -> Option<T> {
        self.binding_at(name, Span::NONE, f)
    }

    /// The same of a name in the text at `span`, which may be a module's.
    pub(super) fn binding_at<T>(&self, name: &str, span: Span, f: impl FnOnce(&Binding) -> T) -> Option<T> {
        let cell = self.namespace_at(name, span).bound(name)?;
        let running = self.globals.enter();
        let result = cell.get(&running).map(f);
        self.globals.leave(running);
        result
    }

    #[cold]
    pub(super) fn unbound(&self, name: &str, span: Span) -> Error {
        let span = self.head_of(name, span);
        let error = err!(Unbound, "nothing is called `{name}` here").label(span, "not bound to anything");
        if matches!(name, "exit" | "quit") {
            return error.help("a session ends with Ctrl-D, a program after its last form");
        }
        let Some(near) = analyze::nearest(&self.main, name) else { return error };
        let error = error.help(format!("did you mean `{near}`?"));
        match self.usage(&near) {
            Some(usage) => error.help(usage),
            None => error,
        }
    }

    /// Where the name first stands in the call at `span`: the code of a call knows but the whole of it.
    fn head_of(&self, name: &str, span: Span) -> Span {
        let Some(source) = self.sources.get(span.source) else { return span };
        let Some(text) = source.text.get(span.start as usize..span.end as usize) else { return span };
        let is_whole =
            |at: usize| !text[..at].ends_with(is_of_name) && !text[at + name.len()..].starts_with(is_of_name);
        match text.match_indices(name).find(|&(at, _)| is_whole(at)) {
            Some((at, _)) => {
                let start = span.start as usize + at;
                Span::new(span.source, start, start + name.len())
            }
            None => span,
        }
    }

    /// The form that the call of a macro expands to; `None` if the name is not a macro's.
    pub(super) fn expand_call(
        &self,
        namespace: &Namespace,
        form: &Task,
        name: &str,
        args: &[Task],
    ) -> Result<Option<Task>> {
        let Some(cell) = namespace.bound(name) else { return Ok(None) };
        let Some(function) = self.macro_of(&cell) else { return Ok(None) };
        let args: Arguments = args.iter().map(Task::quoted).collect();
        let expanded = call::apply(self, &function, args, form.span)?;
        let expanded = Task::from_quoted(&expanded, Span::NONE);
        Ok(Some(placed(&expanded, form.span)))
    }

    /// The names that a symbol in the text at `span` is looked up among.
    fn namespace_at(&self, name: &str, span: Span) -> Arc<Namespace> {
        let module = self.modules.of_text(span.source, &self.main).filter(|module| module.bound(name).is_some());
        module.unwrap_or_else(|| self.main.clone())
    }

    fn macro_of(&self, cell: &Cell) -> Option<Value> {
        let running = self.globals.enter();
        let value = cell.get(&running).filter(|b| b.role == Role::Macro).map(|b| b.value.clone());
        self.globals.leave(running);
        value
    }

    /// `(expand 'form)`: one step; the form itself if it is not the call of a macro.
    pub fn expand(&self, form: &Task) -> Result<Task> {
        if let Form::Call(items) = &form.form
            && let Some((head, args)) = items.split_first()
            && let Some(name) = head.as_symbol()
            && !self.is_form(name)
            && let Some(expanded) = self.expand_call(&self.namespace_at(name, head.span), form, name, args)?
        {
            return Ok(expanded);
        }
        Ok(form.clone())
    }
}

/// Whether the character is a part of symbols.
fn is_of_name(c: char) -> bool {
    !(c.is_whitespace() || "()[]{}\",;'`~@#".contains(c))
}

/// Gives code that has no span the span of the call that made it.
fn placed(task: &Task, span: Span) -> Task {
    if !task.span.is_none() {
        return task.clone();
    }
    deep(|| {
        let form = match &task.form {
            Form::Call(items) => Form::Call(items.iter().map(|t| placed(t, span)).collect()),
            Form::List(items) => Form::List(items.iter().map(|t| placed(t, span)).collect()),
            Form::Map(pairs) => Form::Map(pairs.iter().map(|(k, v)| (placed(k, span), placed(v, span))).collect()),
            other => other.clone(),
        };
        Task::new(form, span)
    })
}

/// The code without its place in a text, but for the symbols of templates: what the prelude's macros write means what it
/// means in the prelude, whatever the program calls by the same name.
pub(super) fn without_spans(task: &Task, in_template: bool) -> Task {
    let in_template = in_template || task.is_call_of("quasiquote");
    let bare = |t: &Task| without_spans(t, in_template);
    deep(|| {
        let form = match &task.form {
            Form::Call(items) => Form::Call(items.iter().map(bare).collect()),
            Form::List(items) => Form::List(items.iter().map(bare).collect()),
            Form::Map(pairs) => Form::Map(pairs.iter().map(|(k, v)| (bare(k), bare(v))).collect()),
            Form::Key(_) if in_template => return task.clone(),
            other => other.clone(),
        };
        Task::new(form, Span::NONE)
    })
}

impl Host for Interpreter {
    fn apply(&self, callee: &Value, args: &[Value], span: Span) -> Result<Value> {
        if let Value::Function(f) = callee
            && let Some(closure) = Closure::of(f)
        {
            return machine::call_closure(self, closure, args.iter().cloned(), span);
        }
        call::apply(self, callee, args.iter().cloned().collect(), span)
    }

    fn apply_for(&self, callee: &Value, window: &mut [Value], reads: &Reads, span: Span) -> Result<()> {
        if let Value::Function(f) = callee
            && let Some(closure) = Closure::of(f)
        {
            return machine::call_in(self, closure, window, reads, span);
        }
        if let Value::Function(f) = callee
            && let Some(direct) = f.callable.direct()
            && let Some(answer) = call::direct(direct, window, reads)
        {
            window[0] = answer;
            return Ok(());
        }
        window[0] = call::apply(self, callee, window.iter_mut().map(std::mem::take).collect(), span)?;
        Ok(())
    }

    fn apply_many(
        &self,
        callee: &Value,
        window: &mut [Value],
        next: &mut dyn FnMut(&mut [Value]) -> Result<Next>,
        span: Span,
    ) -> Result<()> {
        if let Value::Function(f) = callee
            && let Some(closure) = Closure::of(f)
        {
            return machine::call_many(self, closure, window, next, span);
        }
        function::in_turn(self, callee, window, next, span)
    }

    fn apply_each(&self, callee: &Value, values: &mut [Value], reads: &Reads, span: Span) -> Result<()> {
        if let Value::Function(f) = callee
            && let Some(closure) = Closure::of(f)
        {
            return machine::call_each(self, closure, values, reads, span);
        }
        values.iter_mut().try_for_each(|value| self.apply_for(callee, std::slice::from_mut(value), reads, span))
    }

    fn stay(&self, run: &mut dyn FnMut() -> Result<Value>) -> Result<Value> {
        machine::stay(self, run)
    }

    fn delay(&self, args: &Args) -> Result<Value> {
        lazy::delayed_op(self, args)
    }

    fn op(&self, name: &str) -> Option<Arc<Function>> {
        self.op_named(name)
    }

    fn global(&self, name: &str, span: Span) -> Option<Value> {
        self.binding_at(name, span, |b| match b.role {
            Role::Macro => None,
            _ => Some(b.value.clone()),
        })?
    }

    fn is_syntax(&self, name: &str, span: Span) -> bool {
        self.is_form(name) || self.binding_at(name, span, |b| b.role == Role::Macro).unwrap_or(false)
    }

    fn eval(&self, form: &Task) -> Result<Value> {
        Interpreter::eval(self, form)
    }

    fn compute(&self, values: &[Value], _span: Span) -> Result<Vec<Value>> {
        schedule::compute(self, values, &self.runtime, &self.config(), &self.cancel)
    }

    fn print(&self, text: &str) -> Result<()> {
        let mut output = self.output.lock();
        let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
        written.map_err(|e| err!(Io, "the output cannot be written: {e}"))
    }

    fn memory_limit(&self) -> usize {
        self.config().memory_limit
    }

    fn workers(&self) -> usize {
        let config = self.config();
        if config.scheduler.name() == "sync" { 1 } else { config.workers }
    }

    fn seeds(&self) -> &Seeds {
        // Tasks come in no order that numbers might follow from.
        static OF_TASKS: Seeds = Seeds::new();
        if inside_task() { &OF_TASKS } else { &self.seeds }
    }

    fn interrupted(&self) -> bool {
        self.cancel.load(Relaxed)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
