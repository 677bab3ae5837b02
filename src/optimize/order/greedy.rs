//! One order, soon. Three rules.
//!
//! *What does no harm is done at once.* A ready task that lets go of as many results as it makes (of at least one, unless nobody
//! needs its own) never makes any later moment worse, so it runs as soon as it is ready. Only tasks that make something and free nothing
//! are left to choose among.
//!
//! *The nearest goal first.* Those tasks are run for the sake of a task that nothing depends on: the one that lacks the fewest
//! tasks, and so shares the most with what is there already.
//!
//! *The greedy branch first.* On the way down to a goal, the dependency that needs the most results at a time is
//! made first, while little else is held (Sethi and Ullman, 1970: optimal for trees).

use super::Shape;
use crate::optimize::Lists;

/// Of a task that is not done.
#[derive(Clone, Copy, Default)]
struct State {
    /// Dependencies that are not done.
    pending: u32,
    /// Dependencies that this task alone still needs.
    frees: u32,
}

/// Dependents of a result that are not done.
#[derive(Clone, Copy)]
struct Users {
    left: u32,
    /// The sum of their numbers, less what does not fit: where one is left, that one.
    sum: u32,
}

/// Tasks run one by one, in the mind.
pub struct Search<'a> {
    dependencies: &'a Lists,
    dependents: &'a Lists,
    shapes: Vec<Shape>,
    ends: Vec<u32>,
    tasks: Vec<State>,
    users: Vec<Users>,
    done: Vec<bool>,
    order: Vec<u32>,
    /// Ready tasks that may do no harm.
    ready: Vec<u32>,
    /// Tasks seen in the search of that number.
    seen: Vec<u32>,
    searches: u32,
    found: Vec<u32>,
    goals: Vec<u32>,
    ends_done: usize,
}

/// Goals that are looked at before one is chosen: at most so many, and fewer where there are so many tasks that looking would take
/// longer than all else.
const GOALS: usize = 192;
const LOOKS: usize = 400_000;
/// A goal that lacks more tasks is as far away as any other.
const FAR: usize = 1000;

impl<'a> Search<'a> {
    pub fn new(dependencies: &'a Lists, dependents: &'a Lists, shapes: Vec<Shape>) -> Self {
        let n = dependencies.len();
        let pending = |needs: &[u32]| State { pending: needs.len() as u32, frees: 0 };
        let mut tasks: Vec<State> = dependencies.iter().map(pending).collect();
        let users = dependents.iter().map(|users| {
            if let [only] = users {
                tasks[*only as usize].frees += 1;
            }
            Users { left: users.len() as u32, sum: users.iter().fold(0, |sum, &user| sum.wrapping_add(user)) }
        });
        let users = users.collect();
        Search {
            dependencies,
            dependents,
            shapes,
            ends: (0..n as u32).filter(|&t| dependents.get(t).is_empty()).collect(),
            ready: (0..n as u32).rev().filter(|&t| tasks[t as usize].pending == 0).collect(),
            tasks,
            users,
            done: vec![false; n],
            order: Vec::with_capacity(n),
            seen: vec![0; n],
            searches: 0,
            found: Vec::new(),
            goals: Vec::new(),
            ends_done: 0,
        }
    }

    fn is_done(&self, task: u32) -> bool {
        self.done[task as usize]
    }

    pub fn run(mut self) -> Vec<u32> {
        self.harmless();
        while let Some(goal) = self.goal() {
            self.reach(goal);
        }
        self.order
    }

    /// Runs the ready tasks that let go of as much as they make.
    fn harmless(&mut self) {
        while let Some(task) = self.ready.pop() {
            let makes = u32::from(!self.dependents.get(task).is_empty());
            if !self.is_done(task) && self.tasks[task as usize].frees >= makes {
                self.step(task);
            }
        }
    }

    fn step(&mut self, task: u32) {
        self.done[task as usize] = true;
        self.order.push(task);
        for &d in self.dependencies.get(task) {
            let users = &mut self.users[d as usize];
            users.left -= 1;
            users.sum = users.sum.wrapping_sub(task);
            let Users { left, sum: user } = *users;
            // A task may name a result twice: then it is not another user that is left.
            if left == 1 && user != task {
                let state = &mut self.tasks[user as usize];
                state.frees += 1;
                if state.pending == 0 {
                    self.ready.push(user);
                }
            }
        }
        for &next in self.dependents.get(task) {
            let state = &mut self.tasks[next as usize];
            state.pending -= 1;
            if state.pending == 0 {
                self.ready.push(next);
            }
        }
    }

    /// Runs a task and all that it lacks.
    fn reach(&mut self, goal: u32) {
        // Tasks on the way, each below the branches that are still to be looked at; `true` where there are none left.
        let mut path: Vec<(u32, bool)> = vec![(goal, false)];
        while let Some((task, branches_done)) = path.pop() {
            if self.is_done(task) {
                continue;
            }
            if branches_done {
                self.step(task);
                self.harmless();
                continue;
            }
            path.push((task, true));
            let first = path.len();
            let lacking = self.dependencies.get(task).iter().rev().filter(|&&d| !self.done[d as usize]);
            path.extend(lacking.map(|&d| (d, false)));
            // Taken from the end: the widest, and the first among equals.
            if path.len() > first + 1 {
                path[first..].sort_by_key(|&(d, _)| self.shapes[d as usize].width);
            }
        }
    }

    /// What to run next for; `None` when all is done.
    fn goal(&mut self) -> Option<u32> {
        while self.ends.get(self.ends_done).is_some_and(|&end| self.is_done(end)) {
            self.ends_done += 1;
        }
        let first = *self.ends.get(self.ends_done)?;
        let most = (LOOKS / self.done.len().max(1)).clamp(2, GOALS);
        self.goals.clear();
        let open = self.ends[self.ends_done..].iter().copied().filter(|&t| !self.done[t as usize]);
        self.goals.extend(open.take(most));
        if let [only] = self.goals[..] {
            return Some(only);
        }
        let mut best = (FAR, u32::MAX, first);
        for at in 0..self.goals.len() {
            // One that lacks more than the nearest so far is of no interest.
            let goal = self.goals[at];
            if let Some(lacks) = self.lacks(goal, best.0) {
                best = best.min((lacks, u32::MAX - self.shapes[goal as usize].depth, goal));
            }
        }
        Some(best.2)
    }

    /// How many tasks have to run before this one; `None` if they are more than `limit`.
    fn lacks(&mut self, task: u32, limit: usize) -> Option<usize> {
        self.searches += 1;
        self.found.clear();
        let mut at = 0;
        let mut next = Some(task);
        while let Some(task) = next {
            for &d in self.dependencies.get(task) {
                if !self.done[d as usize] && self.seen[d as usize] != self.searches {
                    self.seen[d as usize] = self.searches;
                    self.found.push(d);
                    if self.found.len() > limit {
                        return None;
                    }
                }
            }
            next = self.found.get(at).copied();
            at += 1;
        }
        Some(self.found.len())
    }
}
