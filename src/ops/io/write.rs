//! `write`: a block to its place in a dataset, now. The tasks of `store` are calls of it.

use crate::data::{Args, Block, Callable, Cost, Function, Memory, Outside, Signature, Slice, Str, Task, Value};
use crate::err;
use crate::io::stored::{self, Sink};
use crate::io::target::Target;
use crate::op::{Kind, Op};
use crate::text::Result;
use smallvec::SmallVec;
use std::any::Any;
use std::sync::Arc;

pub static OP: Op = Op {
    usage: "(write target block & region)",
    doc: "Writes an array to a part of the array `file::/path`, or `x.npy`, which is there already: `(write \"f.h5::/A\" x 0:10 5:15)`.\n\
          The region is a slice for each axis, of the array's own shape. What `store` runs are tasks that call this. Answers nil.",
    examples: &[],
    see: &["store"],
    cost: Cost::Dear,
    kind: Kind::Outside(Memory::Write, write),
};

fn write(args: Args) -> Result<Value> {
    let block = match args.value("block") {
        Value::Block(block) => block.clone(),
        other => Arc::new(crate::kernel::create::from_value(other, None)?),
    };
    let start = start(&args, &block)?;
    match args.value("target") {
        Value::Function(f) if let Some(opened) = f.callable.as_any().downcast_ref::<Place>() => {
            opened.sink()?.write(&start, &block)?;
        }
        _ => {
            let target = Target::parse(&args.text("target")?)?;
            stored::write_part(&target, &start, &block)?;
        }
    }
    Ok(Value::Nil)
}

/// Where the block begins: the region must be of its shape.
fn start(args: &Args, block: &Block) -> Result<SmallVec<[usize; 6]>> {
    let bounds = |value: &Value| match value {
        Value::Slice(slice) => match **slice {
            Slice { start: Some(start), stop: Some(stop), step: None | Some(1) } => {
                Some((usize::try_from(start).ok()?, usize::try_from(stop).ok()?))
            }
            _ => None,
        },
        _ => None,
    };
    let bounds: Option<SmallVec<[(usize, usize); 6]>> = args.rest.iter().map(bounds).collect();
    let fits = |bounds: &[(usize, usize)]| {
        bounds.len() == block.ndim() && bounds.iter().zip(block.shape()).all(|(b, &n)| b.1.checked_sub(b.0) == Some(n))
    };
    match bounds {
        Some(bounds) if fits(&bounds) => Ok(bounds.iter().map(|b| b.0).collect()),
        _ => Err(err!(Shape, "write: the region is not of the block's shape, {}", crate::text::shape(block.shape()))
            .help("a region is a slice `start:stop` for each axis, as long as the block along it")),
    }
}

/// A dataset that is being written, in the place of its name in the tasks of a layer.
pub struct Place {
    target: Str,
    to: To,
}

enum To {
    Sink(Arc<dyn Sink>),
    /// Nowhere: for tasks that are only looked at.
    Imagined(Outside),
}

impl Place {
    pub fn value(sink: Arc<dyn Sink>) -> Value {
        Place { target: sink.incomplete().into(), to: To::Sink(sink) }.named()
    }

    /// A dataset that there is not.
    pub fn imagined(outside: Outside) -> Value {
        Place { target: "nowhere".into(), to: To::Imagined(outside) }.named()
    }

    fn named(self) -> Value {
        Value::from(Function {
            name: self.target.clone(),
            signature: Arc::new(Signature::default()),
            doc: None,
            cost: Cost::Unknown,
            memory: Memory::Unknown,
            callable: Box::new(self),
        })
    }

    fn sink(&self) -> Result<&dyn Sink> {
        match &self.to {
            To::Sink(sink) => Ok(&**sink),
            To::Imagined(_) => Err(err!(Internal, "a task that was only to be looked at was run")),
        }
    }
}

impl Callable for Place {
    fn call(&self, args: Args) -> Result<Value> {
        Err(err!(Type, "the dataset `{}` is not a function", self.target).label(args.span, "in this call"))
    }

    fn source(&self) -> Option<Task> {
        Some(Task::data(Value::Str(self.target.clone())))
    }

    fn outside(&self) -> Option<Outside> {
        Some(match &self.to {
            To::Sink(sink) => sink.outside(),
            To::Imagined(outside) => outside.clone(),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
