//! The static order: one order of all tasks in which few results are held at a time.
//!
//! Finding the least is as hard as pebbling a graph without doing anything twice, so this goes by three rules.
//!
//! *What does no harm is done at once.* A ready task that lets go of as many results as it makes (of at least one, unless nobody
//! needs its own) never makes any later moment worse, so it runs as soon as it is ready. Only tasks that make something and free nothing
//! are left to choose among.
//!
//! *The nearest goal first.* Those tasks are run for the sake of a task that nothing depends on: the one that lacks the fewest
//! tasks, and so shares the most with what is there already.
//!
//! *The greedy branch first.* On the way down to a goal, the dependency that needs the most results at a time is
//! made first, while little else is held (Sethi and Ullman, "The Generation of Optimal Code for Arithmetic Expressions", 1970: optimal for
//! trees).
//!
//! ```text
//!   0   2   4   6        0 to 7 are loaded and reduced in pairs: 0 1 (0+1) 2 3 (2+3) and so on, and the
//!   1 \ 3 / 5   7        three results that are held at most are two sums and a value.
//! ```

use super::Lists;

/// The tasks in the order in which they should run: each after all it depends on. Takes a time near to linear.
///
/// `None` when the graph has a cycle.
pub fn order(dependencies: &Lists, dependents: &Lists) -> Option<Vec<u32>> {
    let shape = Shape::of(dependencies, dependents)?;
    Some(Search::new(dependencies, dependents, &shape).run(VARIANTS[0]))
}

/// As [`order`], and better: the best of what several ways to break ties lead to. Takes about so many times as long.
pub fn best_order(dependencies: &Lists, dependents: &Lists) -> Option<Vec<u32>> {
    let shape = Shape::of(dependencies, dependents)?;
    let mut best: Option<(usize, Vec<u32>)> = None;
    let affordable = (WORK / (dependencies.len() + dependencies.total()).max(1)).clamp(1, VARIANTS.len());
    for &variant in &VARIANTS[..affordable] {
        let order = Search::new(dependencies, dependents, &shape).run(variant);
        let peak = peak(dependencies, dependents, &order);
        if best.as_ref().is_none_or(|(least, _)| peak < *least) {
            best = Some((peak, order));
        }
    }
    best.map(|(_, order)| order)
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

/// Tasks and edges that [`best_order`] looks at, over all variants.
const WORK: usize = 4_000_000;

/// A way to break ties.
#[derive(Clone, Copy)]
struct Variant {
    goals: Goals,
    /// Among goals that are as near: the one that frees more, or just the nearest.
    by_gain: bool,
    tie: Tie,
    /// Which branch first: the one that needs the most results, or the longest.
    by_width: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Goals {
    /// Tasks that nothing depends on.
    Ends,
    /// Tasks that depend on a result that is held.
    Users,
}

#[derive(Clone, Copy)]
enum Tie {
    /// Farthest from the roots.
    Deep,
    Shallow,
    /// Needs what was made last.
    Fresh,
    /// Needs what has been held the longest.
    Stale,
}

const fn variant(goals: Goals, by_gain: bool, tie: Tie, by_width: bool) -> Variant {
    Variant { goals, by_gain, tie, by_width }
}

const VARIANTS: &[Variant] = &[
    variant(Goals::Ends, false, Tie::Deep, true),
    variant(Goals::Ends, true, Tie::Deep, true),
    variant(Goals::Ends, true, Tie::Deep, false),
    variant(Goals::Users, true, Tie::Deep, true),
    variant(Goals::Ends, false, Tie::Shallow, true),
    variant(Goals::Users, false, Tie::Deep, false),
    variant(Goals::Ends, false, Tie::Fresh, true),
    variant(Goals::Users, true, Tie::Shallow, false),
    variant(Goals::Ends, false, Tie::Stale, false),
    variant(Goals::Users, false, Tie::Fresh, true),
    variant(Goals::Users, true, Tie::Stale, true),
    variant(Goals::Ends, true, Tie::Fresh, false),
];

/// What is known of every task before anything is ordered.
struct Shape {
    /// Tasks on the longest way from a root.
    depth: Vec<u32>,
    /// Results that making this one takes at a time, if nothing were shared.
    width: Vec<u32>,
    ends: Vec<u32>,
}

impl Shape {
    fn of(dependencies: &Lists, dependents: &Lists) -> Option<Shape> {
        let n = dependencies.len();
        let mut pending: Vec<u32> = dependencies.iter().map(|d| d.len() as u32).collect();
        let mut sorted: Vec<u32> = (0..n as u32).filter(|&t| pending[t as usize] == 0).collect();
        let (mut depth, mut width) = (vec![0; n], vec![1; n]);
        let mut widths: Vec<u32> = Vec::new();
        let mut at = 0;
        while let Some(&task) = sorted.get(at) {
            at += 1;
            match *dependencies.get(task) {
                [] => {}
                [only] => width[task as usize] = width[only as usize],
                ref several => {
                    widths.clear();
                    widths.extend(several.iter().map(|&d| width[d as usize]));
                    widths.sort_unstable_by(|a, b| b.cmp(a));
                    let held = widths.iter().zip(0..).map(|(w, others)| w + others);
                    width[task as usize] = held.max().unwrap_or(1);
                }
            }
            for &next in dependents.get(task) {
                depth[next as usize] = depth[next as usize].max(depth[task as usize] + 1);
                pending[next as usize] -= 1;
                if pending[next as usize] == 0 {
                    sorted.push(next);
                }
            }
        }
        let ends = (0..n as u32).filter(|&t| dependents.get(t).is_empty()).collect();
        (sorted.len() == n).then_some(Shape { depth, width, ends })
    }
}

const NONE: u32 = u32::MAX;

/// One attempt: tasks run one by one, in the mind.
struct Search<'a> {
    dependencies: &'a Lists,
    dependents: &'a Lists,
    shape: &'a Shape,
    /// Dependencies that are not done.
    pending: Vec<u32>,
    /// Dependents that are not done.
    left: Vec<u32>,
    /// Dependencies that this task alone still needs.
    frees: Vec<u32>,
    /// When a task ran; `NONE` before.
    ran: Vec<u32>,
    order: Vec<u32>,
    /// Ready tasks that may do no harm.
    ready: Vec<u32>,
    /// Results that are held, with the place of each.
    held: Vec<u32>,
    place: Vec<u32>,
    /// Tasks seen in the search of that number.
    seen: Vec<u32>,
    searches: u32,
    ends_done: usize,
}

/// Goals that are looked at before one is chosen: at most so many, and fewer where there are so many tasks that looking would take
/// longer than all else.
const GOALS: usize = 192;
const LOOKS: usize = 2_000_000;

impl<'a> Search<'a> {
    fn new(dependencies: &'a Lists, dependents: &'a Lists, shape: &'a Shape) -> Self {
        let n = dependencies.len();
        let mut frees = vec![0; n];
        for users in dependents.iter() {
            if let [only] = users {
                frees[*only as usize] += 1;
            }
        }
        let mut search = Search {
            dependencies,
            dependents,
            shape,
            pending: dependencies.iter().map(|d| d.len() as u32).collect(),
            left: dependents.iter().map(|d| d.len() as u32).collect(),
            frees,
            ran: vec![NONE; n],
            order: Vec::with_capacity(n),
            ready: Vec::new(),
            held: Vec::new(),
            place: vec![NONE; n],
            seen: vec![0; n],
            searches: 0,
            ends_done: 0,
        };
        search.ready = (0..n as u32).rev().filter(|&t| search.pending[t as usize] == 0).collect();
        search
    }

    fn is_done(&self, task: u32) -> bool {
        self.ran[task as usize] != NONE
    }

    fn run(mut self, variant: Variant) -> Vec<u32> {
        self.harmless();
        while let Some(goal) = self.goal(variant) {
            self.reach(goal, variant);
        }
        self.order
    }

    /// Runs the ready tasks that let go of as much as they make.
    fn harmless(&mut self) {
        while let Some(task) = self.ready.pop() {
            let makes = u32::from(!self.dependents.get(task).is_empty());
            if !self.is_done(task) && self.frees[task as usize] >= makes {
                self.step(task);
            }
        }
    }

    fn step(&mut self, task: u32) {
        self.ran[task as usize] = self.order.len() as u32;
        self.order.push(task);
        for &d in self.dependencies.get(task) {
            self.left[d as usize] -= 1;
            match self.left[d as usize] {
                0 => {
                    let at = self.place[d as usize] as usize;
                    self.held.swap_remove(at);
                    if let Some(&moved) = self.held.get(at) {
                        self.place[moved as usize] = at as u32;
                    }
                }
                1 => {
                    let last = self.dependents.get(d).iter().find(|&&user| !self.is_done(user));
                    if let Some(&user) = last {
                        self.frees[user as usize] += 1;
                        if self.pending[user as usize] == 0 {
                            self.ready.push(user);
                        }
                    }
                }
                _ => {}
            }
        }
        if !self.dependents.get(task).is_empty() {
            self.place[task as usize] = self.held.len() as u32;
            self.held.push(task);
        }
        for &next in self.dependents.get(task) {
            self.pending[next as usize] -= 1;
            if self.pending[next as usize] == 0 {
                self.ready.push(next);
            }
        }
    }

    /// Runs a task and all that it lacks.
    fn reach(&mut self, goal: u32, variant: Variant) {
        let mut path: Vec<(u32, Vec<u32>)> = Vec::new();
        let branches = |search: &Self, task: u32| {
            let mut lacking: Vec<u32> =
                search.dependencies.get(task).iter().copied().filter(|&d| !search.is_done(d)).collect();
            let rank = if variant.by_width { &search.shape.width } else { &search.shape.depth };
            // Taken from the end: the greatest, and the first among equals.
            lacking.reverse();
            lacking.sort_by_key(|&d| rank[d as usize]);
            lacking
        };
        path.push((goal, branches(self, goal)));
        while let Some((task, lacking)) = path.last_mut() {
            let task = *task;
            match lacking.pop() {
                Some(next) if self.is_done(next) => {}
                Some(next) => path.push((next, branches(self, next))),
                None => {
                    path.pop();
                    if !self.is_done(task) {
                        self.step(task);
                        self.harmless();
                    }
                }
            }
        }
    }

    /// What to run next for; `None` when all is done.
    fn goal(&mut self, variant: Variant) -> Option<u32> {
        let ends = &self.shape.ends;
        while ends.get(self.ends_done).is_some_and(|&end| self.is_done(end)) {
            self.ends_done += 1;
        }
        let first = *ends.get(self.ends_done)?;
        let most = (LOOKS / self.ran.len().max(1)).clamp(4, GOALS);
        let mut goals: Vec<u32> = Vec::new();
        if variant.goals == Goals::Users {
            for at in (0..self.held.len()).rev() {
                let users = self.dependents.get(self.held[at]).iter();
                goals.extend(users.copied().filter(|&t| !self.is_done(t)).take(most));
                if goals.len() >= most {
                    break;
                }
            }
            goals.sort_unstable();
            goals.dedup();
        }
        if goals.is_empty() {
            goals.extend(ends[self.ends_done..].iter().copied().filter(|&t| !self.is_done(t)).take(most));
        }
        if let [only] = goals[..] {
            return Some(only);
        }
        let mut best = (usize::MAX, i64::MAX, i64::MAX, first);
        let mut lacking: Vec<u32> = Vec::new();
        for goal in goals {
            // One that lacks more than the nearest so far is of no interest, whatever else it does.
            let limit = best.0.saturating_add(if variant.by_gain { 2 } else { 0 });
            if !self.lacking(goal, limit, &mut lacking) {
                continue;
            }
            let gain = if variant.by_gain { self.gain(goal, &lacking) } else { 0 };
            let near = (lacking.len() as i64 + gain).max(0) as usize;
            let needed = || self.dependencies.get(goal).iter().map(|&d| self.ran[d as usize]).filter(|&at| at != NONE);
            let tie = match variant.tie {
                Tie::Deep => -i64::from(self.shape.depth[goal as usize]),
                Tie::Shallow => i64::from(self.shape.depth[goal as usize]),
                Tie::Fresh => -i64::from(needed().max().unwrap_or(0)),
                Tie::Stale => i64::from(needed().min().unwrap_or(0)),
            };
            best = best.min((near, gain, tie, goal));
        }
        Some(best.3)
    }

    /// All that has to run before a task; false if that is more than `limit` tasks.
    fn lacking(&mut self, task: u32, limit: usize, found: &mut Vec<u32>) -> bool {
        self.searches += 1;
        found.clear();
        let mut at = 0;
        let mut next = Some(task);
        while let Some(task) = next {
            for &d in self.dependencies.get(task) {
                if !self.is_done(d) && self.seen[d as usize] != self.searches {
                    self.seen[d as usize] = self.searches;
                    found.push(d);
                    if found.len() > limit {
                        return false;
                    }
                }
            }
            next = found.get(at).copied();
            at += 1;
        }
        self.seen[task as usize] = self.searches;
        true
    }

    /// Results made less results freed when a goal and what it lacks (found by the last search) have run.
    fn gain(&self, goal: u32, lacking: &[u32]) -> i64 {
        let will_be_done = |&t: &u32| self.is_done(t) || self.seen[t as usize] == self.searches;
        let mut change = 0;
        for &task in lacking.iter().chain([&goal]) {
            let users = self.dependents.get(task);
            change += i64::from(!users.is_empty() && !users.iter().all(will_be_done));
            for &d in self.dependencies.get(task).iter().filter(|&&d| self.is_done(d)) {
                change -= i64::from(self.dependents.get(d).iter().all(will_be_done));
            }
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peak_of(graph: &[&[u32]], best: bool) -> usize {
        let dependencies: Lists = graph.iter().collect();
        let dependents = dependencies.reversed();
        let order = if best { best_order(&dependencies, &dependents) } else { order(&dependencies, &dependents) };
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

    proptest! {
        #[test]
        fn every_task_comes_once_and_after_what_it_needs(
            graph in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..80),
        ) {
            let pick = |(at, deps): (usize, &Vec<prop::sample::Index>)| {
                let mut deps: Vec<u32> = deps.iter().filter(|_| at > 0).map(|d| d.index(at) as u32).collect();
                deps.sort_unstable();
                deps.dedup();
                deps
            };
            let dependencies: Lists = graph.iter().enumerate().map(pick).collect();
            let dependents = dependencies.reversed();
            let quick = order(&dependencies, &dependents).unwrap();
            let best = best_order(&dependencies, &dependents).unwrap();
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
