//! Files of what bags hold.

use super::encoding;
use crate::data::{Args, Task, Value};
use crate::err;
use crate::io::text::{self, Place};
use crate::op;
use crate::op::bags::{layer, partitionwise};
use crate::op::layers::call;
use crate::op::sequence::Seq;
use crate::op::{Inputs, Kind, Op};
use crate::ops::bag::source::of_parts;
use crate::ops::text::json;
use crate::text::Result;
use std::path::Path;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(
        Kind::Now(write_text),
        "(write-text target coll :encoding \"utf-8\")",
        "Writes the elements as lines, a file a partition: `*` in the target is the partition's number, a target without is a folder, or of a list the file. \
         Packed by the ending of the name. They appear when all are complete. Answers with their names.",
        [],
        ["write-json", "read-text"]
    ),
    op!(
        Kind::Now(write_json),
        "(write-json target coll)",
        "As `write-text`, each element as JSON on a line.",
        [],
        ["write-text", "json/write"]
    ),
    op!(
        Kind::Now(written),
        "(bag/written path coll :as nil :json false :encoding \"utf-8\")",
        "Writes a file of the elements, packed as the name `:as` says, and answers with the list of its name. The task of `write-text`.",
        [],
        ["write-text"]
    ),
];

/// The names of the files that so many partitions are written to. `one` says that there is but one, which may be named.
fn outputs(args: &Args, target: &str, n: usize, one: bool) -> Result<Vec<String>> {
    let width = n.saturating_sub(1).to_string().len();
    let number = |k: usize| format!("{k:0width$}");
    match target.matches('*').count() {
        1 => Ok((0..n).map(|k| target.replace('*', &number(k))).collect()),
        0 if one => Ok(vec![target.to_string()]),
        0 => Ok((0..n).map(|k| format!("{}/{}.part", target.trim_end_matches('/'), number(k))).collect()),
        _ => Err(err!(Value, "{}: one `*` stands for the number of the partition", args.function.name)
            .label(args.span, "in this call")),
    }
}

pub fn write_text(args: Args) -> Result<Value> {
    write(args, false)
}

pub fn write_json(args: Args) -> Result<Value> {
    write(args, true)
}

fn write(args: Args, json: bool) -> Result<Value> {
    // Either may come first: `(write-text b "out/*.txt")` and `(->> b (write-text "out/*.txt"))`.
    let (target, coll) = match args.value("target") {
        target @ (Value::Str(_) | Value::Keyword(_)) => (target.clone(), args.value("coll").clone()),
        coll => (args.value("coll").clone(), coll.clone()),
    };
    let Some(target) = target.as_text().filter(|name| !name.is_empty()) else {
        return Err(args.wrong("target", "the name of a file"));
    };
    let is_list = layer(&coll).is_none();
    let coll = match is_list {
        false => coll,
        true => {
            let items = Seq::of(coll).map_err(|coll| args.wrong_value("coll", &coll, "a bag or a list"))?;
            of_parts(vec![items.into_value()], &args)
        }
    };
    let n = layer(&coll).map_or(1, |layer| layer.grid[0]);
    let names = outputs(&args, target, n, is_list)?;
    // Files may be written over that are still read: each waits under another name until all are complete.
    let places = names.iter().map(|name| Place::of(name)).collect::<Result<Vec<Place>>>();
    let places = places.map_err(|error| error.label(args.span, "in this call"))?;
    let paths: Arc<Vec<Value>> =
        Arc::new(places.iter().map(|place| Value::from(place.path().to_string_lossy().into_owned())).collect());
    let all: Arc<Vec<Value>> = Arc::new(names.iter().map(|name| Value::from(name.as_str())).collect());
    let of = |all: Arc<Vec<Value>>| {
        Task::index(move |index| index.first().and_then(|p| all.get(*p as usize)).cloned().unwrap_or_default())
    };
    let mut inputs = Inputs::default();
    let part = inputs.of_partition(&coll);
    let mut keywords = vec![("as", of(all.clone())), ("json", Task::data(Value::Bool(json)))];
    if !json && args.is_given("encoding") {
        encoding(&args)?;
        keywords.push(("encoding", Task::data(args.value("encoding").clone())));
    }
    let files = partitionwise("written", n, inputs, call("bag/written", vec![of(paths), part], keywords), args.span);
    args.host.compute(&[files], args.span)?;
    places.iter().try_for_each(Place::complete)?;
    Ok(Value::List(Arc::new(all.to_vec().into())))
}

fn written(mut args: Args) -> Result<Value> {
    let (path, json, encoding) = (args.text("path")?, args.bool("json")?, encoding(&args)?);
    let items = args.seq("coll")?;
    let name = args.name_or_nil("as")?.unwrap_or_else(|| path.clone());
    let target = Path::new(name.as_str());
    text::write(Path::new(path.as_str()), target, |out| {
        for (n, item) in items.iter().enumerate() {
            args.check_interrupt(n)?;
            let line = match item {
                _ if json => json::text_of(item)?.into(),
                Value::Str(text) | Value::Keyword(text) => text.clone(),
                other => crate::read::print(other).into(),
            };
            let end = if line.ends_with('\n') { "" } else { "\n" };
            let bytes = encoding.encode(&line, n == 0).and_then(|mut bytes| {
                bytes.extend(encoding.encode(end, false)?);
                Ok(bytes)
            });
            let bytes = bytes.map_err(|char| {
                let spelled = args.name("encoding").unwrap_or_default();
                err!(Value, "`{name}`: {spelled:?} has no {char:?}").help(format!("it stands in {line:?}"))
            })?;
            out.write_all(&bytes).map_err(|e| text::failed(target, "written", &e))?;
        }
        Ok(())
    })?;
    Ok(Value::list(vec![Value::Str(path)]))
}
