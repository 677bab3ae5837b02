//! Floor 1: the nouns. Task, Key, Value, Block (typed n-d array), Graph and its layers, Array, Slice.

pub mod array;
pub mod block;
pub mod buffer;
pub mod cancel;
pub mod chunks;
pub mod counts;
pub mod dtype;
pub mod flow;
pub mod function;
pub mod graph;
pub mod key;
pub mod list;
pub mod map;
pub mod panicked;
pub mod seeds;
pub mod slice;
pub mod str;
pub mod task;
pub mod value;

pub use self::str::{Packed, Str};
pub use array::{Array, Unknown};
pub use block::{Block, Dims, Element, Strides};
pub use buffer::{Buffer, Pool};
pub use chunks::Chunks;
pub use counts::Counts;
pub use dtype::{Complex32, Complex64, DType, Kind};
pub use flow::{Answer, Direct, Flow, MOST_DIRECT, MakeElements, Next, Reads, Sink, Stage, Work};
pub use function::{Args, Callable, Cost, Function, Host, Memory, Outside, Param, ParamKind, Signature};
pub use graph::{At, Axis, BlockRef, Body, Graph, Input, Layer, Parts, Taken};
pub use key::Key;
pub use list::List;
pub use map::Map;
pub use seeds::Seeds;
pub use slice::Slice;
pub use task::{Form, Task};
pub use value::{Delayed, Value};
