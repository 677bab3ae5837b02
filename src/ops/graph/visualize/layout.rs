//! Where nodes stand: rows of them, those that nothing leads to below. Parts of a picture that have nothing to do with each other stand side by
//! side, in several lines where they are many.

use super::order;
use super::place::{Placed, Point, Size, place};
use super::ranks::Ranks;
use crate::optimize::Lists;

/// A drawing without its looks. Heights grow downwards, as on a screen.
pub struct Layout {
    pub size: Size,
    /// The middle of each node.
    pub nodes: Vec<Point>,
    /// Curves, from below to above: edges, or parts of edges.
    pub legs: Vec<(Point, Point)>,
    /// Straight parts of edges between two curves.
    pub passes: Vec<(Point, Point)>,
}

/// Around the drawing.
const MARGIN: f64 = 16.0;
/// Between parts that stand beside or above each other.
const APART: f64 = 28.0;
/// A line of parts ends here, if more than one line makes the drawing no narrower than it is high.
const LINE: f64 = 1600.0;
/// The width of a drawing of many lines for its height.
const ASPECT: f64 = 1.6;

impl Layout {
    /// A place for each of some nodes, which take inputs, none of them in a circle.
    pub fn of(sizes: &[Size], inputs: &Lists) -> Layout {
        let parts: Vec<(Vec<u32>, Placed)> =
            parts(inputs).into_iter().map(|part| placed(part, sizes, inputs)).collect();
        let area: f64 = parts.iter().map(|(_, part)| (part.size.0 + APART) * (part.size.1 + APART)).sum();
        let end = LINE.max((area * ASPECT).sqrt());
        let mut layout =
            Layout { size: (0.0, MARGIN), nodes: vec![(0.0, 0.0); sizes.len()], legs: Vec::new(), passes: Vec::new() };
        let mut rest = parts.as_slice();
        while !rest.is_empty() {
            let mut width = 0.0;
            let fits = |(_, part): &&(Vec<u32>, Placed)| {
                width += part.size.0 + APART;
                width - APART <= end
            };
            let line;
            (line, rest) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            if layout.size.1 > MARGIN {
                layout.size.1 += APART;
            }
            layout.add_line(line);
        }
        layout.size = (layout.size.0.max(2.0 * MARGIN), layout.size.1 + MARGIN);
        layout
    }

    /// Adds parts beside each other below what there is, all of them standing on one ground.
    fn add_line(&mut self, line: &[(Vec<u32>, Placed)]) {
        let ground = self.size.1 + line.iter().map(|(_, part)| part.size.1).fold(0.0, f64::max);
        let mut left = MARGIN;
        for (nodes, part) in line {
            let at = |(x, y): Point| (left + x, ground - y);
            let line = |&(from, to): &(Point, Point)| (at(from), at(to));
            nodes.iter().zip(&part.nodes).for_each(|(&node, &place)| self.nodes[node as usize] = at(place));
            self.legs.extend(part.legs.iter().map(line));
            self.passes.extend(part.passes.iter().map(line));
            self.size.0 = self.size.0.max(left + part.size.0 + MARGIN);
            left += part.size.0 + APART;
        }
        self.size.1 = ground;
    }
}

/// The nodes of each part that is connected, in the order of the first of them.
fn parts(inputs: &Lists) -> Vec<Vec<u32>> {
    let users = inputs.reversed();
    let mut seen = vec![false; inputs.len()];
    let mut parts = Vec::new();
    for first in 0..inputs.len() as u32 {
        if std::mem::replace(&mut seen[first as usize], true) {
            continue;
        }
        let mut part = vec![first];
        let mut at = 0;
        while let Some(&node) = part.get(at) {
            at += 1;
            for &near in inputs.get(node).iter().chain(users.get(node)) {
                if !std::mem::replace(&mut seen[near as usize], true) {
                    part.push(near);
                }
            }
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

/// A part, drawn by itself.
fn placed(part: Vec<u32>, sizes: &[Size], inputs: &Lists) -> (Vec<u32>, Placed) {
    let number = |node: &u32| part.binary_search(node).unwrap_or_default() as u32;
    let own: Lists = part.iter().map(|&node| inputs.get(node).iter().map(number).collect::<Vec<u32>>()).collect();
    let sizes: Vec<Size> = part.iter().map(|&node| sizes[node as usize]).collect();
    let mut ranks = Ranks::of(&own);
    order::arrange(&mut ranks);
    let placed = place(&ranks, &sizes);
    (part, placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Nodes that each take some of those before them, with their widths.
    fn graph() -> impl Strategy<Value = (Vec<Vec<u32>>, Vec<f64>)> {
        let node = |at: usize| proptest::collection::btree_set(0..at.max(1) as u32, 0..4.min(at + 1));
        (1usize..40).prop_flat_map(move |n| {
            let inputs: Vec<_> = (0..n).map(node).collect();
            let inputs = inputs.prop_map(|sets| {
                let list = |(at, set): (usize, std::collections::BTreeSet<u32>)| {
                    set.into_iter().filter(|&input| (input as usize) < at).collect()
                };
                sets.into_iter().enumerate().map(list).collect()
            });
            (inputs, proptest::collection::vec(10.0..200.0, n))
        })
    }

    proptest! {
        #[test]
        fn nodes_stand_apart_and_edges_lead_upwards((inputs, widths) in graph()) {
            let inputs: Lists = inputs.into_iter().collect();
            let sizes: Vec<Size> = widths.iter().map(|&width| (width, 10.0 + width / 4.0)).collect();
            let layout = Layout::of(&sizes, &inputs);
            let sides = |at: usize| {
                let ((x, y), (w, h)) = (layout.nodes[at], sizes[at]);
                (x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0)
            };
            for a in 0..sizes.len() {
                let (left, top, right, bottom) = sides(a);
                prop_assert!(left >= 0.0 && top >= 0.0 && right <= layout.size.0 && bottom <= layout.size.1);
                for b in 0..a {
                    let other = sides(b);
                    let apart = right < other.0 || other.2 < left || bottom < other.1 || other.3 < top;
                    prop_assert!(apart, "{a} and {b} overlap");
                }
                for &input in inputs.get(a as u32) {
                    prop_assert!(bottom < sides(input as usize).1, "{input} is not below {a}");
                }
            }
            let inside = |(x, y): Point| x >= 0.0 && y >= 0.0 && x <= layout.size.0 && y <= layout.size.1;
            for &(from, to) in layout.legs.iter().chain(&layout.passes) {
                prop_assert!(inside(from) && inside(to) && from.1 >= to.1);
            }
        }
    }

    #[test]
    fn a_node_stands_in_the_middle_above_what_it_takes() {
        let inputs: Lists = [vec![], vec![], vec![], vec![0, 1, 2]].into_iter().collect();
        let layout = Layout::of(&[(20.0, 20.0); 4], &inputs);
        let x: Vec<f64> = layout.nodes.iter().map(|node| node.0).collect();
        assert!((x[3] - x[1]).abs() < 0.01 && (x[3] - (x[0] + x[2]) / 2.0).abs() < 0.01, "{x:?}");
    }

    #[test]
    fn many_parts_stand_in_several_lines() {
        let layout = Layout::of(&vec![(50.0, 20.0); 2000], &vec![Vec::new(); 2000].into_iter().collect());
        assert!(layout.size.0 < 3.0 * layout.size.1, "{:?}", layout.size);
    }
}
