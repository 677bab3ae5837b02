//! A graph cut in two: tasks that are done, and tasks that are not. What looks for good orders moves tasks across the cut, one by one,
//! and takes them back.
//!
//! The results held at a cut are those that were made on one side and are needed on the other. That reads the same from both ends,
//! and so do the rules of a search: an order may be looked for from its first task on, or from its last one back. What is easy from one end
//! (a reduction of many blocks) may be hard from the other (many tasks that need one block).

use crate::optimize::Lists;

/// The graph as a search from one end sees it.
pub struct Side<'a> {
    /// For each task: those that have to cross first, and those that have to cross later.
    pub before: &'a Lists,
    pub after: &'a Lists,
    /// For each result: the task that makes it, and those that need it. Empty where none does.
    members: Lists,
    /// For each task: the results that it makes or needs.
    results: Lists,
    /// Results that are held at a time for the sake of this task, if nothing were shared.
    pub width: Vec<u32>,
    /// Tasks on the longest way to this one.
    pub depth: Vec<u32>,
    /// Tasks that no other one waits for.
    pub ends: Vec<u32>,
}

impl<'a> Side<'a> {
    /// The graph from its first task on, or from its last one back. The graph has no cycle.
    pub fn new(dependencies: &'a Lists, dependents: &'a Lists, back: bool) -> Side<'a> {
        let tasks = 0..dependencies.len() as u32;
        let (mut members, mut results) = (Lists::default(), Lists::default());
        for task in tasks.clone() {
            let users = dependents.get(task);
            if !users.is_empty() {
                members.push(task);
                users.iter().for_each(|&user| members.push(user));
                results.push(task);
            }
            dependencies.get(task).iter().for_each(|&d| results.push(d));
            members.end_list();
            results.end_list();
        }
        let (before, after) = if back { (dependents, dependencies) } else { (dependencies, dependents) };
        let ends = tasks.filter(|&t| after.get(t).is_empty()).collect();
        let shapes = super::shape(before, after).unwrap_or_default();
        let (depth, width) = shapes.into_iter().map(|shape| (shape.depth, shape.width)).unzip();
        Side { before, after, members, results, width, depth, ends }
    }
}

const NONE: u32 = u32::MAX;

/// As many others are looked at in the time of a step.
const SEEN_IN_A_STEP: usize = 16;

/// Where a search is.
pub struct Cut<'a> {
    pub side: &'a Side<'a>,
    /// Tasks that crossed, in that order.
    pub order: Vec<u32>,
    /// The most results held since this was last set.
    pub peak: u32,
    /// What crossing took so far: a step for each task, and more for those that share a result with many others.
    pub steps: usize,
    crossed: Vec<bool>,
    /// Tasks that have to cross before.
    pending: Vec<u32>,
    /// For each result: how many of its tasks are still to cross.
    left: Vec<u32>,
    /// Results held more when a task crosses.
    change: Vec<i32>,
    /// Tasks that may cross for nothing.
    ready: Vec<u32>,
    /// Results that are held, with the place of each.
    held: Vec<u32>,
    place: Vec<u32>,
}

impl<'a> Cut<'a> {
    pub fn new(side: &'a Side<'a>) -> Cut<'a> {
        let n = side.before.len();
        let pending: Vec<u32> = side.before.iter().map(|b| b.len() as u32).collect();
        Cut {
            side,
            order: Vec::with_capacity(n),
            peak: 0,
            steps: 0,
            crossed: vec![false; n],
            ready: (0..n as u32).rev().filter(|&t| pending[t as usize] == 0).collect(),
            pending,
            left: side.members.iter().map(|m| m.len() as u32).collect(),
            change: side.results.iter().map(|r| r.len() as i32).collect(),
            held: Vec::new(),
            place: vec![NONE; n],
        }
    }

    pub fn has(&self, task: u32) -> bool {
        self.crossed[task as usize]
    }

    /// Whether a task may cross now.
    pub fn may(&self, task: u32) -> bool {
        self.pending[task as usize] == 0 && !self.has(task)
    }

    pub fn held(&self) -> u32 {
        self.held.len() as u32
    }

    /// Tasks that need or make a result that is held, and are still to cross.
    pub fn users(&self) -> impl Iterator<Item = u32> {
        let members = self.held.iter().rev().flat_map(|&result| self.side.members.get(result));
        members.copied().filter(|&task| !self.has(task))
    }

    /// Lets every task cross that may, as long as no more is held then: that never makes anything worse that comes later.
    pub fn harmless(&mut self) {
        while let Some(task) = self.ready.pop() {
            if !self.has(task) && self.change[task as usize] <= 0 {
                self.cross(task);
            }
        }
    }

    pub fn cross(&mut self, task: u32) {
        self.crossed[task as usize] = true;
        self.order.push(task);
        let mut seen = self.side.after.get(task).len();
        for &result in self.side.results.get(task) {
            let members = self.side.members.get(result);
            self.left[result as usize] -= 1;
            let left = self.left[result as usize] as usize;
            if left + 1 == members.len() || left == 1 {
                seen += members.len();
            }
            if left + 1 == members.len() {
                self.hold(result);
                // The others find it held.
                for &other in members.iter().filter(|&&other| other != task) {
                    self.changes(other, -1);
                }
            }
            if left == 1
                && let Some(&last) = members.iter().find(|&&other| !self.crossed[other as usize])
            {
                self.changes(last, -1);
            }
            if left == 0 {
                self.release(result);
            }
        }
        self.peak = self.peak.max(self.held());
        self.steps += 1 + seen / SEEN_IN_A_STEP;
        for &next in self.side.after.get(task) {
            self.pending[next as usize] -= 1;
            if self.pending[next as usize] == 0 {
                self.ready.push(next);
            }
        }
    }

    /// Takes the last task back. `peak` stays.
    pub fn back(&mut self) {
        let Some(task) = self.order.pop() else { return };
        self.ready.clear();
        self.crossed[task as usize] = false;
        for &next in self.side.after.get(task) {
            self.pending[next as usize] += 1;
        }
        for &result in self.side.results.get(task).iter().rev() {
            let members = self.side.members.get(result);
            self.left[result as usize] += 1;
            let left = self.left[result as usize] as usize;
            let mut others = members.iter().filter(|&&other| other != task);
            if left == 1 {
                self.hold(result);
            }
            if left == 2
                && let Some(&last) = others.clone().find(|&&other| !self.crossed[other as usize])
            {
                self.change[last as usize] += 1;
            }
            if left == members.len() {
                self.release(result);
                others.by_ref().for_each(|&other| self.change[other as usize] += 1);
            }
        }
    }

    /// Back to where so many tasks had crossed, none of which was ready to cross for nothing.
    pub fn back_to(&mut self, tasks: usize) {
        while self.order.len() > tasks {
            self.back();
        }
    }

    fn changes(&mut self, task: u32, by: i32) {
        self.change[task as usize] += by;
        if self.may(task) {
            self.ready.push(task);
        }
    }

    fn hold(&mut self, result: u32) {
        self.place[result as usize] = self.held.len() as u32;
        self.held.push(result);
    }

    fn release(&mut self, result: u32) {
        let at = self.place[result as usize] as usize;
        self.held.swap_remove(at);
        if let Some(&moved) = self.held.get(at) {
            self.place[moved as usize] = at as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is held, and what it would be with one task more, is the same after any steps and steps back.
        #[test]
        fn steps_back_undo_steps(graph in super::super::tests::graphs(40), back: bool, picks in prop::collection::vec(0..50usize, 1..60)) {
            let dependents = graph.reversed();
            let side = Side::new(&graph, &dependents, back);
            let mut cut = Cut::new(&side);
            for pick in picks {
                let may: Vec<u32> = (0..graph.len() as u32).filter(|&t| cut.may(t)).collect();
                if pick % 3 == 0 || may.is_empty() {
                    cut.back();
                } else {
                    cut.cross(may[pick % may.len()]);
                }
                let mut other = Cut::new(&side);
                cut.order.iter().for_each(|&t| other.cross(t));
                prop_assert_eq!(cut.held(), other.held());
                prop_assert_eq!(&cut.left, &other.left);
                prop_assert_eq!(&cut.pending, &other.pending);
                let may: Vec<u32> = (0..graph.len() as u32).filter(|&t| other.may(t)).collect();
                for task in may {
                    prop_assert_eq!(cut.change[task as usize], other.change[task as usize]);
                    let before = other.held() as i32;
                    other.cross(task);
                    prop_assert_eq!(other.held() as i32 - before, cut.change[task as usize]);
                    other.back();
                }
            }
        }
    }
}
