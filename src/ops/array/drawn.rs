//! `random/drawn`: numbers of all distributions that take more than a word or two for an element, with parameters that may be
//! arrays. `stdlib/random.dsk` calls it by NumPy's names. And `random/seed`.

use super::random::part;
use crate::data::{Args, Array, Block, Body, Chunks, Cost, DType, Dims, Input, Memory, Task, Value};
use crate::err;
use crate::kernel::create::from_value;
use crate::kernel::random::{LAWS, Law, draw};
use crate::op::chunking::{self, Bounds, show};
use crate::op::layers::{Parents, Plan, broadcast_at, call, dtype_value, ints, unify};
use crate::op::operand::known;
use crate::op::{Kind, Op, Operand, Token, infer, parts};
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(random/drawn distribution parameters :size nil :dtype nil :seed nil :chunks nil :part nil)",
        doc: "Random numbers of a distribution by its name, of parameters that may be arrays: `random/gamma` and all the others call it.\n\
            Without `:size` the array has the shape that the parameters broadcast to. An element depends on the seed, on its place in \
            the array and on its own parameters only. `:part [[i j] …]` makes that part of the whole only, of parameters for that part.",
        examples: &[("(shape (random/drawn \"gamma\" [[1 2 3] 1.0] :seed 1))", "[3]")],
        see: &["random/gamma", "random/poisson"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, drawn),
    },
    Op {
        usage: "(random/seed n)",
        doc: "Sets what random numbers follow from that are asked for without `:seed`, so that a program draws the same ones whenever it \
            runs; nil ends that.\nCalls within tasks do not follow from it, since tasks run in any order: give them a `:seed`.",
        examples: &[("(do (random/seed 1) (let [x (random/random)] (random/seed 1) (= x (random/random))))", "true")],
        see: &["random/random"],
        cost: Cost::Cheap,
        kind: Kind::Now(|args| {
            args.host.seeds().set(args.int_or_nil("n")?);
            Ok(Value::Nil)
        }),
    },
];

/// What is drawn, and where in the whole array it lies.
struct Drawn {
    law: &'static Law,
    dtype: DType,
    seed: i64,
    whole: Dims,
    from: Dims,
    shape: Dims,
}

fn drawn(args: Args) -> Result<Value> {
    of(law(&args)?, args.list("parameters")?, &args)
}

/// Numbers of a distribution of these parameters; what else is asked for stands in arguments of the names that `random/drawn` has.
pub(super) fn of(law: &'static Law, given: Vec<Value>, args: &Args) -> Result<Value> {
    let name = format!("random/{}", law.name);
    made(law, given, args).map_err(infer::of(&name))
}

fn made(law: &'static Law, given: Vec<Value>, args: &Args) -> Result<Value> {
    if given.len() != law.params.len() {
        return Err(err!(Value, "random/{}: there are {} parameters, not {}", law.name, law.params.len(), given.len()));
    }
    let params = given.into_iter().zip(law.params).map(|(value, (name, _))| parameter(value, law, name));
    let params = params.collect::<Result<Vec<Operand>>>()?;
    let dtype = infer::dtype(args.value("dtype"))?.unwrap_or(law.natural());
    let seed = args.int_or_nil("seed")?.unwrap_or_else(|| args.host.seeds().next());
    let shapes: Vec<Dims> = params.iter().map(Operand::shape).collect();
    let own = infer::broadcast(&shapes.iter().map(|s| s.as_slice()).collect::<Vec<_>>())?;
    let whole = if args.is_nil("size") { own.clone() } else { infer::shape(args.value("size"))? };
    infer::byte_size(&whole, dtype)?;
    let (from, shape) = match args.value("part") {
        Value::Nil => (Dims::from_elem(0, whole.len()), whole.clone()),
        given => part(given, &whole)?,
    };
    if infer::broadcast(&[&shape, &own])? != shape {
        return Err(err!(Shape, "parameters of shape {} do not broadcast to the shape {}", show(&own), show(&shape)));
    }
    let drawn = Drawn { law, dtype, seed, whole, from, shape };
    // What is wrong with parameters that are known is wrong at the call.
    drawn.check(&params)?;
    if !params.iter().any(Operand::is_lazy) && args.is_nil("chunks") {
        super::concrete_fits(&drawn.shape, dtype)?;
        let blocks = params.iter().map(block).collect::<Result<Vec<_>>>()?;
        return Ok(draw(law, &blocks, dtype, seed as u64, &drawn.whole, &drawn.from, &drawn.shape)?.into());
    }
    let chunks = match args.value("chunks") {
        Value::Nil => Chunks::whole(&drawn.shape),
        chunks => chunking::normalize(chunks, &drawn.shape, dtype, None)?,
    };
    let plain = params.iter().all(|p| p.shape().iter().all(|&n| n == 1) && !p.is_lazy());
    Ok(Value::Array(
        if plain { drawn.source(&params, chunks, args)? } else { drawn.meeting(&params, chunks, args)? }.into(),
    ))
}

fn law(args: &Args) -> Result<&'static Law> {
    let name = args.name("distribution")?;
    Law::named(&name).ok_or_else(|| {
        let names: Vec<&str> = LAWS.iter().map(|law| law.name).collect();
        err!(Value, "there is no distribution {name:?}").help(format!("there are {}", names.join(", ")))
    })
}

fn parameter(value: Value, law: &Law, name: &str) -> Result<Operand> {
    let found = value.a_type_name();
    if let Value::Array(array) = &value {
        known(array)?;
    }
    let number = Operand::take(value).ok().filter(|p| !p.dtype().is_complex());
    number.ok_or_else(|| err!(Type, "random/{}: `{name}` is a number or an array of numbers, found {found}", law.name))
}

fn block(param: &Operand) -> Result<Block> {
    match param {
        Operand::Block(block) => Ok((**block).clone()),
        other => from_value(&other.value(), None),
    }
}

impl Drawn {
    /// Refuses parameters that the distribution does not have, as far as they are in hand.
    fn check(&self, params: &[Operand]) -> Result<()> {
        if params.iter().any(|p| !p.shape().is_empty() || p.is_lazy()) {
            return Ok(());
        }
        let blocks = params.iter().map(block).collect::<Result<Vec<_>>>()?;
        draw(self.law, &blocks, self.dtype, 0, &[0], &[0], &[0]).map(|_| ())
    }

    fn token(&self) -> Token {
        Token::new("random/drawn").with((self.law.name, self.seed, self.dtype)).with(self.whole.as_slice())
    }

    fn task(&self, params: Vec<Task>, bounds: Bounds) -> Task {
        let from = self.from.clone();
        let part = Task::index(move |index| {
            let axis = |axis: usize| {
                let start = from[axis] + bounds.start(axis, index[axis]);
                ints(&[start, start + bounds.len(axis, index[axis])])
            };
            Value::list((0..index.len()).map(axis).collect())
        });
        let items = vec![Task::data(self.law.name), Task::list(params), Task::data(ints(&self.whole))];
        let mut keywords = vec![("seed", Task::data(self.seed)), ("part", part)];
        if self.dtype != self.law.natural() {
            keywords.insert(0, ("dtype", Task::data(dtype_value(self.dtype))));
        }
        call("random/drawn", items, keywords)
    }

    /// Of numbers: blocks are made of nothing.
    fn source(self, params: &[Operand], chunks: Chunks, args: &Args) -> Result<Array> {
        let (span, dtype) = (args.span, self.dtype);
        let values: Vec<Value> = params.iter().map(Operand::value).collect();
        let token = values.iter().fold(self.token(), Token::value).with(self.from.as_slice());
        Ok(parts::source(&chunks, span, move |bounds, chunks| {
            let token = token.clone().chunks(&chunks);
            let task = self.task(values.iter().map(|v| Task::data(v.clone())).collect(), bounds);
            Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Cheap, span }.source(task)
        }))
    }

    /// Of arrays, whose blocks meet those of what is made.
    fn meeting(self, params: &[Operand], chunks: Chunks, args: &Args) -> Result<Array> {
        let (span, dtype) = (args.span, self.dtype);
        // An array of the shape that is wanted meets the parameters, so that they are cut as it is.
        let plan = Plan {
            token: Token::new("shape").chunks(&chunks),
            parents: Vec::new(),
            dtype,
            chunks,
            cost: Cost::Free,
            span,
        };
        let mut operands = vec![Operand::Array(Arc::new(plan.source(Task::data(Value::Nil))))];
        operands.extend_from_slice(params);
        let (operands, chunks) = unify(&operands, span)?;
        let mut token = self.token().with(self.from.as_slice()).chunks(&chunks);
        let (mut parents, mut inputs, mut items) = (Parents::default(), Vec::new(), Vec::new());
        for operand in &operands[1..] {
            token = token.value(&operand.value());
            items.push(match operand {
                Operand::Array(a) => {
                    let at = broadcast_at(&a.chunks, &chunks, chunks.ndim());
                    inputs.push(Input { parent: parents.add(&a.layer), at });
                    Task::input(inputs.len() - 1)
                }
                constant => Task::data(constant.value()),
            });
        }
        let task = self.task(items, Bounds::of(&chunks));
        let plan = Plan { token, parents: parents.layers, dtype, chunks, cost: Cost::Cheap, span };
        Ok(plan.array(Body::Blockwise { inputs, task }))
    }
}
