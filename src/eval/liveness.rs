//! Which mention of a variable is the last one: there its value is moved, not copied. It is why `(recur (assoc m k v))`
//! changes the map in place: nobody else holds it.
//!
//! One walk over the expressions, against the order in which they run, with the set of variables still needed.

use super::syntax::{Body, Id, Kind, Source, Var};
use crate::data::task::deep;

pub(super) fn mark(body: &mut Body) {
    body.last = vec![false; body.exprs.len()];
    let mut walk = Walk { body, needed: Set::default(), loops: Vec::new() };
    if walk.body.recurs {
        // The function is a loop over its parameters; nothing is older than they are.
        walk.loops.push(Set::default());
    }
    let root = walk.body.root;
    walk.expr(root);
}

/// A set of variables, bit by bit.
#[derive(Clone, Default)]
struct Set(Vec<u64>);

impl Set {
    fn has(&self, var: Var) -> bool {
        self.0.get(var / 64).is_some_and(|w| w & (1 << (var % 64)) != 0)
    }

    fn add(&mut self, var: Var) {
        if self.0.len() <= var / 64 {
            self.0.resize(var / 64 + 1, 0);
        }
        self.0[var / 64] |= 1 << (var % 64);
    }

    fn remove(&mut self, var: Var) {
        if let Some(w) = self.0.get_mut(var / 64) {
            *w &= !(1 << (var % 64));
        }
    }

    fn join(&mut self, other: &Set) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Without the variables from `first` on.
    fn before(mut self, first: Var) -> Set {
        self.0.truncate(first / 64 + 1);
        if let Some(w) = self.0.get_mut(first / 64) {
            *w &= (1 << (first % 64)) - 1;
        }
        self
    }
}

struct Walk<'a> {
    body: &'a mut Body,
    needed: Set,
    /// For each loop around: what is needed when it begins again.
    loops: Vec<Set>,
}

impl Walk<'_> {
    fn all(&mut self, ids: &[Id]) {
        ids.iter().rev().for_each(|&id| self.expr(id));
    }

    fn declared(&mut self, bindings: &[(Var, Id)]) {
        for &(var, init) in bindings.iter().rev() {
            self.needed.remove(var);
            self.expr(init);
        }
    }

    /// Operands are read from their registers when all of them are there: a variable among them is used last.
    fn operands(&mut self, ids: &[Id]) {
        for &id in ids {
            if let Kind::Var(var) = self.body.exprs[id].kind {
                self.needed.add(var);
            }
        }
        for &id in ids.iter().rev() {
            if !matches!(self.body.exprs[id].kind, Kind::Var(_)) {
                self.expr(id);
            }
        }
    }

    /// The first two arguments, where they are variables, are read when all else is there, one after the other.
    fn access(&mut self, args: &[Id]) {
        let (places, others) = args.split_at(2);
        let (late, early): (Vec<Id>, Vec<Id>) =
            places.iter().partition(|&&id| matches!(self.body.exprs[id].kind, Kind::Var(_)));
        self.all(&late);
        self.all(others);
        self.all(&early);
    }

    fn expr(&mut self, id: Id) {
        deep(|| self.visit(id))
    }

    fn visit(&mut self, id: Id) {
        // Taken out while its parts are visited; they lie elsewhere in the vector.
        let mut kind = std::mem::replace(&mut self.body.exprs[id].kind, Kind::Itself);
        match &mut kind {
            Kind::Const(_) | Kind::Capture(_) | Kind::Itself | Kind::Global(_) | Kind::Fresh(_) => {}
            Kind::Var(var) => {
                self.body.last[id] = !self.needed.has(*var);
                self.needed.add(*var);
            }
            Kind::Operator(_, a, b) => self.operands(&[*a, *b]),
            Kind::Item(of, _) | Kind::Rest(of, _) | Kind::Field(of, _) => self.operands(&[*of]),
            Kind::Call(callee, args) if let Some(args) = self.body.access(*callee, args) => self.access(&args),
            Kind::Call(callee, args) => match self.body.exprs[*callee].kind {
                Kind::Var(_) => {
                    self.expr(*callee);
                    self.all(args);
                }
                _ => {
                    self.all(args);
                    self.expr(*callee);
                }
            },
            Kind::If(test, then, other) => {
                let after = self.needed.clone();
                self.expr(*other);
                let needed = std::mem::replace(&mut self.needed, after);
                self.expr(*then);
                self.needed.join(&needed);
                self.operands(&[*test]);
            }
            Kind::Do(ids) | Kind::List(ids) | Kind::Map(ids) => self.all(ids),
            Kind::Let(bindings, body) => {
                self.expr(*body);
                self.declared(bindings);
            }
            Kind::Loop(bindings, body) => {
                // What an earlier round leaves for a later one is what the body uses from outside.
                let first = bindings.first().map_or(self.body.vars, |b| b.0);
                let mut again = used(self.body, *body).before(first);
                again.join(&self.needed);
                self.loops.push(again);
                self.expr(*body);
                self.loops.pop();
                self.declared(bindings);
            }
            Kind::Recur(recur) => {
                recur.steps = plan(self.body, &recur.args, &recur.vars);
                self.needed = self.loops.last().cloned().unwrap_or_default();
                let steps = recur.steps.clone();
                for &(n, _) in steps.iter().rev() {
                    self.expr(recur.args[n]);
                }
            }
            Kind::Fn(_, sources) => {
                for (source, last) in sources.iter_mut().rev() {
                    if let Source::Var(var) = source {
                        *last = !self.needed.has(*var);
                        self.needed.add(*var);
                    }
                }
            }
            Kind::Def(_, value) => self.expr(*value),
            Kind::Try { body, catch, finally } => {
                if let Some(finally) = finally {
                    self.expr(*finally);
                }
                let after = self.needed.clone();
                if let Some((var, catch)) = catch {
                    self.expr(*catch);
                    self.needed.remove(*var);
                }
                // The body may fail anywhere, so it leaves alone what comes after.
                self.needed.join(&after);
                self.expr(*body);
            }
            Kind::Default { param, value } => {
                let after = self.needed.clone();
                self.expr(*value);
                self.needed.join(&after);
                self.needed.add(*param);
            }
        }
        self.body.exprs[id].kind = kind;
    }
}

/// Every variable mentioned in an expression.
fn used(body: &Body, id: Id) -> Set {
    let mut set = Set::default();
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        match &body.exprs[id].kind {
            Kind::Var(var) => set.add(*var),
            Kind::Fn(_, sources) => sources.iter().for_each(|(s, _)| {
                if let Source::Var(var) = s {
                    set.add(*var);
                }
            }),
            Kind::Default { param, .. } => set.add(*param),
            _ => {}
        }
        parts(&body.exprs[id].kind, &mut |part| stack.push(part));
    }
    set
}

/// Calls `f` on the parts of an expression.
pub(super) fn parts(kind: &Kind, f: &mut dyn FnMut(Id)) {
    match kind {
        Kind::Const(_) | Kind::Var(_) | Kind::Capture(_) | Kind::Itself => {}
        Kind::Global(_) | Kind::Fresh(_) | Kind::Fn(..) => {}
        Kind::Operator(_, a, b) => [*a, *b].into_iter().for_each(f),
        Kind::Call(callee, args) => {
            f(*callee);
            args.iter().for_each(|&a| f(a));
        }
        Kind::If(a, b, c) => [*a, *b, *c].into_iter().for_each(f),
        Kind::Do(ids) | Kind::List(ids) | Kind::Map(ids) => ids.iter().for_each(|&a| f(a)),
        Kind::Let(bindings, body) | Kind::Loop(bindings, body) => {
            bindings.iter().for_each(|b| f(b.1));
            f(*body);
        }
        Kind::Recur(recur) => recur.args.iter().for_each(|&a| f(a)),
        Kind::Def(_, value) | Kind::Default { value, .. } => f(*value),
        Kind::Try { body, catch, finally } => {
            f(*body);
            catch.iter().for_each(|c| f(c.1));
            finally.iter().for_each(|&id| f(id));
        }
        Kind::Item(of, _) | Kind::Rest(of, _) | Kind::Field(of, _) => f(*of),
    }
}

/// The order in which the arguments of a `recur` are computed: an argument goes straight into its variable when no
/// argument after it reads that variable. Arguments without effects may change places for it.
fn plan(body: &Body, args: &[Id], vars: &[Var]) -> Vec<(usize, bool)> {
    let reads: Vec<Set> = args.iter().map(|&a| used(body, a)).collect();
    // A `finally` runs after the value is there, and may read the variable.
    let tries: Vec<bool> = args.iter().map(|&a| holds_try(body, a)).collect();
    let movable = args.iter().all(|&a| is_arithmetic(body, a));
    let mut left: Vec<usize> = (0..args.len()).collect();
    let mut steps = Vec::new();
    while !left.is_empty() {
        let free = |n: usize| !tries[n] && left.iter().all(|&m| m == n || !reads[m].has(vars[n]));
        let candidates = if movable { left.len() } else { 1 };
        let found = (0..candidates).find(|&at| free(left[at]));
        let n = left.remove(found.unwrap_or(0));
        steps.push((n, found.is_some()));
    }
    steps
}

fn is_arithmetic(body: &Body, id: Id) -> bool {
    match &body.exprs[id].kind {
        Kind::Const(_) | Kind::Var(_) | Kind::Capture(_) => true,
        Kind::Operator(_, a, b) => [*a, *b].iter().all(|&p| is_arithmetic(body, p)),
        _ => false,
    }
}

fn holds_try(body: &Body, id: Id) -> bool {
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        if matches!(body.exprs[id].kind, Kind::Try { .. }) {
            return true;
        }
        parts(&body.exprs[id].kind, &mut |part| stack.push(part));
    }
    false
}
