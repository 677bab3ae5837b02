//! `visualize`: a picture of a graph.

mod dot;
mod layout;
mod order;
mod picture;
mod place;
mod ranks;
mod shade;
mod svg;

use super::{passes, subject};
use crate::data::{Args, Cost, Value, cancel};
use crate::err;
use crate::io::text::{self, Place};
use crate::op::{Kind, Op};
use crate::optimize::PASSES;
use crate::text::{Error, Result};
use picture::Picture;
use std::path::Path;

pub static OP: Op = Op {
    usage: "(visualize x path :optimize false :color nil :layers false)",
    doc: "Draws the graph of anything lazy, of a list of such, or of a map of tasks, and answers with the path: `(visualize (+ x (transpose x)) \"g.svg\")`. \
          A file that ends in `.svg` is a drawing, made without another program, which shows the whole key and task of what is pointed at; one that ends in `.dot` is \
          text for Graphviz. It appears when it is complete.\n\
          As in Dask, boxes are keys, round boxes the functions that make them, and arrows lead up from what is taken. Names are without their hashes. \
          A box with nothing but an index is a block called as the function below it; `squeeze · add` calls `add` inside `squeeze`. Nothing takes what \
          has a thick border.\n\
          With `:optimize true` it is the graph that `optimize` makes. `:color \"order\"` numbers the tasks as `order` has them, and colours them from dark \
          to light.\n\
          A graph of more than 2000 tasks or 20000 edges is drawn layer by layer, and with `:layers true` any is: a box is all tasks under one name, \
          with what they call if that is not their name, how many they are, and the largest block they make. `cull` makes a part of a graph that can be drawn task by task.\n\
          Errors: `dsk::value` for other endings, `dsk::io` for a file that cannot be written, `dsk::cycle`, and `dsk::limit` for more than 5000 layers, or 20000 \
          edges between them.",
    examples: &[("(try (visualize '{x 1 y (+ x 1)} \"g.png\") (catch e (:code e)))", "\"dsk::value\"")],
    see: &["graph", "optimize", "order", "explain"],
    cost: Cost::Dear,
    kind: Kind::Lazy(visualize),
};

/// Tasks, and edges between them, of a picture in which one could still find something.
const MOST_TASKS: usize = 2000;
const MOST_EDGES: usize = 20_000;
/// Layers of a picture.
const MOST_LAYERS: usize = 5000;

fn visualize(args: Args) -> Result<Value> {
    let path = args.text("path")?;
    let draw =
        drawing(&path).map_err(|error| error.label(args.span, "in this call").parameter("path", args.index("path")))?;
    let picture = picture(&args)?;
    let drawn = draw(&picture);
    // What was given up half way is no picture.
    cancel::check()?;
    save(&path, &drawn?).map_err(|e| e.at(args.span))?;
    Ok(Value::Str(path))
}

/// How a file of this name is drawn.
fn drawing(path: &str) -> Result<fn(&Picture) -> Result<String>> {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let error = match ending.to_ascii_lowercase().as_str() {
        "svg" => return Ok(svg::draw),
        "dot" => return Ok(dot::draw),
        "" => err!(Value, "visualize: {path:?} does not tell what kind of file it is"),
        _ => err!(Value, "visualize: `.{ending}` is not a kind of file that graphs are drawn to"),
    };
    Err(error.help("the kinds are `.svg`, a drawing, and `.dot`, text for Graphviz"))
}

/// Puts a text into a file, which appears when it is complete.
fn save(path: &str, drawn: &str) -> Result<()> {
    let place = Place::of(path)?;
    let name = Path::new(path);
    text::write(place.path(), name, |out| {
        out.write_all(drawn.as_bytes()).map_err(|error| text::failed(name, "written", &error))
    })?;
    place.complete()
}

fn picture(args: &Args) -> Result<Picture> {
    let in_order = in_order(args)?;
    let (optimize, layers) = (args.bool("optimize")?, args.bool("layers")?);
    let mut graph = subject::graph(args, "x")?;
    if optimize {
        graph = passes::optimized(&graph, PASSES, None, args)?.into();
    }
    let by_hand = graph.layers.iter().any(|layer| layer.is_hand_made());
    let layers = layers || graph.len() > MOST_TASKS;
    if layers && !by_hand {
        return layered(picture::of_layers(&graph), in_order, args);
    }
    let tasks = subject::key_by_key(&graph, args)?;
    let sorted = if in_order && !layers { tasks.order() } else { tasks.toposort() };
    let sorted = sorted.map_err(|e| e.at(args.span))?;
    if layers || tasks.edges().total() > MOST_EDGES {
        let picture = if by_hand { picture::of_names(&tasks) } else { picture::of_layers(&graph) };
        return layered(picture, in_order, args);
    }
    let order: Vec<u32> = sorted.iter().filter_map(|key| tasks.tasks().get_index_of(key)).map(|at| at as u32).collect();
    Ok(picture::of_tasks(&tasks, in_order.then_some(&order)))
}

/// Whether the order is to be shown.
fn in_order(args: &Args) -> Result<bool> {
    match args.name_or_nil("color")?.as_deref() {
        None => Ok(false),
        Some("order") => Ok(true),
        Some(_) => Err(args.wrong("color", "\"order\" or nil")),
    }
}

/// A picture of layers, if it is one that can be drawn.
fn layered(picture: Picture, in_order: bool, args: &Args) -> Result<Picture> {
    let refused = |error: Error| {
        error.label(args.span, "in this call").help("`cull` makes a part of a graph that can be drawn task by task")
    };
    let (layers, edges) = (picture.nodes.len(), picture.inputs.total());
    if layers > MOST_LAYERS || edges > MOST_EDGES {
        return Err(refused(err!(
            Limit,
            "visualize: {layers} layers and {edges} edges; a picture has {MOST_LAYERS} and {MOST_EDGES} at most"
        )));
    }
    let circle =
        || refused(err!(Limit, "visualize: this many tasks are drawn by their names, and these need each other"));
    match in_order {
        true => picture.in_order().ok_or_else(circle),
        false if picture.goes_in_a_circle() => Err(circle()),
        false => Ok(picture),
    }
}
