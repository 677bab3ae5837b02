//! Calls on lists that are nested in each other, run element by element with no lists between: `(frequencies (map f (filter g xs)))`
//! takes each x through g and f, and counts it.

use super::task::{Call, Code, Frame};
use crate::data::{Args, Flow, Host, MakeElements, Reads, Sink, Stage, Value, Work, cancel};
use crate::err;
use crate::op::sequence::{Seq, append};
use crate::text::Result;

/// Stages that elements go through in one pipe.
const MOST_STAGES: usize = 64;

/// Where in a call the elements come in that it takes one by one, if it is such a call.
fn place(call: &Call) -> Option<(usize, Flow)> {
    let flow = call.function().callable.flow()?;
    let (at, count) = call.last_positional()?;
    let fits = match flow {
        Flow::Source(_) | Flow::Together | Flow::Hole => false,
        Flow::Stage(stage) => count == stage.positional,
        Flow::Sink(..) => true,
    };
    // What the other arguments are must not depend on when they are computed.
    let settled = |(n, code): (usize, &Code)| n == at || matches!(code, Code::Const(_) | Code::Index(_));
    (fits && call.args().iter().enumerate().all(settled)).then_some((at, flow))
}

/// The call that makes elements one by one, if it is one.
fn source(code: &Code) -> Option<(&Call, MakeElements)> {
    match code {
        Code::Call(call) => match call.function().callable.flow() {
            Some(Flow::Source(make)) if call.last_positional().is_some() => Some((call, make)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a call makes elements one by one, or changes them so.
fn makes(code: &Code) -> bool {
    let changes = |call: &Call| matches!(place(call), Some((_, Flow::Stage(_))));
    source(code).is_some() || matches!(code, Code::Call(call) if changes(call))
}

/// Whether a call and those in it go together.
pub fn is_pipe(call: &Call) -> bool {
    is_together(call) || place(call).is_some_and(|(at, _)| makes(&call.args()[at]))
}

/// Whether several calls take the elements of one source (`optimize/share.rs`).
fn is_together(call: &Call) -> bool {
    matches!(call.function().callable.flow(), Some(Flow::Together))
}

/// Runs a call for which [`is_pipe`] holds.
pub fn run(call: &Call, frame: &mut Frame) -> Result<Value> {
    let host = frame.host;
    host.stay(&mut || if is_together(call) { run_together(call, host, frame) } else { run_alone(call, host, frame) })
}

fn run_alone(call: &Call, host: &dyn Host, frame: &mut Frame) -> Result<Value> {
    let (mut pipe, reads, from) = Pipe::open(call, host, frame)?;
    let mut batch = Vec::new();
    if let Some((source, make)) = source(from) {
        let args = source.bound_but(host, frame, usize::MAX)?;
        make(&args, &reads, &mut |value| pipe.put_one(value, &mut batch)).map_err(|error| error.at(args.span))?;
        return pipe.finish();
    }
    let whole = from.run(frame)?;
    let items = Seq::of(whole).map_err(|whole| pipe.taker().wrong_value("coll", &whole, "a list"))?;
    for (n, item) in items.into_vec().into_iter().enumerate() {
        if n & 0xfff == 0xfff {
            cancel::check()?;
        }
        if !pipe.put_one(item, &mut batch)? {
            break;
        }
    }
    pipe.finish()
}

/// What each pipe makes of the elements of one source, as a list.
fn run_together(call: &Call, host: &dyn Host, frame: &mut Frame) -> Result<Value> {
    let broken = || {
        err!(Type, "bag/together: expected a source, and calls that take elements one by one from `(bag/hole)`")
            .label(call.span, "in this call")
    };
    let is_hole =
        |code: &Code| matches!(code, Code::Call(call) if matches!(call.function().callable.flow(), Some(Flow::Hole)));
    let (from, users) = call.args().split_first().ok_or_else(broken)?;
    let (source, make) = source(from).ok_or_else(broken)?;
    let mut reads = Reads::NOTHING;
    let mut pipes = Vec::new();
    for user in users {
        let Code::Call(user) = user else { return Err(broken()) };
        place(user).ok_or_else(broken)?;
        let (pipe, read, from) = Pipe::open(user, host, frame)?;
        if !is_hole(from) {
            return Err(broken());
        }
        reads = reads.and(&read);
        pipes.push((pipe, true));
    }
    let args = source.bound_but(host, frame, usize::MAX)?;
    let mut batch = Vec::new();
    let mut next = |value: Value| {
        let mut any = false;
        for (pipe, wants) in pipes.iter_mut().filter(|(_, wants)| *wants) {
            *wants = pipe.put_one(value.clone(), &mut batch)?;
            any |= *wants;
        }
        Ok(any)
    };
    make(&args, &reads, &mut next).map_err(|error| error.at(args.span))?;
    let answers = pipes.into_iter().map(|(pipe, _)| pipe.finish()).collect::<Result<Vec<Value>>>()?;
    Ok(Value::list(answers))
}

/// Stages, and what becomes of the elements behind them.
struct Pipe<'a> {
    steps: Vec<Step<'a>>,
    sink: Box<dyn Sink>,
    /// Whether elements that one is spread to go on one after the other.
    one_by_one: bool,
    top: Args<'a>,
}

struct Step<'a> {
    args: Args<'a>,
    stage: Stage,
    /// What is read of what it hands on.
    reads: Reads,
}

impl<'a> Pipe<'a> {
    /// The calls in each other, what they read of elements, and where these come from.
    fn open(call: &'a Call, host: &'a dyn Host, frame: &mut Frame) -> Result<(Pipe<'a>, Reads, &'a Code)> {
        let (at, flow) = place(call).ok_or_else(|| err!(Internal, "a pipeline is no pipeline"))?;
        let top = call.bound_but(host, frame, at)?;
        let mut steps = Vec::new();
        let mut from = &call.args()[at];
        let mut add = |args, stage: Stage, reads: &mut Reads| {
            let before = (stage.reads)(&args, reads);
            steps.push(Step { args, stage, reads: std::mem::replace(reads, before) });
            steps.len() < MOST_STAGES
        };
        let (mut reads, mut more) = (Reads::All, true);
        match flow {
            Flow::Stage(stage) => more = add(call.bound_but(host, frame, at)?, stage, &mut reads),
            Flow::Sink(_, reads_of) => reads = reads_of(&top),
            Flow::Source(_) | Flow::Together | Flow::Hole => {}
        }
        // The stages behind so many run as a pipe of their own: each takes some of the stack.
        while more
            && let Code::Call(inner) = from
            && let Some((next, Flow::Stage(stage))) = place(inner)
        {
            more = add(inner.bound_but(host, frame, next)?, stage, &mut reads);
            from = &inner.args()[next];
        }
        steps.reverse();
        let sink = match flow {
            Flow::Sink(make, _) => make(&top)?,
            _ => Box::new(List(Vec::new())),
        };
        Ok((Pipe { steps, one_by_one: sink.may_end(), sink, top }, reads, from))
    }

    /// Whose fault it is where elements are none.
    fn taker(&self) -> &Args<'a> {
        self.steps.first().map_or(&self.top, |step| &step.args)
    }

    fn finish(self) -> Result<Value> {
        self.sink.finish(&self.top)
    }

    /// Takes an element through all stages. What is in the batch does not matter.
    fn put_one(&mut self, value: Value, batch: &mut Vec<Value>) -> Result<bool> {
        batch.clear();
        batch.push(value);
        self.put(0, batch)
    }

    /// Takes elements through the stages from `at` on: whether more are wanted.
    fn put(&mut self, mut at: usize, values: &mut Vec<Value>) -> Result<bool> {
        while let Some(Step { args, stage, reads }) = self.steps.get(at) {
            at += 1;
            match stage.work {
                Work::InPlace(work) => work(args, reads, values).map_err(|error| error.at(args.span))?,
                Work::Choose(work) => work(args, reads, values).map_err(|error| error.at(args.span))?,
                Work::Spread(work) => {
                    for value in values.drain(..) {
                        let Step { args, .. } = &self.steps[at - 1];
                        let mut parts = work(args, value).map_err(|error| error.at(args.span))?;
                        if !self.one_by_one {
                            self.put(at, &mut parts)?;
                            continue;
                        }
                        for part in parts {
                            if !self.put(at, &mut vec![part])? {
                                return Ok(false);
                            }
                        }
                    }
                    return Ok(true);
                }
            }
        }
        self.sink.take(&self.top, values)
    }
}

/// The elements as a list.
struct List(Vec<Value>);

impl Sink for List {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        append(&mut self.0, values)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.0))
    }
}
