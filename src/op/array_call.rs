//! Calls of ops on arrays.

use super::{chunking, infer};
use crate::data::{Args, Memory, Value, task::deep};
use crate::text::Result;

/// Runs an op; its errors say which op it was, and point at the call.
pub fn array_call(args: Args, memory: Memory, run: fn(Args) -> Result<Value>) -> Result<Value> {
    if args.values.iter().chain(&args.rest).any(is_delayed) {
        return args.host.delay(&args);
    }
    // Users know checks as what the op does that they called.
    let name = match args.values.get(3) {
        Some(Value::Str(by)) if memory == Memory::Checked => by.clone(),
        _ => args.function.name.clone(),
    };
    let span = args.span;
    let done = run(args).and_then(|value| {
        // Grids multiply in products and broadcasts, where no `:chunks` was asked for.
        if let Value::Array(array) = &value {
            chunking::check_blocks(array.chunks.grid())?;
        }
        Ok(value)
    });
    done.map_err(|error| infer::of(&name)(error).at(span))
}

/// Whether a value is lazy, or a list of such, and not known to be an array.
fn is_delayed(value: &Value) -> bool {
    match value {
        Value::List(items) => deep(|| items.iter().any(is_delayed)),
        Value::Delayed(_) => true,
        _ => false,
    }
}
