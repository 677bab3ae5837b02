//! Functions as values: ops, closures and host functions look alike from here.

use super::{DType, Dims, Direct, Flow, Reads, Seeds, Str, Task, Value};
use crate::err;
use crate::text::{Error, Result, Span};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Something that can be called, with a name, a signature and a docstring.
pub struct Function {
    pub name: Str,
    /// Shared: closures of one `fn` differ only in what they captured.
    pub signature: Arc<Signature>,
    pub doc: Option<Str>,
    pub cost: Cost,
    pub memory: Memory,
    pub callable: Box<dyn Callable>,
}

/// What a call costs, its arguments being there: what inlining goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cost {
    /// Makes a view, or a block out of nothing: cheaper to do again than to keep.
    Free,
    /// One pass over the block, or reading it from a store.
    Cheap,
    /// Reading a block that has to be decoded: worth keeping the result of while there is room.
    Decode,
    /// Worth keeping the result of.
    Dear,
    #[default]
    Unknown,
}

/// What a call on arrays takes in memory, and where its result lies: what is told of a task before it runs goes by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Memory {
    /// Nobody knows: of what users' functions do, and of ops that are not about arrays.
    #[default]
    Unknown,
    /// A new block, made in tiles. As for all that follow unless it says otherwise, the op tells its dtype and shape when it is called
    /// with lazy arrays.
    Fresh,
    /// As `Fresh`, by way of 64-bit numbers where it has others.
    Converted,
    /// A block of which the argument may be the memory.
    Elementwise,
    Reduction,
    /// A product of matrices; `copies` where arguments of strides are copied first.
    Product {
        copies: bool,
    },
    /// A product that is added to the first argument, in its memory where nobody else needs that. Of concrete arguments only.
    Accumulation {
        copies: bool,
    },
    /// A new block, by way of a few of the size of the largest argument: copies in another order or dtype, matrices that a
    /// library factorizes.
    Copies,
    /// As large as data decide, or made of what is: what its layer declares is to be expected, and more may come. By way of as much as its
    /// arguments are.
    Varies,
    /// Arrays side by side.
    Join,
    /// The memory of the argument where its elements are in a row, else a copy.
    Reshape,
    /// A part of the memory of the argument, or a copy of a small part, or of what lists pick.
    Slice,
    /// The memory of the argument; its elements stay in a row if they were and it is `contiguous`.
    View {
        contiguous: bool,
    },
    /// Partial results of variances, from concrete blocks to the variance.
    Moments,
    MergeMoments,
    VarOfMoments,
    /// A part of what lies outside ([`Callable::outside`]).
    Read,
    Write,
    /// The first argument, which is as the others say.
    Checked,
}

/// The code behind a function. Implemented by ops (`op/`), closures (`eval/`), and host functions.
pub trait Callable: Send + Sync {
    /// Calls with arguments already bound to the parameters.
    fn call(&self, args: Args) -> Result<Value>;

    /// Whether the function itself decides what laziness of its arguments means. A closure does; for others the
    /// caller makes a lazy call when an argument is lazy.
    fn takes_lazy(&self) -> bool {
        true
    }

    /// The function as a form that evaluates to it, where it is not just its name.
    fn source(&self) -> Option<Task> {
        None
    }

    /// What the answers depend on besides the arguments and the text of the function, as a number that changes when they
    /// may: with the file that is read, with what the names it mentions are bound to. `None` where equal calls may give different answers, or
    /// do more than answer: then no answer is kept for another computation.
    fn state(&self, _host: &dyn Host) -> Option<u64> {
        None
    }

    /// A shorter way to call it on plain values.
    fn direct(&self) -> Option<Direct> {
        None
    }

    /// What it does with elements that come one by one.
    fn flow(&self) -> Option<Flow> {
        None
    }

    /// What it reads of the argument at a position.
    fn reads(&self, _at: usize, _host: &dyn Host) -> Reads {
        Reads::All
    }

    /// What lies outside of memory that this stands for: an open dataset in the tasks that read or write it.
    fn outside(&self) -> Option<Outside> {
        None
    }

    fn as_any(&self) -> &dyn Any;
}

/// Data outside of memory, and what reading or writing a part of it takes besides the block.
#[derive(Clone)]
pub struct Outside {
    pub dtype: DType,
    pub shape: Dims,
    /// Bytes that a thread keeps for decoding or encoding, from the first block on.
    pub scratch: usize,
    /// Bytes an element that reading takes for a while.
    pub wider: usize,
}

/// What functions need from higher floors. `eval/` implements it; kernels and schedulers only see this.
pub trait Host: Send + Sync {
    /// Calls any callable value: function, keyword, map, list, array.
    fn apply(&self, callee: &Value, args: &[Value], span: Span) -> Result<Value>;

    /// [`Host::apply`] to the values in the window, which are taken; the answer is put in its first place, so that a
    /// call after the other copies nothing. What the arguments hold alone, the callee may change in place (`assoc` on
    /// the accumulator of a fold).
    ///
    /// # Panics
    /// When the window is empty: there is no place for an answer.
    fn apply_in(&self, callee: &Value, window: &mut [Value], span: Span) -> Result<()> {
        self.apply_for(callee, window, &Reads::All, span)
    }

    /// [`Host::apply_in`] for somebody who reads no more of the answer than that; it may have less.
    fn apply_for(&self, callee: &Value, window: &mut [Value], _reads: &Reads, span: Span) -> Result<()> {
        window[0] = self.apply(callee, window, span)?;
        Ok(())
    }

    /// Runs what calls functions again and again: what each call would make ready is made ready once.
    fn stay(&self, run: &mut dyn FnMut() -> Result<Value>) -> Result<Value> {
        run()
    }

    /// [`Host::apply_in`] again and again: after each call `next` takes the answer from the window and puts in what the next one is to be
    /// called with, until it says that there is no more.
    fn apply_many(
        &self,
        callee: &Value,
        window: &mut [Value],
        next: &mut dyn FnMut(&mut [Value]) -> Result<Next>,
        span: Span,
    ) -> Result<()> {
        in_turn(self, callee, window, next, span)
    }

    /// [`Host::apply_for`] of each value, in its place.
    fn apply_each(&self, callee: &Value, values: &mut [Value], reads: &Reads, span: Span) -> Result<()> {
        values.iter_mut().try_for_each(|value| self.apply_for(callee, std::slice::from_mut(value), reads, span))
    }

    /// A lazy call: a lazy value that is the function's answer to these arguments when it is computed.
    fn delay(&self, args: &Args) -> Result<Value> {
        let name = &args.function.name;
        Err(err!(Type, "{name} does not take lazy values here")
            .label(args.span, "in this call")
            .help("compute them first"))
    }

    /// The op of that name, whatever the user has bound the name to. Heads of tasks in layers are ops.
    fn op(&self, name: &str) -> Option<Arc<Function>>;

    /// The value of a global name, as it is meant in the text at `span`: what that file or the user bound it to, else
    /// the op.
    fn global(&self, name: &str, span: Span) -> Option<Value>;

    /// Whether calls of that name are evaluated in a way of their own: special forms and macros.
    fn is_syntax(&self, _name: &str, _span: Span) -> bool {
        false
    }

    /// The value of a form in the global scope.
    fn eval(&self, _form: &Task) -> Result<Value> {
        Err(err!(Internal, "this host does not evaluate forms"))
    }

    /// Computes lazy values together, sharing what they share: one concrete value for each.
    fn compute(&self, values: &[Value], span: Span) -> Result<Vec<Value>>;

    /// Writes text to where the program's output goes.
    fn print(&self, text: &str) -> Result<()> {
        let written = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
        written.map_err(|e| err!(Io, "the output cannot be written: {e}"))
    }

    /// Bytes that blocks may take: a concrete array beyond it is not made.
    fn memory_limit(&self) -> usize {
        usize::MAX
    }

    /// Threads that one computation may use.
    fn workers(&self) -> usize {
        1
    }

    /// Where random numbers that are asked for without a seed get one from.
    fn seeds(&self) -> &Seeds {
        static FROM_NOWHERE: Seeds = Seeds::new();
        &FROM_NOWHERE
    }

    /// Whether the computation was cancelled (Ctrl-C, `Engine::cancel`); long loops ask now and then.
    fn interrupted(&self) -> bool;

    /// The host itself, for ops that work on the engine (`def`, `import`, `doc`).
    fn as_any(&self) -> &dyn Any;
}

/// [`Host::apply_many`], one call after the other.
pub fn in_turn<H: Host + ?Sized>(
    host: &H,
    callee: &Value,
    window: &mut [Value],
    next: &mut dyn FnMut(&mut [Value]) -> Result<Next>,
    span: Span,
) -> Result<()> {
    loop {
        host.apply_in(callee, window, span)?;
        if matches!(next(window)?, Next::End) {
            return Ok(());
        }
    }
}

/// What comes after a call of [`Host::apply_many`].
#[derive(Clone, Copy)]
pub enum Next {
    End,
    /// A call, and which entry of a map it is likely to ask for: any number where nothing is known.
    Call {
        near: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    Required,
    /// May be left out; then it has the parameter's default. Given by position, or as `:name value`.
    Optional,
    /// May be left out, as `Optional`, but only given by position: for ops whose arguments may well be keywords.
    Positional,
    /// Given only as `:name value`.
    Keyword,
    /// Takes all positional arguments that are left.
    Rest,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: Str,
    pub kind: ParamKind,
    /// What an absent argument is; `nil` for required ones.
    pub default: Value,
}

/// The parameters of a function, in the order its body sees them.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    pub params: Vec<Param>,
    /// Of dsk's own functions: a keyword that is not declared and has a value behind it is taken for a slip in a name.
    pub strict: bool,
    /// Of dsk's own functions of arrays: what has to be given may be given by name, too, as in NumPy, `(delete x :obj 1)`.
    pub named: bool,
}

/// Arguments bound to parameters: `values[i]` belongs to `params[i]`, except that the rest parameter's are in `rest`.
pub struct Args<'a> {
    pub host: &'a dyn Host,
    pub function: &'a Function,
    pub values: SmallVec<[Value; 6]>,
    pub rest: Vec<Value>,
    /// Which parameters were given, bit by bit.
    pub given: u64,
    /// The call.
    pub span: Span,
}

impl Signature {
    pub fn rest_index(&self) -> Option<usize> {
        self.params.iter().position(|p| p.kind == ParamKind::Rest)
    }

    /// The parameter that an argument may be given to as `:name value`.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|p| p.name == name && self.takes_name(p))
    }

    fn takes_name(&self, p: &Param) -> bool {
        match p.kind {
            ParamKind::Optional | ParamKind::Keyword => true,
            ParamKind::Required => self.named,
            ParamKind::Positional | ParamKind::Rest => false,
        }
    }

    /// Fewest and most positional arguments.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let count = |kind: ParamKind| self.params.iter().filter(|p| p.kind == kind).count();
        let least = count(ParamKind::Required);
        let most = least + count(ParamKind::Optional) + count(ParamKind::Positional);
        (least, self.rest_index().is_none().then_some(most))
    }
}

impl Function {
    /// Binds and calls. `args` are positional values and keywords, as they stand in the call.
    pub fn call(&self, host: &dyn Host, args: &[Value], span: Span) -> Result<Value> {
        let args = self.bind(host, args.iter().cloned().collect(), span)?;
        self.callable.call(args)
    }

    /// Sorts arguments to parameters.
    pub fn bind<'a>(&'a self, host: &'a dyn Host, args: SmallVec<[Value; 6]>, span: Span) -> Result<Args<'a>> {
        let Bound { values, rest, given } = self.signature.bind(&self.name, args, span)?;
        Ok(Args { host, function: self, values, rest, given, span })
    }

    /// How the function is called.
    pub fn usage(&self) -> String {
        self.signature.usage(&self.name)
    }
}

/// Arguments sorted to parameters; see [`Args`].
pub struct Bound {
    pub values: SmallVec<[Value; 6]>,
    pub rest: Vec<Value>,
    pub given: u64,
}

impl Signature {
    /// Sorts arguments, as they stand in a call of `name`, to parameters. A keyword is an argument's name where the
    /// callee declares that keyword, otherwise a value.
    pub fn bind(&self, name: &str, mut args: SmallVec<[Value; 6]>, span: Span) -> Result<Bound> {
        let params = &self.params;
        if args.len() == params.len() && params.iter().all(|p| p.kind == ParamKind::Required) {
            let given = u64::MAX.checked_shr(64 - params.len() as u32).unwrap_or(0);
            return Ok(Bound { values: args, rest: Vec::new(), given });
        }
        let given_by_position = |p: &Param| !matches!(p.kind, ParamKind::Keyword | ParamKind::Rest);
        let takes_names = |p: &Param| self.takes_name(p);
        // Most calls name no argument: then arguments belong to parameters one by one.
        let (first, others) = params.split_at(params.iter().take_while(|p| given_by_position(p)).count());
        let names = args.iter().any(|a| matches!(a, Value::Keyword(_))) && params.iter().any(takes_names);
        let enough = args.len() >= first.iter().filter(|p| p.kind == ParamKind::Required).count();
        let room = args.len() <= first.len() || others.iter().any(|p| p.kind == ParamKind::Rest);
        if !names && enough && room && !others.iter().any(given_by_position) && first.len() < 64 {
            let rest = if args.len() > first.len() { args.drain(first.len()..).collect() } else { Vec::new() };
            let given = (1 << args.len()) - 1;
            args.extend(params[args.len()..].iter().map(|p| p.default.clone()));
            return Ok(Bound { values: args, rest, given });
        }
        // Names first: a parameter that is given by name is not a place for a positional argument.
        let mut given = 0u64;
        let mut named: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        if params.iter().any(takes_names) {
            let mut i = 0;
            while i + 1 < args.len() {
                let at = match &args[i] {
                    Value::Keyword(name) => self.named(name),
                    _ => None,
                };
                let Some(at) = at else {
                    i += 1;
                    continue;
                };
                if given & (1 << at) != 0 {
                    let param = &params[at].name;
                    return Err(err!(Arity, "{name}: `:{param}` is given twice").label(span, "in this call"));
                }
                given |= 1 << at;
                named.push((i, at));
                i += 2;
            }
        }
        let positional = args.len() - 2 * named.len();
        let open = params.iter().enumerate().filter(|(at, p)| given_by_position(p) && given & (1 << at) == 0);
        let missing = open.clone().skip(positional).find(|(_, p)| p.kind == ParamKind::Required);
        if missing.is_some() || positional > open.clone().count() && self.rest_index().is_none() {
            return Err(self.arity_error(name, &args, positional, missing.map(|(_, p)| p), span));
        }
        let mut bound = Bound { values: params.iter().map(|p| p.default.clone()).collect(), rest: Vec::new(), given };
        let mut open: SmallVec<[usize; 6]> = open.map(|(at, _)| at).collect();
        open.reverse();
        let mut named = named.into_iter().peekable();
        let mut i = 0;
        while i < args.len() {
            if let Some((_, at)) = named.next_if(|(start, _)| *start == i) {
                bound.values[at] = std::mem::take(&mut args[i + 1]);
                i += 2;
                continue;
            }
            let value = std::mem::take(&mut args[i]);
            match open.pop() {
                // `(sum x :axes 0)`: a slip in the name, not an axis.
                Some(at)
                    if params[at].kind == ParamKind::Optional && self.nearest(&value).is_some()
                        || named.peek().map_or(args.len(), |(next, _)| *next) > i + 1
                            && self.names_nothing(&value, &params[at]) =>
                {
                    return Err(self.stray_keyword(name, &value, span));
                }
                Some(at) => {
                    bound.values[at] = value;
                    bound.given |= 1 << at;
                }
                None => bound.rest.push(value),
            }
            i += 1;
        }
        Ok(bound)
    }

    fn arity_error(&self, name: &str, args: &[Value], positional: usize, missing: Option<&Param>, span: Span) -> Error {
        let (least, most) = self.arity();
        let stray = args.iter().find(|a| matches!(a, Value::Keyword(name) if self.named(name).is_none()));
        if let Some(stray) = stray {
            return self.stray_keyword(name, stray, span);
        }
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        let wants = match most {
            Some(most) if most == least => format!("{least} {}", plural(least)),
            Some(most) => format!("{least} to {most} arguments"),
            None => format!("at least {least} {}", plural(least)),
        };
        let label = missing.map_or("too many arguments".into(), |p| format!("`{}` is missing", p.name));
        err!(Arity, "{name} takes {wants}, got {positional}")
            .label(span, label)
            .help(format!("usage: {}", self.usage(name)))
    }

    /// Whether a value that has another one behind it is a name that dsk's own function does not know, rather than a value for
    /// that parameter: dtypes are keywords, and keywords can be called.
    fn names_nothing(&self, value: &Value, param: &Param) -> bool {
        let Value::Keyword(name) = value else { return false };
        match param.kind {
            ParamKind::Optional => self.strict && !matches!(&*param.name, "dtype" | "key"),
            ParamKind::Required => self.named && DType::parse(name).is_none() && param.name != "f",
            _ => false,
        }
    }

    /// The keyword that this value nearly is.
    fn nearest(&self, value: &Value) -> Option<&str> {
        let Value::Keyword(stray) = value else { return None };
        let takes_name = |p: &&Param| self.takes_name(p);
        crate::text::suggest::nearest(stray, self.params.iter().filter(takes_name).map(|p| p.name.as_str()))
    }

    /// The error for a keyword that the function does not declare, where it cannot be a value.
    pub fn stray_keyword(&self, name: &str, stray: &Value, span: Span) -> Error {
        let error = err!(Arity, "{name} has no keyword `{stray:?}`").label(span, "in this call");
        let error = match self.nearest(stray) {
            Some(near) => error.help(format!("did you mean `:{near}`?")),
            None => error,
        };
        error.help(format!("usage: {}", self.usage(name)))
    }

    /// `(clip x lo hi)`, `(sum x :axis nil)`: how the function is called.
    pub fn usage(&self, name: &str) -> String {
        let mut usage = format!("({name}");
        for p in &self.params {
            match p.kind {
                ParamKind::Required => usage.push_str(&format!(" {}", p.name)),
                ParamKind::Rest => usage.push_str(&format!(" & {}", p.name)),
                ParamKind::Keyword | ParamKind::Optional => usage.push_str(&format!(" :{} {:?}", p.name, p.default)),
                ParamKind::Positional => usage.push_str(&format!(" {}?", p.name)),
            }
        }
        usage.push(')');
        usage
    }
}

impl Args<'_> {
    /// Whether the parameter was given in the call.
    pub fn has(&self, at: usize) -> bool {
        self.given & (1 << at) != 0
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "<fn {}>", self.name)
    }
}

/// A plain Rust function as a [`Callable`].
pub struct Native<F>(pub F);

impl<F> Callable for Native<F>
where
    F: Fn(Args) -> Result<Value> + Send + Sync + 'static,
{
    fn call(&self, args: Args) -> Result<Value> {
        (self.0)(args)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl From<Arc<Function>> for Value {
    fn from(f: Arc<Function>) -> Self {
        Value::Function(f)
    }
}
