//! `read`: a part of a dataset, now. The tasks of `read-array` are calls of it.

use crate::data::slice::Range;
use crate::data::{Args, Callable, Cost, Function, Host, Memory, Outside, Signature, Str, Task, Value};
use crate::err;
use crate::io::stored::{self, Stored};
use crate::io::target::Target;
use crate::op::indexing::{Index, Step, Take};
use crate::op::pairs::{Meeting, apart};
use crate::op::{Kind, Op};
use crate::text::Result;
use smallvec::SmallVec;
use std::any::Any;
use std::sync::Arc;

pub static OP: Op = Op {
    usage: "(read target & index)",
    doc: "A part of the array `file::/path`, or `x.npy`, read now: `(read \"f.h5::/A\" 0:1000 0)`.\n\
          The index is as in `slice`; axes it does not reach are read whole. What `read-array` makes are tasks that call this.",
    examples: &[],
    see: &["read-array"],
    cost: Cost::Cheap,
    kind: Kind::Outside(Memory::Read, read),
};

fn read(args: Args) -> Result<Value> {
    match args.value("target") {
        Value::Function(f) if let Some(opened) = f.callable.as_any().downcast_ref::<Opened>() => {
            part(&*opened.dataset, &args.rest)
        }
        _ => {
            let target = Target::parse(&args.text("target")?)?;
            part(&*stored::open(&target)?, &args.rest)
        }
    }
}

fn part(dataset: &dyn Stored, items: &[Value]) -> Result<Value> {
    let index = Index::parse(items, dataset.shape())?;
    // The span of each axis is read; what is left to do is done on the block.
    let mut region: SmallVec<[Range; 6]> = SmallVec::new();
    let mut rest = Vec::with_capacity(index.0.len());
    let mut plain = true;
    for step in index.0 {
        let (range, left) = match step {
            Step::New => {
                plain = false;
                rest.push(Step::New);
                continue;
            }
            Step::Axis(Take::Range(range)) => (range, Take::Range(Range { start: 0, step: 1, count: range.count })),
            Step::Axis(Take::One(at)) => {
                plain = false;
                (Range { start: at, step: 1, count: 1 }, Take::One(0))
            }
            Step::Axis(Take::List(list)) => {
                plain = false;
                let low = list.iter().copied().min().unwrap_or(0);
                let high = list.iter().copied().max().map_or(low, |high| high + 1);
                let list = list.iter().map(|at| at - low).collect();
                (Range { start: low, step: 1, count: high - low }, Take::List(list))
            }
        };
        region.push(range);
        rest.push(Step::Axis(left));
    }
    let block = dataset.read(&region)?;
    if plain {
        return Ok(block.into());
    }
    let index = Index(rest);
    Ok(match Meeting::of(&index, block.shape(), apart(items))? {
        Some(meeting) => meeting.of_block(&block)?,
        None => index.of_block(&block)?,
    }
    .into())
}

/// An open dataset, in the place of its name in the tasks of a layer, so that its layout is learnt once. It is written as
/// the name, and read back as that.
pub struct Opened {
    target: Str,
    dataset: Arc<dyn Stored>,
}

impl Opened {
    pub fn value(target: Str, dataset: Arc<dyn Stored>) -> Value {
        Value::from(Function {
            name: target.clone(),
            signature: Arc::new(Signature::default()),
            doc: None,
            cost: Cost::Unknown,
            memory: Memory::Unknown,
            callable: Box::new(Opened { target, dataset }),
        })
    }
}

impl Callable for Opened {
    fn call(&self, args: Args) -> Result<Value> {
        Err(err!(Type, "the dataset `{}` is not a function", self.target).label(args.span, "in this call"))
    }

    fn source(&self) -> Option<Task> {
        Some(Task::data(Value::Str(self.target.clone())))
    }

    fn state(&self, _host: &dyn Host) -> Option<u64> {
        self.dataset.state()
    }

    fn outside(&self) -> Option<Outside> {
        Some(self.dataset.outside())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
