//! Code between text and machine: a function's expressions with every name resolved and every macro expanded.
//! Expressions lie in one vector and refer to each other by position, so that deep nesting is nobody's stack.

use super::code::{Definition, Proto};
use super::globals::Cell;
use super::operator::Operator;
use crate::data::{Str, Value};
use crate::text::Span;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Position of an expression in [`Body::exprs`].
pub type Id = usize;

/// A local variable of a function, numbered in order of declaration; parameters come first.
pub type Var = usize;

pub struct Expr {
    pub kind: Kind,
    pub span: Span,
}

pub enum Kind {
    Const(Value),
    Var(Var),
    Capture(u16),
    /// The function itself, by the name it gave itself.
    Itself,
    Global(Arc<Cell>),
    Operator(Operator, Id, Id),
    Call(Id, Vec<Id>),
    If(Id, Id, Id),
    /// All of them, for the value of the last; never empty.
    Do(Vec<Id>),
    Let(Vec<(Var, Id)>, Id),
    Loop(Vec<(Var, Id)>, Id),
    Recur(Recur),
    Fn(Box<Proto>, Vec<(Source, bool)>),
    List(Vec<Id>),
    /// Keys and values in turn.
    Map(Vec<Id>),
    Def(Box<Definition>, Id),
    Try {
        body: Id,
        catch: Option<(Var, Id)>,
        finally: Option<Id>,
    },
    /// Item of a list, nil if absent.
    Item(Id, u16),
    /// The items from there on.
    Rest(Id, u16),
    /// What a map has under a key, nil if absent.
    Field(Id, Value),
    /// A parameter, or the expression if it was not given.
    Default {
        param: Var,
        value: Id,
    },
    /// A fresh symbol.
    Fresh(Str),
}

/// New values for the variables of the loop around it, or of the function where there is none.
pub struct Recur {
    pub args: Vec<Id>,
    pub vars: Vec<Var>,
    /// In what order arguments are computed, and whether straight into their variable; filled in by `liveness`.
    pub steps: Vec<(usize, bool)>,
}

impl Body {
    /// The arguments of a call that has an instruction of its own, whose first two are read where they lie: of `get` and `assoc`, and
    /// of a keyword, which is the key.
    pub fn access(&self, callee: Id, args: &[Id]) -> Option<SmallVec<[Id; 3]>> {
        match (&self.exprs[callee].kind, args) {
            (Kind::Const(Value::Keyword(_)), [of]) => Some(smallvec![*of, callee]),
            (Kind::Const(Value::Keyword(_)), [of, default]) => Some(smallvec![*of, callee, *default]),
            (Kind::Global(cell), _) => match (cell.name.as_str(), args.len()) {
                ("get", 2 | 3) | ("assoc", 3) => Some(args.into()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Where a captured value comes from, in the function that makes the closure. The flag beside it in [`Kind::Fn`]
/// says that it is not used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Var(Var),
    Capture(u16),
    Itself,
}

/// A function's body.
#[derive(Default)]
pub struct Body {
    pub exprs: Vec<Expr>,
    pub root: Id,
    /// Variables in all; the first `params` are parameters.
    pub vars: usize,
    pub params: usize,
    /// Whether `recur` goes back to the beginning of the function.
    pub recurs: bool,
    /// For each expression that is a variable: whether it is the last use. Filled in by `liveness`.
    pub last: Vec<bool>,
}
