//! The one error type. An error is data: a stable code, a sentence, labelled spans, a hint, and, for a
//! failure inside a task, which task it was. Rendering (`Report`) happens at the edge, where sources are known.

use super::{Sources, Span};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The stable codes of `LANGUAGE.md`, section 7.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => concat!("dsk::", $text),)* }
            }
        }
    };
}

codes! {
    /// Text that is not of the grammar.
    Syntax = "syntax",
    /// A name that nothing is bound to.
    Unbound = "unbound",
    /// Too few or too many arguments, or a keyword the callee does not declare.
    Arity = "arity",
    /// A value or dtype that the callee does not take.
    Type = "type",
    /// Shapes that do not fit each other.
    Shape = "shape",
    /// An axis that the array does not have.
    Axis = "axis",
    /// An index or key out of range.
    Index = "index",
    /// The right type, but not a value that makes sense.
    Value = "value",
    /// A singular matrix.
    Singular = "singular",
    /// An integer beyond 64 bits.
    Overflow = "overflow",
    /// A graph or an import that depends on itself.
    Cycle = "cycle",
    /// A file, or what is in it.
    Io = "io",
    /// The memory limit.
    Memory = "memory",
    /// Recursion or nesting deeper than the interpreter allows.
    Limit = "limit",
    /// Ctrl-C or `Engine::cancel`.
    Interrupted = "interrupted",
    /// `(throw …)`.
    User = "user",
    /// A defect of dsk itself.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A span and what there is to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// Which task failed: filled in by the scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskContext {
    /// The key as a user writes it: `["add-3f" 0 1]`.
    pub key: String,
    /// Shape of the block the task was to make, where it is an array's.
    pub shape: Option<Vec<usize>>,
    /// The nested task as Lisp.
    pub task: String,
}

/// A failure, as a value. One pointer wide, so that `Result<Value>` stays small.
#[derive(Clone)]
pub struct Error(Box<Data>);

#[derive(Clone)]
struct Data {
    code: Code,
    message: String,
    labels: Vec<Label>,
    help: Vec<String>,
    task: Option<TaskContext>,
    incomplete: bool,
    /// The parameter whose argument is at fault, for whoever knows where the arguments stand.
    parameter: Option<(String, usize)>,
    /// What `throw` was given: a `Value`, which this floor does not know.
    payload: Option<Arc<dyn Any + Send + Sync>>,
    sources: Option<Arc<Sources>>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Data {
            code,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
            task: None,
            incomplete: false,
            parameter: None,
            payload: None,
            sources: None,
        }))
    }

    /// Adds a label. Labels that point nowhere are dropped: there is no text to show.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if !span.is_none() {
            self.0.labels.push(Label { span, text: text.into() });
        }
        self
    }

    /// Labels the failure with the span of the call, unless something more exact is known already.
    pub fn at(mut self, span: Span) -> Self {
        if span == Span::NONE || self.has_place() {
            return self;
        }
        self.0.labels.clear();
        self.label(span, "here")
    }

    /// Whether the failure points at a text: what the language itself is written in does not count.
    pub fn has_place(&self) -> bool {
        self.0.labels.iter().any(|label| label.span != Span::NONE)
    }

    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    pub fn without_help(mut self, drop: impl Fn(&str) -> bool) -> Self {
        self.0.help.retain(|line| !drop(line));
        self
    }

    /// Adds a line of help.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.0.help.push(text.into());
        self
    }

    /// Says which task it was, unless an inner task said so already.
    pub fn in_task(mut self, task: impl FnOnce() -> TaskContext) -> Self {
        if self.0.task.is_none() {
            self.0.task = Some(task());
        }
        self
    }

    /// Says which argument it was: by the name of its parameter, and by position.
    pub fn parameter(mut self, name: impl Into<String>, position: usize) -> Self {
        self.0.parameter = Some((name.into(), position));
        self
    }

    /// Moves what was said of the call to the argument at fault: `find` knows where the argument for the parameter of that
    /// name and position stands.
    pub fn at_argument(mut self, call: Span, find: impl FnOnce(&str, usize) -> Option<Span>) -> Self {
        if let Some((name, position)) = self.0.parameter.take()
            && let Some(span) = find(&name, position)
            && let [label] = &mut self.0.labels[..]
            && label.span == call
        {
            *label = Label { span, text: "this argument".into() };
        }
        self
    }

    /// Marks a syntax error as "the input ended too early": the REPL asks for another line.
    pub fn incomplete(mut self) -> Self {
        self.0.incomplete = true;
        self
    }

    pub fn with_payload(mut self, payload: Arc<dyn Any + Send + Sync>) -> Self {
        self.0.payload = Some(payload);
        self
    }

    /// Attaches the sources that the spans refer to, so that the error can be rendered anywhere.
    pub fn with_sources(mut self, sources: &Arc<Sources>) -> Self {
        self.0.sources.get_or_insert_with(|| sources.clone());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn labels(&self) -> &[Label] {
        &self.0.labels
    }

    pub fn help_lines(&self) -> &[String] {
        &self.0.help
    }

    pub fn task(&self) -> Option<&TaskContext> {
        self.0.task.as_ref()
    }

    pub fn is_incomplete(&self) -> bool {
        self.0.incomplete
    }

    pub fn payload(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.0.payload.as_ref()
    }

    pub fn sources(&self) -> Option<&Arc<Sources>> {
        self.0.sources.as_ref()
    }

    /// The first label's span.
    pub fn span(&self) -> Span {
        self.0.labels.first().map_or(Span::NONE, |l| l.span)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        self.0.labels.iter().try_for_each(|l| write!(f, " [{}..{} {}]", l.span.start, l.span.end, l.text))
    }
}

impl std::error::Error for Error {}

/// `err!(Shape, "{a} against {b}")` is an [`Error`] with that code and message.
#[macro_export]
macro_rules! err {
    ($code:ident, $($message:tt)*) => {
        $crate::text::Error::new($crate::text::Code::$code, format!($($message)*))
    };
}
