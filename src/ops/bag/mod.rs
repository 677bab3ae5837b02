//! Ops on bags. Most of what is done with a bag is what is done with a list, partition by partition: [`RULES`] says how each op meets
//! one. An op that is not there takes the bag as the list it is, once that is computed.

mod arrays;
mod each;
mod files;
mod flow;
mod reduce;
mod shuffle;
mod sinks;
mod source;

pub(super) use flow::flow;
pub(super) use source::range;

use crate::op::Op;
use crate::op::registry::OnBags;

/// In documentation order.
pub static OPS: &[&[Op]] = &[
    source::OPS,
    arrays::OPS,
    files::lines::OPS,
    files::json::OPS,
    files::csv::OPS,
    files::write::OPS,
    each::OPS,
    reduce::OPS,
    shuffle::OPS,
];

/// What calls of ops do that have a bag among their arguments.
pub static RULES: &[(&str, OnBags)] = &[
    // Partition by partition.
    ("map", each::map),
    ("starmap", each::same_call),
    ("mapcat", each::same_call),
    ("filter", each::same_call),
    ("remove", each::same_call),
    ("keep", each::same_call),
    ("pluck", each::same_call),
    ("flatten", each::same_call),
    ("zip", each::zip),
    ("str/match", each::same_call),
    ("map-partitions", each::map_partitions),
    ("random-sample", each::sample),
    ("unzip", each::unzip),
    ("concat", each::concat),
    ("product", each::product),
    ("join", each::join),
    ("take", each::take),
    ("write-text", files::write_text),
    ("write-json", files::write_json),
    // To one value or a small bag, in a tree.
    ("sum", reduce::same),
    ("prod", reduce::same),
    ("min", reduce::same),
    ("max", reduce::same),
    ("any", reduce::same),
    ("all", reduce::same),
    ("count", reduce::count),
    ("mean", reduce::spread),
    ("var", reduce::spread),
    ("std", reduce::spread),
    ("fold", reduce::fold),
    ("reduction", reduce::reduction),
    ("frequencies", reduce::frequencies),
    ("distinct", reduce::distinct),
    ("topk", reduce::topk),
    ("foldby", reduce::foldby),
    // With elements of other partitions.
    ("groupby", shuffle::groupby),
    ("accumulate", shuffle::accumulate),
];

/// The rule of an op: methods of strings are called on every element.
pub fn rule(name: &str) -> Option<OnBags> {
    let known = RULES.iter().find(|(op, _)| *op == name).map(|(_, rule)| *rule);
    known.or_else(|| (name.starts_with("str/") && name != "str/join").then_some(each::method as OnBags))
}
