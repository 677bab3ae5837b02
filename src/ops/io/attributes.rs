//! `attributes`: what is said about a dataset, group or file.

use crate::data::{Args, Cost, Value};
use crate::io::stored;
use crate::io::target::Target;
use crate::op::{Kind, Op};
use crate::text::Result;

pub static OP: Op = Op {
    usage: "(attributes target)",
    doc: "The attributes of a dataset or group `file::/path`, or of a file (HDF5, or netCDF of any version), as a map from names to values.\n\
          Numbers and strings are plain values, more of them arrays and lists. An attribute of a type that has no value here is the \
          name of its type in angle brackets, as a string. A `.npy` file has none. `(store x target :attributes {:units \"K\"})` writes them.",
    examples: &[],
    see: &["read-array", "store"],
    cost: Cost::Cheap,
    kind: Kind::Now(attributes),
};

fn attributes(args: Args) -> Result<Value> {
    let target = Target::parse_object(&args.text("target")?)?;
    Ok(Value::map(stored::attributes(&target)?))
}
