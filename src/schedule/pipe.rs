//! Calls on lists that are nested in each other, run element by element with no lists between: `(frequencies (map f (filter g xs)))`
//! takes each x through g and f, and counts it.

use super::task::{Call, Code, Frame};
use crate::data::{Args, Flow, Next, Value};
use crate::err;
use crate::op::sequence::{Seq, push};
use crate::text::Result;

/// Stages that elements go through in one pipe.
const MOST_STAGES: usize = 64;

/// Where in a call the elements come in that it takes one by one, if it is such a call.
fn place(call: &Call) -> Option<(usize, Flow)> {
    let flow = call.function().callable.flow()?;
    let (at, count) = call.last_positional()?;
    let fits = match flow {
        Flow::Source(_) => false,
        Flow::Stage(positional, _) => count == positional,
        Flow::Sink(_) => true,
    };
    // What the other arguments are must not depend on when they are computed.
    let settled = |(n, code): (usize, &Code)| n == at || matches!(code, Code::Const(_) | Code::Index(_));
    (fits && call.args().iter().enumerate().all(settled)).then_some((at, flow))
}

/// Whether a call makes elements one by one.
fn makes(code: &Code) -> bool {
    let Code::Call(call) = code else { return false };
    let source = matches!(call.function().callable.flow(), Some(Flow::Source(_)));
    source && call.last_positional().is_some() || matches!(place(call), Some((_, Flow::Stage(..))))
}

/// Whether a call and those in it go together.
pub fn is_pipe(call: &Call) -> bool {
    place(call).is_some_and(|(at, _)| makes(&call.args()[at]))
}

/// Runs a call for which [`is_pipe`] holds.
pub fn run(call: &Call, frame: &mut Frame) -> Result<Value> {
    let host = frame.host;
    let broken = || err!(Internal, "a pipeline is no pipeline");
    let (mut at, flow) = place(call).ok_or_else(broken)?;
    let top = call.bound_but(host, frame, at)?;
    let mut stages = Vec::new();
    let mut from = &call.args()[at];
    if let Flow::Stage(_, stage) = flow {
        stages.push((call.bound_but(host, frame, at)?, stage));
    }
    // The stages behind so many run as a pipe of their own: each takes some of the stack.
    while stages.len() < MOST_STAGES
        && let Code::Call(inner) = from
        && let Some((next, Flow::Stage(_, stage))) = place(inner)
    {
        stages.push((inner.bound_but(host, frame, next)?, stage));
        at = next;
        from = &inner.args()[at];
    }
    stages.reverse();
    let mut sink = match flow {
        Flow::Sink(make) => make(&top)?,
        _ => Box::new(List(Vec::new())),
    };
    let mut into = |value: Value| sink.push(&top, value);
    match from {
        Code::Call(source) if let Some(Flow::Source(make)) = source.function().callable.flow() => {
            let args = source.bound_but(host, frame, usize::MAX)?;
            make(&args, &mut |value| through(&stages, value, &mut into)).map_err(|error| error.at(args.span))?;
        }
        _ => {
            let whole = from.run(frame)?;
            let taker = stages.first().map_or(&top, |(args, _)| args);
            let items = Seq::of(whole).map_err(|whole| taker.wrong_value("coll", &whole, "a list"))?;
            for (n, item) in items.into_vec().into_iter().enumerate() {
                taker.check_interrupt(n)?;
                if !through(&stages, item, &mut into)? {
                    break;
                }
            }
        }
    }
    sink.finish(&top)
}

type Stage<'a> = (Args<'a>, fn(&Args, Value, &mut Next) -> Result<bool>);

fn through(stages: &[Stage], value: Value, into: &mut Next) -> Result<bool> {
    match stages.split_first() {
        None => into(value),
        Some(((args, stage), rest)) => {
            stage(args, value, &mut |value| through(rest, value, into)).map_err(|error| error.at(args.span))
        }
    }
}

/// The elements as a list.
struct List(Vec<Value>);

impl crate::data::Sink for List {
    fn push(&mut self, _: &Args, value: Value) -> Result<bool> {
        push(&mut self.0, value)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.0))
    }
}
