//! `store`: arrays to files, block by block.

use super::write::Place;
use crate::data::{
    Args, Array, At, BlockRef, Body, Chunks, Cost, Delayed, Dims, Input, Layer, Map, Parts, Slice, Task, Value,
};
use crate::err;
use crate::io::stored::{self, Options, Pieces, Sink};
use crate::io::target::{Format, Target};
use crate::op::chunking::Bounds;
use crate::op::{Given, Kind, Op, Token, layers};
use crate::ops::options::{self, interpreter};
use crate::text::{Error, Result, Span};
use std::sync::Arc;

pub static OP: Op = Op {
    usage: "(store x target :overwrite false :compression nil :shuffle nil :storage-chunks nil :attributes nil :scheduler nil :workers nil :memory-limit nil :spill-dir nil :max-spill nil :cache nil :optimize nil :progress nil)",
    doc: "Computes an array and writes it to the dataset `file::/path`, each block as it is finished; the file and groups are made if \
          they are not there. Answers nil.\n\
          Files go by their endings: `.h5 .hdf5` and their like are HDF5, and so is `.nc` (netCDF-4); `x.npy` is NumPy's, and one array; \
          `x.zarr` is one array in the Zarr format, version 3, and `x.zarr::/group/a` an array in a group of one.\n\
          `(store [x y] [\"a.h5::/X\" \"a.h5::/Y\"])` writes several arrays and computes what they share once. A dataset may go to the file \
          that its input is read from.\n\
          `:overwrite true` replaces a dataset that is there, once the new one is complete. `:compression` is a deflate level from 1 to 9, or \
          true for 4; `:shuffle` (on when compressing) puts bytes of the same rank together first. Storage chunks are chosen to fit the \
          blocks unless `:storage-chunks` gives their shape. `:attributes` is a map of numbers, strings and arrays, or a list of such maps. A `.npy` file has none of these four, and Zarr no `:shuffle`; its compression is gzip, and its attribute `_ARRAY_DIMENSIONS`, a list of strings, names the axes, which xarray asks for. The other keywords are those of `compute`.\n\
          Until it is complete, a dataset is called `/path.incomplete`, an array that is a file of its own `x.npy.incomplete` or `x.zarr.incomplete`. If the store fails it stays, with the blocks written so far, for the next \
          store to replace; nothing else in the file has changed.\n\
          An array that `rechunk` made is written in the blocks that it had before, where these are written as fast: its storage chunks fit the new ones.\n\
          One program writes an HDF5 file at a time: while another one has it open, for writing or for reading, a store waits, up to ten \
          seconds. The space of what is replaced or removed stays in the file: HDF5 uses it again only before the file is closed. \
          `h5repack old.h5 new.h5` writes the file anew without it.\n\
          Errors: `dsk::io` for a dataset, or file of one array, that is there already, a file that cannot be written, a full disk.",
    examples: &[],
    see: &["read-array", "compute", "attributes"],
    cost: Cost::Dear,
    kind: Kind::Lazy(store),
};

/// An array and where it goes.
struct Pair {
    array: Given,
    target: Target,
    options: Options,
}

fn store(args: Args) -> Result<Value> {
    let interpreter = interpreter(&args)?;
    let config = options::options(&args, interpreter)?;
    interpreter.with_config(config, || store_now(args))
}

fn store_now(mut args: Args) -> Result<Value> {
    let pairs = pairs(&mut args)?;
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let chunks = match &pair.array {
            Given::Now(block) => Chunks::whole(block.shape()),
            Given::Lazy(array) => array.chunks.clone(),
        };
        sinks.push(stored::create(&pair.target, pair.array.dtype(), &chunks, &pair.options)?);
    }
    let written = write_all(&args, &pairs, &sinks);
    if let Err(error) = written {
        return Err(sinks.iter().fold(error, told));
    }
    finish(sinks)?;
    Ok(Value::Nil)
}

/// Says of a failed store what became of its dataset, which nothing is written to any more.
fn told(error: Error, sink: &Arc<dyn Sink>) -> Error {
    sink.abandon();
    match sink.is_touched() {
        true => {
            error.help(format!("`{}` holds the blocks that were written; nothing else has changed", sink.incomplete()))
        }
        false => error.help(format!("nothing was written to `{}`", sink.target())),
    }
}

/// Concrete arrays at once, lazy ones in one computation.
fn write_all(args: &Args, pairs: &[Pair], sinks: &[Arc<dyn Sink>]) -> Result<()> {
    let mut lazy = Vec::new();
    for (pair, sink) in pairs.iter().zip(sinks) {
        match &pair.array {
            Given::Now(block) => sink.write(&vec![0; block.ndim()], block)?,
            Given::Lazy(array) => lazy.push(written(array, sink, args.span)),
        }
    }
    if !lazy.is_empty() {
        args.host.compute(&lazy, args.span)?;
    }
    Ok(())
}

/// Every sink is this call's alone once the computation is over; the first error leaves the later ones incomplete.
fn finish(sinks: Vec<Arc<dyn Sink>>) -> Result<()> {
    let mut sinks = sinks.into_iter();
    while let Some(sink) = sinks.next() {
        if let Err(error) = sink.finish() {
            let error = told(error, &sink);
            return Err(sinks.fold(error, |error, sink| told(error, &sink)));
        }
    }
    Ok(())
}

/// A lazy value that writes every block of an array when it is computed:
///
/// ```text
/// store-1f   (write "a.h5::/C.incomplete" [add-c1 0 0] 0:5 0:5)   one for each block
/// stored-9b  [[store-1f 0 0] [store-1f 0 1] …]
/// ```
fn written(array: &Arc<Array>, sink: &Arc<dyn Sink>, span: Span) -> Value {
    writes(&as_it_comes(array, &sink.pieces()), &sink.incomplete(), Place::value(sink.clone()), span)
}

/// The array in blocks that it was cut from, if these are written as fast: nobody sees in which it was.
fn as_it_comes(array: &Arc<Array>, pieces: &Pieces) -> Arc<Array> {
    let before = |array: &Arc<Array>| array.layer.parts.recut.clone();
    let all = std::iter::successors(before(array), before);
    let fits = |other: &Arc<Array>| pieces.suit(&other.chunks, &array.chunks, array.dtype.size());
    all.filter(fits).last().unwrap_or_else(|| array.clone())
}

/// What storing an array would compute with these keywords of `store`, which has nowhere to go: for forecasts.
pub fn as_stored(array: &Arc<Array>, keywords: &Map, args: &Args) -> Result<Value> {
    let Some(store) = args.host.op("store") else { return Err(err!(Internal, "there is no op `store`")) };
    let given = keywords.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
    let given = [Value::Array(array.clone()), "nowhere::/x".into()].into_iter().chain(given).collect();
    let options = settings(&store.bind(args.host, given, args.span)?)?;
    let (pieces, outside) = stored::imagined(array.dtype, &array.chunks, &options)?;
    Ok(writes(&as_it_comes(array, &pieces), "nowhere", Place::imagined(outside), args.span))
}

fn writes(array: &Arc<Array>, target: &str, place: Value, span: Span) -> Value {
    let token = Token::new("store").layer(&array.layer).with(target);
    let bounds = Bounds::of(&array.chunks);
    let mut items = vec![Task::data(place), Task::input(0)];
    items.extend((0..array.ndim()).map(|axis| {
        let bounds = bounds.clone();
        Task::index(move |index| {
            let (start, len) = (bounds.start(axis, index[axis]), bounds.len(axis, index[axis]));
            Slice::new(start, start + len).into()
        })
    }));
    let layer = |token: &Token, grid: Dims, body, parent: &Arc<Layer>| {
        Arc::new(Layer {
            name: token.name(),
            grid,
            body,
            parents: vec![parent.clone()],
            blocks: None,
            cost: Cost::Dear,
            span,
            parts: Parts::default(),
            nested: 0,
        })
    };
    let input = Input { parent: 0, at: At::same(array.ndim()) };
    let body = Body::Blockwise { inputs: vec![input], task: layers::call("write", items, vec![]) };
    let writes = layer(&token, array.chunks.grid(), body, &array.layer);
    let grid = array.chunks.grid();
    let all = Body::PerBlock(Arc::new(move |_: &[u32]| {
        let total: usize = grid.iter().product();
        let block = |n| BlockRef { parent: 0, index: crate::data::graph::unravel(n, &grid) };
        let inputs = (0..total).map(Task::input).collect();
        ((0..total).map(block).collect(), Task::list(inputs))
    }));
    let token = Token::new("stored").layer(&writes);
    Value::Delayed(Arc::new(Delayed { layer: layer(&token, Dims::new(), all, &writes) }))
}

/// Sorts out one array and one target, or a list of each.
fn pairs(args: &mut Args) -> Result<Vec<Pair>> {
    let options = settings(args)?;
    let target = args.take("target");
    let arrays = args.take("x");
    let attributes = args.take("attributes");
    let maps = |n: usize| -> Result<Vec<Map>> {
        match &attributes {
            Value::Nil => Ok(vec![Map::new(); n]),
            Value::Map(map) => Ok(vec![Map::clone(map); n]),
            Value::List(items) if items.len() == n => items
                .iter()
                .map(|item| match item {
                    Value::Map(map) => Ok(Map::clone(map)),
                    Value::Nil => Ok(Map::new()),
                    other => Err(args.wrong_value("attributes", other, "a map")),
                })
                .collect(),
            other => Err(args.wrong_value("attributes", other, "a map, or a list of one for each array")),
        }
    };
    let (arrays, targets) = match (arrays, &target) {
        (x, Value::Str(_)) => (vec![x], vec![target]),
        (Value::List(arrays), Value::List(targets)) if arrays.len() == targets.len() => {
            (arrays.to_vec(), targets.to_vec())
        }
        (Value::List(arrays), Value::List(targets)) => {
            return Err(err!(Value, "store: {} arrays and {} targets", arrays.len(), targets.len()));
        }
        (_, Value::List(_)) => {
            return Err(err!(Type, "store: a list of targets takes a list of as many arrays"));
        }
        (_, other) => {
            return Err(args.wrong_value("target", other, "a string `file::/path`, or a list of them"));
        }
    };
    let maps = maps(arrays.len())?;
    let mut pairs: Vec<Pair> = Vec::with_capacity(arrays.len());
    for ((array, target), attributes) in arrays.into_iter().zip(targets).zip(maps) {
        let Value::Str(text) = &target else {
            return Err(args.wrong_value("target", &target, "a string `file::/path`"));
        };
        let target = Target::parse(text)?;
        if pairs.iter().any(|p| p.target == target) {
            return Err(err!(Value, "store: `{text}` is a target twice"));
        }
        let nested = pairs.iter().map(|p| (&p.target, &target)).find(|(a, b)| a.is_within(b) || b.is_within(a));
        if let Some((one, other)) = nested {
            let (inner, outer) = if one.is_within(other) { (one, other) } else { (other, one) };
            return Err(err!(Value, "store: `{inner}` would lie within the array `{outer}`"));
        }
        // Where it is not asked for, it is no more than what suits HDF5.
        if target.format == Format::Zarr && args.bool_or_nil("shuffle")? == Some(true) {
            return Err(err!(Value, "store: `{text}` cannot be stored with `:shuffle`: it is none of Zarr's codecs"));
        }
        let array = match array {
            // What a lazy call makes is known once it is computed.
            Value::Delayed(_) => args.host.compute(&[array], args.span)?.pop().unwrap_or_default(),
            other => other,
        };
        let options = Options { attributes, ..options.clone() };
        pairs.push(Pair { array: Given::of(array)?, target, options });
    }
    Ok(pairs)
}

fn settings(args: &Args) -> Result<Options> {
    let deflate = match args.value("compression") {
        Value::Nil | Value::Bool(false) => None,
        Value::Bool(true) => Some(4),
        level => match level.as_int() {
            Some(level @ 1..=9) => Some(level as u8),
            Some(0) => None,
            _ => return Err(args.wrong("compression", "a deflate level from 1 to 9, or true or false")),
        },
    };
    let chunks = match args.list_or_nil("storage-chunks")? {
        None => None,
        Some(sizes) => {
            let size = |v: &Value| {
                let size = v.as_int().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
                size.ok_or_else(|| args.wrong_value("storage-chunks", v, "sizes of 1 or more"))
            };
            Some(sizes.iter().map(size).collect::<Result<Dims>>()?)
        }
    };
    Ok(Options {
        overwrite: args.bool("overwrite")?,
        deflate,
        shuffle: args.bool_or_nil("shuffle")?.unwrap_or(deflate.is_some()),
        chunks,
        attributes: Map::new(),
    })
}
