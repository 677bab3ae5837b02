//! The static order: one order of all tasks in which few results are held at a time.
//!
//! Finding the least is as hard as pebbling a graph without doing anything twice. So there are two ways: [`order`], in a time near to linear
//! ([`greedy`]); and [`best_order`], for tasks that take longer than thinking about them, which tries many orders, from the first task on and
//! from the last one back ([`lookahead`]), and then takes apart the places where the best of them holds the most ([`rearrange`]).
//!
//! ```text
//!   0   2   4   6        0 to 7 are loaded and reduced in pairs: 0 1 (0+1) 2 3 (2+3) and so on, and the
//!   1 \ 3 / 5   7        three results that are held at most are two sums and a value.
//! ```

mod cut;
mod followers;
mod greedy;
mod lookahead;
mod rearrange;

use super::Lists;
use cut::{Cut, Side};
pub use followers::with_followers;

/// The tasks in the order in which they should run: each after all it depends on. Takes a time near to linear.
///
/// `None` when the graph has a cycle.
pub fn order(dependencies: &Lists, dependents: &Lists) -> Option<Vec<u32>> {
    Some(greedy::Search::new(dependencies, dependents, shape(dependencies, dependents)?).run())
}

/// Steps for [`best_order`] that take no longer than somebody who asks for an order will wait: a second at most.
pub const WORK: usize = 20_000_000;

/// Steps a task without which looking ahead leads nowhere.
const TRIES: usize = 16;

/// As [`order`], and better: of many orders the one that holds the least, improved where it holds the most. `work` is how many
/// steps that may take, of some 20 to 100 ns each; small graphs get the best order there is.
pub fn best_order(dependencies: &Lists, dependents: &Lists, mut work: usize) -> Option<Vec<u32>> {
    let mut best = order(dependencies, dependents)?;
    let mut least = peak(dependencies, dependents, &best) as u32;
    let sides = [false, true].map(|back| Side::new(dependencies, dependents, back));
    for rule in lookahead::rules() {
        for (side, back) in sides.iter().zip([false, true]) {
            // One side alone may use up no more than its share. In a graph so large that few goals could be tried for a task, it would
            // come to no end.
            let mut share = work / 8;
            if share / TRIES < dependencies.len() {
                continue;
            }
            let given = share;
            let found = lookahead::run(Cut::new(side), rule, least.saturating_sub(1), &mut share);
            work -= given - share;
            if let Some(mut order) = found {
                if back {
                    order.reverse();
                }
                best = order;
                least = peak(dependencies, dependents, &best) as u32;
            }
        }
    }
    Some(rearrange::improve(&sides[0], best, &mut work))
}

/// The most results held just before a task runs. A result is held from when it was made until the last task that needs it ran.
pub fn peak(dependencies: &Lists, dependents: &Lists, order: &[u32]) -> usize {
    let mut left: Vec<u32> = dependents.iter().map(|d| d.len() as u32).collect();
    let (mut live, mut peak) = (0, 0);
    for &task in order {
        peak = peak.max(live);
        for &d in dependencies.get(task) {
            left[d as usize] -= 1;
            live -= usize::from(left[d as usize] == 0);
        }
        live += usize::from(!dependents.get(task).is_empty());
    }
    peak
}

/// What there is below a task.
#[derive(Clone, Copy)]
struct Shape {
    /// Tasks on the longest way to it.
    depth: u32,
    /// Results that have to be held at a time to make its own, if nothing were shared (Sethi and Ullman, "The Generation of Optimal
    /// Code for Arithmetic Expressions", 1970).
    width: u32,
}

/// The shapes of all tasks; `None` when there is a cycle.
fn shape(before: &Lists, after: &Lists) -> Option<Vec<Shape>> {
    let n = before.len();
    let mut pending: Vec<u32> = before.iter().map(|d| d.len() as u32).collect();
    let mut sorted: Vec<u32> = (0..n as u32).filter(|&t| pending[t as usize] == 0).collect();
    let mut shapes = vec![Shape { depth: 0, width: 1 }; n];
    let mut widths: Vec<u32> = Vec::new();
    let mut at = 0;
    while let Some(&task) = sorted.get(at) {
        at += 1;
        let needs = before.get(task);
        if let Some((&first, others)) = needs.split_first() {
            let mut own = shapes[first as usize];
            let mut alike = true;
            for &d in others {
                let other = shapes[d as usize];
                alike &= other.width == own.width;
                own.depth = own.depth.max(other.depth);
            }
            own.depth += 1;
            if alike {
                own.width += others.len() as u32;
            } else {
                widths.clear();
                widths.extend(needs.iter().map(|&d| shapes[d as usize].width));
                widths.sort_unstable_by(|a, b| b.cmp(a));
                own.width = widths.iter().zip(0..).map(|(w, others)| w + others).max().unwrap_or(1);
            }
            shapes[task as usize] = own;
        }
        for &next in after.get(task) {
            pending[next as usize] -= 1;
            if pending[next as usize] == 0 {
                sorted.push(next);
            }
        }
    }
    (sorted.len() == n).then_some(shapes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peak_of(graph: &[&[u32]], best: bool) -> usize {
        let dependencies: Lists = graph.iter().collect();
        let dependents = dependencies.reversed();
        let order =
            if best { best_order(&dependencies, &dependents, 100_000) } else { order(&dependencies, &dependents) };
        peak(&dependencies, &dependents, &order.unwrap())
    }

    /// Leaves are summed in pairs, the sums again: a level is held besides the pair at hand.
    #[test]
    fn a_tree_of_sums_holds_a_path() {
        //   0   1   2   3   4   5   6   7
        //     8       9      10      11
        //        12              13
        //                14
        let leaf: &[u32] = &[];
        let mut graph = vec![leaf; 8];
        graph.extend([&[0, 1][..], &[2, 3], &[4, 5], &[6, 7], &[8, 9], &[10, 11], &[12, 13]]);
        assert_eq!(peak_of(&graph, false), 4);
    }

    /// Chains side by side run one after the other.
    #[test]
    fn chains_are_run_to_their_end() {
        let graph: &[&[u32]] = &[&[], &[], &[], &[0], &[1], &[2], &[3], &[4], &[5]];
        assert_eq!(peak_of(graph, false), 1);
    }

    /// `(- (dot (transpose A) B) (mean B))`: two products share each block of B, and go where it is.
    #[test]
    fn what_shares_results_runs_together() {
        //  0 1 2 3 (A)     4 5 (B)     6 = 0·4  7 = 1·4  8 = 2·5  9 = 3·5
        let graph: &[&[u32]] = &[&[], &[], &[], &[], &[], &[], &[0, 4], &[2, 5], &[1, 4], &[3, 5]];
        assert_eq!(peak_of(graph, false), 2);
    }

    /// The wide branch goes first: held are its results and one more.
    #[test]
    fn the_greedy_branch_goes_first() {
        //  0 1   2 3      4 = 0+1  5 = 2+3  6 = 4+5     7      8 = 7+6
        let graph: &[&[u32]] = &[&[], &[], &[], &[], &[0, 1], &[2, 3], &[4, 5], &[], &[7, 6]];
        assert_eq!(peak_of(graph, false), 3);
    }

    #[test]
    fn a_cycle_has_no_order() {
        let dependencies: Lists = [[1], [0]].into_iter().collect();
        assert_eq!(order(&dependencies, &dependencies.reversed()), None);
    }

    /// Graphs of up to so many tasks, each of which depends on up to three earlier ones.
    pub fn graphs(most: usize) -> impl Strategy<Value = Lists> {
        let pick = |(at, deps): (usize, &Vec<prop::sample::Index>)| {
            let mut deps: Vec<u32> = deps.iter().filter(|_| at > 0).map(|d| d.index(at) as u32).collect();
            deps.sort_unstable();
            deps.dedup();
            deps
        };
        prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..most)
            .prop_map(move |graph| graph.iter().enumerate().map(pick).collect())
    }

    /// The least there is, by going through all sets of tasks.
    fn least(dependencies: &Lists, dependents: &Lists) -> usize {
        let n = dependencies.len() as u32;
        let held = |done: u64| {
            let is_held = |t: u32| done & 1 << t != 0 && dependents.get(t).iter().any(|&d| done & 1 << d == 0);
            (0..n).filter(|&t| is_held(t)).count()
        };
        let mut reached = std::collections::BTreeMap::from([(0u64, 0)]);
        // A set comes before all sets that it is part of.
        while let Some((done, peak)) = reached.pop_first() {
            if done == (1 << n) - 1 {
                return peak;
            }
            let may = |&t: &u32| done & 1 << t == 0 && dependencies.get(t).iter().all(|&d| done & 1 << d != 0);
            for task in (0..n).filter(may) {
                let next = done | 1 << task;
                let peak = peak.max(held(next));
                reached.entry(next).and_modify(|p| *p = peak.min(*p)).or_insert(peak);
            }
        }
        unreachable!("the set of all tasks is reached last")
    }

    proptest! {
        #[test]
        fn small_graphs_get_the_best_order(dependencies in graphs(14)) {
            let dependents = dependencies.reversed();
            let order = best_order(&dependencies, &dependents, 1_000_000).unwrap();
            prop_assert_eq!(peak(&dependencies, &dependents, &order), least(&dependencies, &dependents));
        }

        #[test]
        fn every_task_comes_once_and_after_what_it_needs(dependencies in graphs(150)) {
            let dependents = dependencies.reversed();
            let quick = order(&dependencies, &dependents).unwrap();
            let best = best_order(&dependencies, &dependents, 100_000).unwrap();
            for order in [&quick, &best] {
                let mut at = vec![None; order.len()];
                for (n, &task) in order.iter().enumerate() {
                    prop_assert!(at[task as usize].is_none());
                    prop_assert!(dependencies.get(task).iter().all(|&d| at[d as usize].is_some()));
                    at[task as usize] = Some(n);
                }
                prop_assert_eq!(order.len(), dependencies.len());
            }
            prop_assert!(peak(&dependencies, &dependents, &best) <= peak(&dependencies, &dependents, &quick));
        }
    }
}
