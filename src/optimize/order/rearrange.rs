//! Part of an order rearranged: all ways to run a few dozen groups of tasks are gone through, as far as that takes.
//!
//! Sets of groups that are done are states; a state that led nowhere is not entered again, and a group that leaves no more results than
//! there were is not waited with. For small graphs, of which every task is a group, this finds the least there is; in a larger one it makes
//! way where an order holds the most, group by group and the longer the work lasts, in larger groups.

use super::cut::{Cut, Side};
use rustc_hash::FxHashSet;

/// Groups that a state can tell apart.
const MOST: usize = 64;
/// Groups around the place where the most is held.
const WINDOW: usize = 40;
/// Steps that are tried before a window is left as it is, and before a small graph is.
const STEPS: usize = 20_000;
const STEPS_WHOLE: usize = 2_000_000;

/// An order in which fewer results are held at a time, or the same one. `work` is how many steps that may take.
pub fn improve(side: &Side, mut order: Vec<u32>, work: &mut usize) -> Vec<u32> {
    let mut window = Window::new(side);
    if order.len() <= MOST {
        while let Some(better) = window.whole(&order, work) {
            order = better;
        }
        return order;
    }
    let mut size = 1;
    while let Some(less) = window.lower(&mut order, size, work) {
        size = if less { 1 } else { size * 2 };
        if size * WINDOW / 2 > order.len() {
            break;
        }
    }
    order
}

struct Window<'a> {
    cut: Cut<'a>,
    /// The group of a task in the window.
    group: Vec<u8>,
}

const OUTSIDE: u8 = u8::MAX;

impl<'a> Window<'a> {
    fn new(side: &'a Side<'a>) -> Window<'a> {
        Window { cut: Cut::new(side), group: vec![OUTSIDE; side.before.len()] }
    }

    /// A better order of a small graph; `None` where there is none, or looking for it would take too long.
    fn whole(&mut self, order: &[u32], work: &mut usize) -> Option<Vec<u32>> {
        let held = self.held(order);
        let most = held.iter().max()?.checked_sub(1)?;
        let tasks: Vec<&[u32]> = order.chunks(1).collect();
        self.rearranged(&tasks, most, work, STEPS_WHOLE)
    }

    /// Results held after each task.
    fn held(&mut self, order: &[u32]) -> Vec<u32> {
        self.cut.back_to(0);
        let held = order.iter().map(|&task| {
            self.cut.cross(task);
            self.cut.held()
        });
        let held = held.collect();
        self.cut.back_to(0);
        held
    }

    /// Rearranges the order wherever it holds the most, in groups of so many steps; whether less is held then. `None` when
    /// no work is left.
    fn lower(&mut self, order: &mut Vec<u32>, size: usize, work: &mut usize) -> Option<bool> {
        *work = work.checked_sub(2 * order.len())?;
        let held = self.held(order);
        let most = held.iter().max().copied().unwrap_or(0);
        if most == 0 {
            return None;
        }
        // A group begins with a task that holds more, and goes on with what that lets happen.
        let rises = |at: &usize| *at == 0 || held[*at] > held[*at - 1];
        let starts: Vec<usize> = (0..order.len()).filter(rises).step_by(size).collect();
        let mut at = 0;
        while let Some(ahead) = held[at..].iter().position(|&held| held == most) {
            at += ahead;
            let here = starts.partition_point(|&start| start <= at) - 1;
            let found = [WINDOW / 2, WINDOW * 4 / 5, WINDOW / 5].into_iter().find_map(|before| {
                let first = here.saturating_sub(before);
                let last = (first + WINDOW).min(starts.len());
                let begin = starts[first];
                let end = starts.get(last).copied().unwrap_or(order.len());
                *work = work.checked_sub(self.cut.order.len().abs_diff(begin))?;
                self.cut.back_to(begin);
                order[self.cut.order.len()..begin].iter().for_each(|&task| self.cut.cross(task));
                let ends = starts[first + 1..last].iter().copied().chain([end]);
                let groups: Vec<&[u32]> = starts[first..last].iter().zip(ends).map(|(&a, b)| &order[a..b]).collect();
                Some((begin, end, self.rearranged(&groups, most - 1, work, STEPS)?))
            });
            let Some((begin, end, tasks)) = found else {
                return (*work > 0).then_some(false);
            };
            order.splice(begin..end, tasks);
            at = end;
            if at >= order.len() {
                break;
            }
        }
        Some(true)
    }

    /// The groups in an order in which at most `most` results are held, from where the cut is.
    fn rearranged(&mut self, groups: &[&[u32]], most: u32, work: &mut usize, steps: usize) -> Option<Vec<u32>> {
        let start = self.cut.order.len();
        for (number, group) in groups.iter().enumerate() {
            group.iter().for_each(|&task| self.group[task as usize] = number as u8);
        }
        let before = |(number, group): (usize, &&[u32])| {
            let tasks = group.iter().flat_map(|&task| self.cut.side.before.get(task));
            let others = tasks.map(|&task| self.group[task as usize]).filter(|&g| g != OUTSIDE && g as usize != number);
            others.fold(0u64, |set, group| set | 1 << group)
        };
        let before: Vec<u64> = groups.iter().enumerate().map(before).collect();
        let given = steps.min(*work);
        let mut search = Search { groups, before, most, seen: FxHashSet::default(), steps: given };
        let found = search.go(&mut self.cut, 0).then(|| self.cut.order[start..].to_vec());
        *work -= given - search.steps;
        self.cut.back_to(start);
        for group in groups {
            group.iter().for_each(|&task| self.group[task as usize] = OUTSIDE);
        }
        found
    }
}

struct Search<'s> {
    groups: &'s [&'s [u32]],
    /// For each group: those that it has to wait for.
    before: Vec<u64>,
    most: u32,
    /// Sets of groups from which there is no way on.
    seen: FxHashSet<u64>,
    /// Steps that may still be tried.
    steps: usize,
}

impl Search<'_> {
    /// Whether there is a way on from where these groups are done. If so, the cut is at its end.
    fn go(&mut self, cut: &mut Cut, done: u64) -> bool {
        let all = u64::MAX >> (64 - self.groups.len());
        if done == all {
            return true;
        }
        if self.steps == 0 || !self.seen.insert(done) {
            return false;
        }
        let start = cut.order.len();
        let mut ways: Vec<(i64, u32, usize)> = Vec::new();
        let open = |&group: &usize| done & 1 << group == 0 && self.before[group] & !done == 0;
        for group in (0..self.groups.len()).filter(open) {
            self.steps = self.steps.saturating_sub(self.groups[group].len());
            let held = cut.held();
            cut.peak = held;
            self.groups[group].iter().for_each(|&task| cut.cross(task));
            let way = (i64::from(cut.held()) - i64::from(held), cut.peak, group);
            cut.back_to(start);
            if way.1 > self.most {
                continue;
            }
            if way.0 <= 0 {
                ways.clear();
                ways.push(way);
                break;
            }
            ways.push(way);
        }
        ways.sort_unstable();
        for (_, _, group) in ways {
            self.groups[group].iter().for_each(|&task| cut.cross(task));
            if self.go(cut, done | 1 << group) {
                return true;
            }
            cut.back_to(start);
        }
        false
    }
}
