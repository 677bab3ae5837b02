//! A reduction on top of an elementwise nest: both are one pass over memory, and what is between them is never there as a whole.

use crate::data::{Block, DType, Dims, Value};
use crate::kernel::layout::broadcast_shapes;
use crate::kernel::{Expr, Reduce, Reduction};
use crate::schedule::task::Code;
use crate::text::Result;

/// What a call of a reduction asks for, apart from what it reduces.
pub struct Top {
    /// `None` for moments.
    op: Option<Reduce>,
    /// `None` for all.
    axes: Option<Dims>,
    keepdims: bool,
    dtype: Option<DType>,
}

/// The parameters of the ops in question.
const AXIS: usize = 1;
const KEEPDIMS: usize = 2;
const DTYPE: usize = 3;

impl Top {
    /// The reduction that a call is, and which of the call's arguments is reduced: where all others are plain values, and of
    /// the simple kind that tasks are made with.
    pub fn of(code: &Code) -> Option<(Top, usize)> {
        let (name, args) = code.bound_call()?;
        let op = Reduce::ALL.iter().copied().find(|op| op.name() == name);
        if op.is_none() && name != "moments" {
            return None;
        }
        let (mut top, mut reduced) = (Top { op, axes: None, keepdims: op.is_none(), dtype: None }, None);
        for (param, (at, arg)) in args {
            match (param, arg) {
                (0, _) => reduced = Some(at),
                (AXIS, Code::Const(axis)) => top.axes = Some(axes(axis)?),
                (KEEPDIMS, Code::Const(Value::Bool(keep))) if op.is_some() => top.keepdims = *keep,
                (DTYPE, Code::Const(dtype)) if matches!(op, Some(Reduce::Sum | Reduce::Prod)) => {
                    top.dtype = Some(dtype.as_text().and_then(DType::parse)?);
                }
                _ => return None,
            }
        }
        Some((top, reduced?))
    }

    /// The axes that are reduced of so many.
    fn of_axes(&self, ndim: usize) -> Option<Dims> {
        match &self.axes {
            None => Some((0..ndim).collect()),
            Some(axes) => axes.last().is_none_or(|&last| last < ndim).then(|| axes.clone()),
        }
    }

    /// The shape of the result of reducing blocks of a shape; `None` where there is none.
    pub fn shape(&self, whole: &[usize]) -> Option<Dims> {
        let axes = self.of_axes(whole.len())?;
        let lead = self.op.is_none().then_some(3);
        let rest = whole.iter().enumerate().filter_map(|(axis, &len)| match axes.contains(&axis) {
            true => self.keepdims.then_some(1),
            false => Some(len),
        });
        Some(lead.into_iter().chain(rest).collect())
    }

    /// `None` where something does not fit.
    pub fn compile(&self, inputs: &[DType], expr: Expr) -> Option<Reduction> {
        match self.op {
            Some(op) => Reduction::new(op, inputs, expr, self.dtype).ok(),
            None => Reduction::moments(inputs, expr).ok(),
        }
    }

    /// Reduces what `reduction` computes of the inputs.
    pub fn run(&self, reduction: &Reduction, inputs: &[Block]) -> Result<Block> {
        let whole = broadcast_shapes(&inputs.iter().map(Block::shape).collect::<Vec<_>>())?;
        let axes = self.of_axes(whole.len()).unwrap_or_default();
        let block = reduction.run(inputs, &axes)?;
        Ok(if self.keepdims { block } else { block.squeeze(&axes) })
    }
}

/// A list of axes, from the first to the last.
fn axes(value: &Value) -> Option<Dims> {
    let Value::List(items) = value else { return None };
    let axes: Dims = items.iter().map(|v| v.as_int().and_then(|n| usize::try_from(n).ok())).collect::<Option<_>>()?;
    axes.windows(2).all(|pair| pair[0] < pair[1]).then_some(axes)
}
