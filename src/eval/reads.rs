//! What a function reads of its arguments: of records that are made for it, no more has to be made.

use super::code::Proto;
use super::globals::Role;
use super::interpreter::Interpreter;
use super::liveness::parts;
use super::syntax::{Body, Kind, Source, Var};
use crate::data::{Reads, Value};

/// For each parameter the keys under which it is looked up, if nothing else is done with it.
pub(super) fn of_parameters(body: &Body) -> Box<[Option<Box<[Value]>>]> {
    let mut keys: Vec<Option<Vec<Value>>> = vec![Some(Vec::new()); body.params];
    let mut read = |var: Var, key: Option<&Value>| {
        if let Some(found) = keys.get_mut(var) {
            match (found.as_mut(), key) {
                (Some(found), Some(key)) if found.iter().all(|k| !k.same_key(key)) => found.push(key.clone()),
                (_, Some(_)) => {}
                (_, None) => *found = None,
            }
        }
    };
    let mut left = vec![body.root];
    while let Some(id) = left.pop() {
        let kind = &body.exprs[id].kind;
        // What a look-up takes is not read whole.
        let looked_up = match kind {
            Kind::Field(of, key) => Some((*of, key)),
            Kind::Call(callee, args) => {
                body.access(*callee, args).filter(|_| !is_assoc(body, *callee)).and_then(|args| {
                    match &body.exprs[args[1]].kind {
                        Kind::Const(key) => Some((args[0], key)),
                        _ => None,
                    }
                })
            }
            _ => None,
        };
        let of = match looked_up {
            Some((of, key)) if let Kind::Var(var) = body.exprs[of].kind => {
                read(var, Some(key));
                Some(of)
            }
            _ => None,
        };
        match kind {
            Kind::Var(var) => read(*var, None),
            Kind::Fn(_, sources) => sources.iter().for_each(|(source, _)| {
                if let Source::Var(var) = source {
                    read(*var, None);
                }
            }),
            Kind::Recur(recur) => recur.vars.iter().for_each(|var| read(*var, None)),
            Kind::Default { param, .. } => read(*param, None),
            _ => {}
        }
        parts(kind, &mut |part| left.extend((Some(part) != of).then_some(part)));
    }
    keys.into_iter().map(|keys| keys.map(Vec::into_boxed_slice)).collect()
}

fn is_assoc(body: &Body, callee: usize) -> bool {
    matches!(&body.exprs[callee].kind, Kind::Global(cell) if cell.name == "assoc")
}

/// What the function of this code reads of the argument at a position, where all arguments are plain.
pub(super) fn of_argument(proto: &Proto, at: usize, interpreter: &Interpreter) -> Reads {
    let running = interpreter.globals.enter();
    // A `get` of the program's own does what it likes.
    let is_op = |name: &str| {
        let mut cells = proto.globals.iter().filter(|cell| cell.name == name);
        cells.all(|cell| cell.get(&running).is_some_and(|binding| binding.role == Role::Op))
    };
    let sound = proto.plain != Proto::SORTED && is_op("get");
    let keys = proto.reads.get(at).and_then(Option::as_ref).filter(|_| sound);
    let reads = keys.map_or(Reads::All, |keys| Reads::Keys(keys.to_vec()));
    interpreter.globals.leave(running);
    reads
}
