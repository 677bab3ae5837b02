//! Discrete Fourier transforms: what the functions of `stdlib/fft.dsk` are made of.

use crate::data::{Args, Cost, Memory, Task, Value};
use crate::err;
use crate::kernel::fourier;
use crate::op::layers::{along, call};
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::Result;

pub static OPS: &[Op] = &[Op {
    usage: "(fft/along x :n nil :axis -1 :inverse false)",
    doc: "The discrete Fourier transform along an axis, not divided by its length in either direction.\nOf `:n` elements, the axis \
        being cut off there or filled up with zeros. complex64 of float32 and complex64, complex128 of others. A lazy array is rechunked, so that \
        the axis is whole in a block.",
    examples: &[("(to-list (fft/along [1.0 2.0]))", "[3+0j -1+0j]")],
    see: &["fft/fft", "fft/ifft", "fft/rfft"],
    cost: Cost::Dear,
    kind: Kind::Array(Memory::Copies, along_axis),
}];

fn along_axis(mut args: Args) -> Result<Value> {
    let x = Given::of(args.take("x"))?;
    let axis = infer::axis(args.value("axis"), x.ndim())?;
    let inverse = args.bool("inverse")?;
    let n = args.size_or_nil("n")?.unwrap_or(x.shape()[axis]);
    if n == 0 {
        return Err(err!(Value, "a transform is of one element at least"));
    }
    let dtype = fourier::transformed(x.dtype());
    let mut shape = x.shape();
    shape[axis] = n;
    infer::byte_size(&shape, dtype)?;
    match x {
        Given::Now(block) => Ok(fourier::transform(&block, axis, n, inverse)?.into()),
        Given::Lazy(array) => {
            let keywords = vec![
                ("n", Task::data(Value::Int(n as i64))),
                ("axis", Task::data(Value::Int(axis as i64))),
                ("inverse", Task::data(Value::Bool(inverse))),
            ];
            let task = call("fft/along", vec![Task::input(0)], keywords);
            let token = Token::new("fft/along").with((n, inverse));
            Ok(Value::Array(along(&array, &[axis], token, dtype, &[(axis, n)], args.span, task).into()))
        }
    }
}
