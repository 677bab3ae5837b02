//! The ops of an engine by name, as functions that programs call.

use super::array_call::array_call;
use super::{Kind, Op, usage};
use crate::data::{Args, Callable, Direct, Flow, Function, Host, Memory, Signature, Str, Value};
use crate::err;
use crate::text::Result;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::any::Any;
use std::sync::Arc;

/// Every op, in documentation order.
pub struct Registry {
    by_name: IndexMap<Str, Entry, FxBuildHasher>,
}

struct Entry {
    op: &'static Op,
    /// `None` for special forms, which are not values.
    function: Option<Arc<Function>>,
}

impl Registry {
    /// The ops, and further names for some of them: `("+", "add")`. `effects` are the names of ops that do more than answer, or
    /// whose answers depend on more than their arguments; `ways` are ways to call an op besides with bound arguments.
    ///
    /// Errors: `dsk::internal` when a usage line cannot be read, a name is there twice, or another name is of no op.
    pub fn new(
        ops: impl IntoIterator<Item = &'static Op>,
        aliases: &[(&'static str, &str)],
        effects: &[&str],
        ways: impl Fn(&str) -> Ways,
    ) -> Result<Registry> {
        let mut by_name: IndexMap<Str, Entry, FxBuildHasher> = IndexMap::default();
        for op in ops {
            let entry = match op.kind {
                Kind::Form => (Str::from(op.name()), Entry { op, function: None }),
                _ => {
                    let function = function(op, !effects.contains(&op.name()), ways(op.name()))?;
                    (function.name.clone(), Entry { op, function: Some(Arc::new(function)) })
                }
            };
            if let (at, Some(_)) = by_name.insert_full(entry.0, entry.1) {
                let name = by_name.get_index(at).map(|(name, _)| name.clone()).unwrap_or_default();
                return Err(err!(Internal, "there are two ops of the name `{name}`"));
            }
        }
        for (alias, name) in aliases {
            let Some(entry) = by_name.get(*name) else {
                return Err(err!(Internal, "`{alias}` is another name of `{name}`, which is no op"));
            };
            let entry = Entry { op: entry.op, function: entry.function.clone() };
            by_name.insert(Str::from(*alias), entry);
        }
        Ok(Registry { by_name })
    }

    /// The function of a name; `None` where there is no op of that name, or it is a special form.
    pub fn get(&self, name: &str) -> Option<&Arc<Function>> {
        self.by_name.get(name)?.function.as_ref()
    }

    /// The op of a name.
    pub fn op(&self, name: &str) -> Option<&'static Op> {
        Some(self.by_name.get(name)?.op)
    }

    /// Names of ops and special forms, in documentation order, then their other names.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.by_name.keys()
    }

    /// Names and functions.
    pub fn functions(&self) -> impl Iterator<Item = (&Str, &Arc<Function>)> {
        self.by_name.iter().filter_map(|(name, entry)| Some((name, entry.function.as_ref()?)))
    }
}

/// What a call does that has a bag among its arguments.
pub type OnBags = fn(Args) -> Result<Value>;

/// Ways to call an op besides with bound arguments.
#[derive(Clone, Copy, Default)]
pub struct Ways {
    /// Ops without this take a bag as the list it is, when that is computed.
    pub on_bags: Option<OnBags>,
    pub direct: Option<Direct>,
    pub flow: Option<Flow>,
}

/// The op as a function. A pure one only answers, and equal calls get equal answers.
pub fn function(op: &'static Op, pure: bool, ways: Ways) -> Result<Function> {
    let (name, mut signature) = usage::parse(op.usage)?;
    signature.named = matches!(op.kind, Kind::Array(..)) && signature.rest_index().is_none();
    let watched = Watched::of(op, &signature)?;
    Ok(Function {
        name,
        signature: Arc::new(signature),
        doc: Some(op.doc.into()),
        cost: op.cost,
        memory: match op.kind {
            Kind::Array(memory, _) | Kind::Outside(memory, _) => memory,
            _ => Memory::Unknown,
        },
        callable: Box::new(OpCall { op, watched, pure, ways }),
    })
}

/// Whether the value is a bag.
pub fn is_bag(value: &Value) -> bool {
    matches!(value, Value::Delayed(delayed) if delayed.partitions().is_some())
}

/// An op as the code behind a function.
pub struct OpCall {
    pub op: &'static Op,
    watched: Watched,
    pure: bool,
    ways: Ways,
}

/// The parameters of a [`Kind::Over`] that make the call lazy, bit by bit.
#[derive(Default)]
struct Watched {
    /// Those that are lazy themselves.
    shallow: u64,
    /// Those that hold something lazy, however deep.
    deep: u64,
    /// Whether the rest of the arguments is among the first, or among the second.
    rest: Option<fn(&Value) -> bool>,
}

impl Watched {
    fn of(op: &Op, signature: &Signature) -> Result<Watched> {
        let mut watched = Watched::default();
        let Kind::Over(names, _) = op.kind else { return Ok(watched) };
        for name in names.split(' ') {
            let (name, deep) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
            let Some(at) = signature.params.iter().position(|p| p.name == name) else {
                return Err(err!(Internal, "`{}` has no parameter `{name}`", op.name()));
            };
            match (signature.rest_index() == Some(at), deep) {
                (true, true) => watched.rest = Some(Value::holds_lazy),
                (true, false) => watched.rest = Some(Value::is_lazy),
                (false, true) => watched.deep |= 1 << at,
                (false, false) => watched.shallow |= 1 << at,
            }
        }
        Ok(watched)
    }

    fn any_lazy(&self, args: &Args) -> bool {
        let has = |bits: u64, at: usize| at < 64 && bits & (1 << at) != 0;
        args.values
            .iter()
            .enumerate()
            .any(|(at, value)| has(self.shallow, at) && value.is_lazy() || has(self.deep, at) && value.holds_lazy())
            || self.rest.is_some_and(|is_lazy| args.rest.iter().any(is_lazy))
    }
}

impl Callable for OpCall {
    fn call(&self, args: Args) -> Result<Value> {
        if let Some(run) = self.ways.on_bags
            && args.values.iter().chain(&args.rest).any(is_bag)
        {
            let span = args.span;
            return run(args).map_err(|e| e.at(span));
        }
        let lazy = match self.op.kind {
            Kind::Now(_) | Kind::Outside(..) => args.values.iter().chain(&args.rest).any(Value::holds_lazy),
            Kind::Over(..) => self.watched.any_lazy(&args),
            Kind::Array(..) | Kind::Lazy(_) | Kind::Form => false,
        };
        if lazy {
            return args.host.delay(&args);
        }
        let span = args.span;
        match self.op.kind {
            Kind::Now(run) | Kind::Outside(_, run) | Kind::Over(_, run) | Kind::Lazy(run) => {
                run(args).map_err(|e| e.at(span))
            }
            Kind::Array(memory, run) => array_call(args, memory, run),
            Kind::Form => Err(err!(Type, "`{}` is a special form, not a function", self.op.name()).at(span)),
        }
    }

    fn state(&self, _host: &dyn Host) -> Option<u64> {
        self.pure.then_some(0)
    }

    fn direct(&self) -> Option<Direct> {
        self.ways.direct
    }

    fn flow(&self) -> Option<Flow> {
        self.ways.flow
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Cost;

    static ADD: Op =
        Op { usage: "(add a b)", doc: "Adds.", examples: &[], see: &[], cost: Cost::Free, kind: Kind::Now(first) };
    static IF: Op =
        Op { usage: "(if test)", doc: "Branches.", examples: &[], see: &[], cost: Cost::Free, kind: Kind::Form };

    fn first(args: Args) -> Result<Value> {
        Ok(args.values[0].clone())
    }

    #[test]
    fn another_name_is_the_same_function() {
        let registry = Registry::new([&ADD, &IF], &[("+", "add")], &[], |_| Ways::default()).unwrap();
        assert!(Arc::ptr_eq(registry.get("+").unwrap(), registry.get("add").unwrap()));
        assert!(registry.get("if").is_none() && registry.op("if").is_some());
        assert_eq!(registry.names().map(|n| n.as_str()).collect::<Vec<_>>(), ["add", "if", "+"]);
    }

    #[test]
    fn names_are_unique_and_aliases_name_ops() {
        assert!(Registry::new([&ADD, &ADD], &[], &[], |_| Ways::default()).is_err());
        assert!(Registry::new([&ADD], &[("-", "subtract")], &[], |_| Ways::default()).is_err());
    }
}
