//! The order of each row, such that few edges cross.
//!
//! Rows are sorted by where their neighbours stand on average, from below to above and back (Sugiyama, Tagawa and Toda, "Methods for Visual
//! Understanding of Hierarchical System Structures", 1981), and neighbours in a row change places where that helps (Gansner et al., "A
//! Technique for Drawing Directed Graphs", 1993).

use super::ranks::Ranks;
use crate::data::cancel::cancelled;
use crate::optimize::Lists;

/// Times that rows are sorted, each way.
const SWEEPS: usize = 12;

/// Puts the rows in order.
pub fn arrange(ranks: &mut Ranks) {
    let mut rows = depth_first(ranks);
    let mut at = vec![0; ranks.above.len()];
    rows.iter().for_each(|row| number(row, &mut at));
    let mut fewest = crossings(&rows, &ranks.above, &at);
    ranks.rows = rows.clone();
    for sweep in 0..2 * SWEEPS {
        if fewest == 0 || cancelled() {
            break;
        }
        if sweep % 2 == 0 {
            (1..rows.len()).for_each(|row| sort(&mut rows, row, row - 1, &ranks.below, &mut at));
        } else {
            (1..rows.len()).rev().for_each(|row| sort(&mut rows, row - 1, row, &ranks.above, &mut at));
        }
        rows.iter_mut().for_each(|row| exchange(row, ranks, &mut at));
        let found = crossings(&rows, &ranks.above, &at);
        if found < fewest {
            fewest = found;
            ranks.rows.clone_from(&rows);
        }
    }
}

/// The rows as they are met from above, each node before what leads to it: trees are without crossings at once.
fn depth_first(ranks: &Ranks) -> Vec<Vec<u32>> {
    let mut row_of = vec![0; ranks.above.len()];
    for (row, nodes) in ranks.rows.iter().enumerate() {
        nodes.iter().for_each(|&node| row_of[node as usize] = row);
    }
    let mut rows = vec![Vec::new(); ranks.rows.len()];
    let mut seen = vec![false; ranks.above.len()];
    let ends = |node: &u32| ranks.above.get(*node).is_empty();
    let mut open: Vec<u32> = (0..ranks.above.len() as u32).filter(ends).rev().collect();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut seen[node as usize], true) {
            rows[row_of[node as usize]].push(node);
            open.extend(ranks.below.get(node).iter().rev());
        }
    }
    rows
}

fn number(row: &[u32], at: &mut [u32]) {
    row.iter().zip(0..).for_each(|(&node, place)| at[node as usize] = place);
}

/// Sorts a row by the places of the neighbours on another one. What has none there stays about where it is.
fn sort(rows: &mut [Vec<u32>], row: usize, other: usize, neighbours: &Lists, at: &mut [u32]) {
    let place = |node: u32, of: usize| (f64::from(at[node as usize]) + 0.5) / rows[of].len() as f64;
    let mean = |node: u32| match neighbours.get(node) {
        [] => place(node, row),
        near => near.iter().map(|&n| place(n, other)).sum::<f64>() / near.len() as f64,
    };
    let mut sorted: Vec<(f64, u32)> = rows[row].iter().map(|&node| (mean(node), node)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows[row] = sorted.into_iter().map(|(_, node)| node).collect();
    number(&rows[row], at);
}

/// Changes neighbours of a row where their edges cross less often then.
fn exchange(row: &mut [u32], ranks: &Ranks, at: &mut [u32]) {
    let places = |node: u32, neighbours: &Lists, at: &[u32]| {
        let mut places: Vec<u32> = neighbours.get(node).iter().map(|&n| at[n as usize]).collect();
        places.sort_unstable();
        places
    };
    for left in 1..row.len() {
        let (a, b) = (row[left - 1], row[left]);
        let (mut now, mut then) = (0, 0);
        for neighbours in [&ranks.below, &ranks.above] {
            let (a, b) = (places(a, neighbours, at), places(b, neighbours, at));
            now += inverted(&a, &b);
            then += inverted(&b, &a);
        }
        if then < now {
            row.swap(left - 1, left);
            (at[a as usize], at[b as usize]) = (at[b as usize], at[a as usize]);
        }
    }
}

/// Pairs of a place of `a` and a smaller one of `b`, both sorted.
fn inverted(a: &[u32], b: &[u32]) -> usize {
    let mut smaller = 0;
    let mut pairs = 0;
    for place in a {
        while b.get(smaller).is_some_and(|other| other < place) {
            smaller += 1;
        }
        pairs += smaller;
    }
    pairs
}

/// How often edges cross, between all rows.
fn crossings(rows: &[Vec<u32>], above: &Lists, at: &[u32]) -> usize {
    rows.windows(2).map(|pair| crossings_between(&pair[0], pair[1].len(), above, at)).sum()
}

/// Edges are taken from left to right at their lower ends. Each crosses those before it whose upper ends are further right, which a tree of sums
/// counts (Barth, Jünger and Mutzel, "Simple and Efficient Bilayer Cross Counting", 2002).
fn crossings_between(row: &[u32], width: usize, above: &Lists, at: &[u32]) -> usize {
    let mut sums = vec![0usize; width + 1];
    let (mut count, mut before) = (0, 0);
    let mut ends = Vec::new();
    for &node in row {
        ends.clear();
        ends.extend(above.get(node).iter().map(|&n| at[n as usize] as usize));
        for &end in &ends {
            let mut not_right = 0;
            let mut sum = end + 1;
            while sum > 0 {
                not_right += sums[sum];
                sum &= sum - 1;
            }
            count += before - not_right;
        }
        for &end in &ends {
            let mut sum = end + 1;
            while sum <= width {
                sums[sum] += 1;
                sum += sum & sum.wrapping_neg();
            }
        }
        before += ends.len();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(inputs: &[&[u32]]) -> (Ranks, usize) {
        let mut ranks = Ranks::of(&inputs.iter().collect());
        arrange(&mut ranks);
        let mut at = vec![0; ranks.above.len()];
        ranks.rows.iter().for_each(|row| number(row, &mut at));
        let crossings = crossings(&ranks.rows, &ranks.above, &at);
        (ranks, crossings)
    }

    #[test]
    fn a_tree_crosses_nowhere() {
        // 0 2 → 4, 1 3 → 5, 4 5 → 6
        let (ranks, crossings) = arranged(&[&[], &[], &[], &[], &[0, 2], &[1, 3], &[4, 5]]);
        assert_eq!(crossings, 0);
        assert_eq!(ranks.rows, [vec![0, 2, 1, 3], vec![4, 5], vec![6]]);
    }

    #[test]
    fn crossings_are_counted() {
        // Both of two lead to both of two: once. Three to three: nine times.
        assert_eq!(arranged(&[&[], &[], &[0, 1], &[0, 1]]).1, 1);
        assert_eq!(arranged(&[&[], &[], &[], &[0, 1, 2], &[0, 1, 2], &[0, 1, 2]]).1, 9);
    }

    #[test]
    fn what_can_be_untangled_is() {
        // A ring of four and four: 4 takes 0 and 1, 5 takes 1 and 2, and so on. Two of its edges go round.
        let (_, crossings) = arranged(&[&[], &[], &[], &[], &[0, 1], &[1, 2], &[2, 3], &[3, 0]]);
        assert_eq!(crossings, 3);
    }
}
