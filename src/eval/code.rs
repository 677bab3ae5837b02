//! The code of the machine. A function is compiled to a [`Proto`]: instructions of eight bytes over a window of
//! registers, and the constants, globals and inner functions they refer to by position.
//!
//! Register 0 of a window holds the callee while the call runs, and the result after; parameters follow from
//! register 1. A call's window lies at the end of its caller's, so arguments are computed where the callee wants them.

use super::globals::Cell;
use super::machine::{Columns, Straight, Tally, Whole};
use crate::data::{Signature, Str, Task, Value};
use crate::text::Span;
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::Arc;

pub type Reg = u16;

/// `R[n]` is register n, `K[n]` constant n, `G[n]` global n. Jumps are to absolute positions.
#[derive(Clone, Copy, Debug)]
pub enum Instr {
    /// `R[to] = K[at]`
    Const {
        to: Reg,
        at: u32,
    },
    /// `R[to] = value`
    Int {
        to: Reg,
        value: i32,
    },
    /// `R[to] = R[from]`
    Copy {
        to: Reg,
        from: Reg,
    },
    /// `R[to] = R[from]`, which is not used again.
    Take {
        to: Reg,
        from: Reg,
    },
    /// `R[to]` = captured value `at`
    Capture {
        to: Reg,
        at: u16,
    },
    /// `R[to]` = the function that runs
    Itself {
        to: Reg,
    },
    /// `R[to] = G[at]`
    Global {
        to: Reg,
        at: u32,
    },
    /// `G[defs[at].global] = R[from]`
    Def {
        from: Reg,
        at: u32,
    },
    /// `R[to] = [R[first] … R[first + len - 1]]`
    List {
        to: Reg,
        first: Reg,
        len: u16,
    },
    /// Appends `R[from]` to the list `R[to]`.
    Push {
        to: Reg,
        from: Reg,
    },
    /// `R[to] = {R[first] R[first + 1] …}`, `len` values in all
    Map {
        to: Reg,
        first: Reg,
        len: u16,
    },
    /// `R[to]` = a closure of `protos[at]`
    Closure {
        to: Reg,
        at: u32,
    },

    /// `R[to] = R[a] op R[b]`
    Add {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Subtract {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Multiply {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Divide {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    FloorDivide {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Mod {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Less {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    LessEqual {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Greater {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    GreaterEqual {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    Equal {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    NotEqual {
        to: Reg,
        a: Reg,
        b: Reg,
    },
    /// `R[to] = R[a] op b`
    AddInt {
        to: Reg,
        a: Reg,
        b: i16,
    },
    SubtractInt {
        to: Reg,
        a: Reg,
        b: i16,
    },
    MultiplyInt {
        to: Reg,
        a: Reg,
        b: i16,
    },
    FloorDivideInt {
        to: Reg,
        a: Reg,
        b: i16,
    },
    ModInt {
        to: Reg,
        a: Reg,
        b: i16,
    },

    Jump {
        to: u32,
    },
    /// A jump back to the head of a loop: where a program that does not end can be interrupted.
    Again {
        to: u32,
    },
    JumpUnless {
        test: Reg,
        to: u32,
    },
    /// Jumps if `R[a] op R[b]` is false.
    UnlessLess {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessLessEqual {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessGreater {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessGreaterEqual {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessEqual {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessNotEqual {
        a: Reg,
        b: Reg,
        to: u16,
    },
    UnlessLessInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    UnlessLessEqualInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    UnlessGreaterInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    UnlessGreaterEqualInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    UnlessEqualInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    UnlessNotEqualInt {
        a: Reg,
        b: i16,
        to: u16,
    },
    /// Jumps if parameter `at` was not given; the bits are in `R[given]`.
    UnlessGiven {
        given: Reg,
        at: u16,
        to: u16,
    },

    /// Calls with `R[base + 1] … R[base + count]`; the result is `R[base]`.
    CallGlobal {
        count: u8,
        base: Reg,
        at: u32,
    },
    /// `CallGlobal` of what was `get` when this was compiled, with its `Operands` after it: maps and lists are looked up
    /// in place if it still is.
    CallGet {
        count: u8,
        base: Reg,
        at: u32,
    },
    /// The same of a keyword, which is the second of the operands.
    CallField {
        count: u8,
        base: Reg,
    },
    /// As `CallGet`, for `assoc` with one key: a map that nobody else holds is changed in place.
    CallAssoc {
        count: u8,
        base: Reg,
        at: u32,
    },
    /// Where the first two arguments of the call before it lie, which is wherever they were: the third is
    /// `R[base + 3]`. `taken` says which of the two are not used again, bit by bit.
    Operands {
        taken: u8,
        first: Reg,
        second: Reg,
    },
    /// Calls `R[callee]`, which stays where it is while the call runs.
    Call {
        count: u8,
        base: Reg,
        callee: Reg,
    },
    CallCapture {
        count: u8,
        base: Reg,
        at: u16,
    },
    /// Calls the function that runs.
    CallItself {
        count: u8,
        base: Reg,
    },
    /// Calls `R[base]` with the elements of the list `R[base + 1]`: calls of more than 255 arguments.
    CallList {
        base: Reg,
    },
    /// The same as the last thing a function does: the window of the caller is used again. What is not a closure
    /// is just called, and a `Return` follows.
    TailGlobal {
        count: u8,
        base: Reg,
        at: u32,
    },
    /// The callee is `R[base]`.
    Tail {
        count: u8,
        base: Reg,
    },
    TailItself {
        count: u8,
        base: Reg,
    },
    Return {
        from: Reg,
    },

    /// `R[to]` = item `at` of `R[from]`, or nil: destructuring.
    Item {
        to: Reg,
        from: Reg,
        at: u16,
    },
    /// `R[to]` = the items of `R[from]` from `at` on.
    Rest {
        to: Reg,
        from: Reg,
        at: u16,
    },
    /// `R[to]` = what `R[from]` has under the key `K[key]`, or nil.
    Field {
        to: Reg,
        from: Reg,
        key: u16,
    },

    /// Until `EndTry`, a failure goes on at `to` with the error as a map in `R[error]`.
    Try {
        error: Reg,
        to: u32,
    },
    /// The same for `finally`: the error is kept aside until `EndFinally`.
    TryFinally {
        to: u32,
    },
    EndTry,
    /// The end of a body that has a `finally`, which follows: nothing failed.
    Finally,
    /// Fails with what was kept aside, if anything was.
    EndFinally,
    /// `R[to]` = a fresh symbol that starts with the name `K[at]`
    Fresh {
        to: Reg,
        at: u32,
    },
}

const _: () = assert!(std::mem::size_of::<Instr>() == 8);

/// What a closure captures, from its maker's point of view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Captured {
    /// A copy of a register.
    Register(Reg),
    /// A register that is not used again.
    LastOfRegister(Reg),
    /// Something the maker captured itself.
    Capture(u16),
    /// The maker.
    Itself,
}

/// A `def`: what it binds, and what is known besides the value.
pub struct Definition {
    pub global: Arc<Cell>,
    pub doc: Option<Str>,
    pub is_macro: bool,
    /// The whole form, for `(source name)`.
    pub source: Arc<Task>,
}

/// An argument of a call, as it stands in the text.
pub struct Argument {
    /// The keyword before it, which may be its name.
    pub keyword: Option<Str>,
    pub span: Span,
}

/// Where the argument for a parameter stands, if that is certain.
pub(super) fn argument_span(arguments: &[Argument], name: &str, position: usize) -> Option<Span> {
    let named = arguments.iter().find(|a| a.keyword.as_deref() == Some(name)).map(|a| a.span);
    named.or_else(|| {
        // A keyword before it may be a name or a value: then nothing is certain.
        let before = arguments.get(..=position)?;
        before.iter().all(|a| a.keyword.is_none()).then(|| before[position].span)
    })
}

/// A compiled function, without what a closure of it captured.
pub struct Proto {
    pub name: Str,
    pub signature: Arc<Signature>,
    pub doc: Option<Str>,
    pub code: Box<[Instr]>,
    /// The text behind each instruction.
    pub spans: Box<[Span]>,
    /// The arguments of the calls in it, by the position of the call instruction.
    pub arguments: FxHashMap<u32, Box<[Argument]>>,
    pub constants: Box<[Value]>,
    pub globals: Box<[Arc<Cell>]>,
    pub protos: Box<[Arc<Proto>]>,
    pub defs: Box<[Definition]>,
    /// What a closure of this takes along.
    pub captures: Box<[Captured]>,
    /// Names of the captured values, for writing the closure down.
    pub capture_names: Box<[Str]>,
    /// Length of the window.
    pub registers: u16,
    /// The number of arguments, where all parameters are plain; otherwise arguments have to be sorted, and it is
    /// [`Proto::SORTED`].
    pub plain: u32,
    /// The same in short, if it does nothing but call ops.
    pub straight: Option<Straight>,
    /// The same by columns, if it does nothing but compute with a number.
    pub columns: Option<Columns>,
    /// If it does nothing but compute with whole numbers.
    pub whole: Option<Whole>,
    /// If it does nothing but change a number in a map.
    pub tally: Option<Tally>,
    /// For each parameter the keys under which it is looked up, if nothing else is done with it.
    pub reads: Box<[Option<Box<[Value]>>]>,
    /// Whether a register after the parameters takes the bits of those that were given.
    pub wants_given: bool,
    /// The function as a form; `None` for the code of a top-level form.
    pub source: Option<Arc<Task>>,
}

impl Definition {
    /// What is left in the place of one that was emitted.
    pub(super) fn empty() -> Self {
        Definition { global: Arc::default(), doc: None, is_macro: false, source: Arc::new(Task::data(Value::Nil)) }
    }
}

impl Proto {
    pub const SORTED: u32 = u32::MAX;

    /// What is left in the place of one that was emitted.
    pub(super) fn empty() -> Self {
        Proto {
            name: Str::new(),
            signature: Arc::default(),
            doc: None,
            code: Box::default(),
            spans: Box::default(),
            arguments: FxHashMap::default(),
            constants: Box::default(),
            globals: Box::default(),
            protos: Box::default(),
            defs: Box::default(),
            captures: Box::default(),
            capture_names: Box::default(),
            registers: 0,
            plain: 0,
            straight: None,
            whole: None,
            columns: None,
            tally: None,
            reads: Box::default(),
            wants_given: false,
            source: None,
        }
    }

    /// Registers that parameters take, register 0 not counted.
    pub fn parameters(&self) -> usize {
        self.signature.params.len() + usize::from(self.wants_given)
    }
}

/// A listing, one instruction a line.
impl fmt::Debug for Proto {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} ({} registers)", self.name, self.registers)?;
        for (at, instr) in self.code.iter().enumerate() {
            writeln!(f, "{at:4} {instr:?}")?;
        }
        for (n, proto) in self.protos.iter().enumerate() {
            write!(f, "[{n}] {proto:?}")?;
        }
        Ok(())
    }
}
