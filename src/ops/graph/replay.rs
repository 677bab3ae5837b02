//! `replay`: a task that failed, once more.

use super::subject::key_of;
use crate::data::{Args, Cost, Value};
use crate::err;
use crate::eval::Interpreter;
use crate::op::{Kind, Op};
use crate::schedule::Computation;
use crate::text::Result;

pub static OP: Op = Op {
    usage: "(replay key?)",
    doc: "Runs a task of the last computation again, alone, if that computation failed: the task that failed, or the one of a key. Answers what it makes, \
          or fails as it did.\n\
          The key is written as the report of the error has it, `(replay '[\"x\" 3 0])`, or as `(:key *e)` in a session. The task runs with its inputs as \
          far as they are still there; the others are made again, each by a task of its own, so that the error names the call that \
          fails and not the task it had been made a part of. Names that the task mentions mean what they mean now.\n\
          What a failed computation leaves behind takes memory until the next computation, however that ends.\n\
          Errors: `dsk::value` where there is nothing to replay, `dsk::index` where the graph has no such key, and those of the task.",
    examples: &[(
        "(do (def divisor 0) (def g (graph '{x 6 y (/ x divisor)})) (try (compute g 'y) (catch e nil)) (def divisor 2) (replay 'y))",
        "3.0",
    )],
    see: &["compute", "try"],
    cost: Cost::Unknown,
    kind: Kind::Now(replay),
};

fn replay(args: Args) -> Result<Value> {
    let interpreter: &Interpreter = (args.host.as_any().downcast_ref())
        .ok_or_else(|| err!(Internal, "`replay` was called by a host that cannot compute"))?;
    let key = match args.value("key") {
        Value::Nil => None,
        value => Some(key_of(value).ok_or_else(|| args.wrong("key", "a quoted key, as `'[\"x\" 3 0]`"))?),
    };
    let (runtime, config, cancel) = (interpreter.runtime(), &interpreter.config(), interpreter.cancelled());
    Computation { host: interpreter, runtime, config, cancel }.replay(key.as_ref())
}
