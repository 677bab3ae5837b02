//! What ops need that compute: the interpreter that called them, and the options among their keywords.

use crate::data::{Args, Map};
use crate::err;
use crate::eval::Interpreter;
use crate::schedule::{Config, config};
use crate::text::Result;

/// The interpreter of a call.
pub fn interpreter<'a>(args: &Args<'a>) -> Result<&'a Interpreter> {
    let host = args.host.as_any().downcast_ref();
    host.ok_or_else(|| err!(Internal, "`{}` was called by a host that is no interpreter", args.function.name))
}

/// The options in force, with those of the call laid over them.
pub fn options(args: &Args, interpreter: &Interpreter) -> Result<Config> {
    let mut given = Map::new();
    for (name, _) in config::OPTIONS {
        if let Some(at) = args.function.signature.params.iter().position(|p| p.name == *name)
            && args.has(at)
        {
            given.set(name, args.values[at].clone());
        }
    }
    interpreter.config().with(&given).map_err(|e| e.at(args.span))
}
