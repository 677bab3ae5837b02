//! Orders by looking ahead: every goal in reach is tried, with all that it lacks, and the one with the best outcome is taken.

use super::cut::Cut;

/// How outcomes are compared, and what is tried.
#[derive(Clone, Copy)]
pub struct Rule {
    pub goals: Goals,
    pub prefer: Prefer,
    /// Which branch first on the way to a goal: the one that needs the most results, or the longest.
    pub by_width: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Goals {
    /// Tasks that no other one waits for.
    Ends,
    /// Tasks that need or make a result that is held.
    Users,
}

/// Goals that leave no more results than there were come first under all rules but the first two: of those, the one that needs
/// the least on the way.
#[derive(Clone, Copy)]
pub enum Prefer {
    /// What leaves the fewest results.
    Least,
    /// What holds the fewest on the way.
    Flat,
    /// What adds the fewest results a task.
    Cheap,
    /// What takes the fewest tasks.
    Near,
    /// What lets go of the most that it held on the way: the rest is easier then. This is how the branches of a tree are ordered
    /// (Liu, "An application of generalized tree pebbling to sparse matrix factorization", 1987).
    Steep,
}

/// Every rule, those that help the most graphs first.
pub fn rules() -> impl Iterator<Item = Rule> {
    use Prefer::*;
    let prefer = [Cheap, Flat, Near, Least, Steep];
    let all = prefer.into_iter().flat_map(|prefer| [true, false].map(|by_width| (prefer, by_width)));
    all.flat_map(|(prefer, by_width)| [Goals::Ends, Goals::Users].map(|goals| Rule { goals, prefer, by_width }))
}

/// Goals that are tried at a time.
const GOALS: usize = 96;

/// Lets all tasks cross, with at most `most` results held at any time; `None` where that does not come about, or takes more
/// steps than there are left of `work`.
pub fn run(mut cut: Cut, rule: Rule, most: u32, work: &mut usize) -> Option<Vec<u32>> {
    cut.harmless();
    let mut ends_done = 0;
    let mut goals = Vec::new();
    let mut chosen = Vec::new();
    loop {
        let ends = &cut.side.ends;
        ends_done += ends[ends_done..].iter().take_while(|&&end| cut.has(end)).count();
        goals.clear();
        if rule.goals == Goals::Users {
            goals.extend(cut.users().take(GOALS));
        }
        if goals.is_empty() {
            goals.extend(ends[ends_done..].iter().copied().filter(|&end| !cut.has(end)).take(GOALS));
        }
        if goals.is_empty() {
            return (cut.peak <= most).then_some(cut.order);
        }
        goals.sort_unstable();
        goals.dedup();
        let start = cut.order.len();
        let mut best = None;
        for &goal in &goals {
            let steps = cut.steps;
            let outcome = attempt(&mut cut, goal, rule, most);
            *work = work.checked_sub(cut.steps - steps)?;
            if let Some(outcome) = outcome
                && best.is_none_or(|least| outcome < least)
            {
                best = Some(outcome);
                chosen.clear();
                chosen.extend_from_slice(&cut.order[start..]);
            }
            cut.back_to(start);
        }
        best?;
        chosen.iter().for_each(|&task| cut.cross(task));
        cut.harmless();
    }
}

/// Goes to a goal. What comes of it, less is better; `None` if more than `most` results are held on the way.
fn attempt(cut: &mut Cut, goal: u32, rule: Rule, most: u32) -> Option<(bool, i64, i64)> {
    let (start, held, peak) = (cut.order.len(), cut.held(), cut.peak);
    cut.peak = held;
    reach(cut, goal, rule, most);
    let rise = i64::from(std::mem::replace(&mut cut.peak, peak)) - i64::from(held);
    if rise > i64::from(most) - i64::from(held) {
        return None;
    }
    let net = i64::from(cut.held()) - i64::from(held);
    let tasks = (cut.order.len() - start) as i64;
    Some(match rule.prefer {
        Prefer::Least => (false, net, rise),
        Prefer::Flat => (false, rise, net),
        _ if net <= 0 => (false, rise, net),
        Prefer::Cheap => (true, net * 1000 / tasks, rise),
        Prefer::Near => (true, tasks, net),
        Prefer::Steep => (true, net - rise, net),
    })
}

/// Lets a task cross and all that it lacks, or as many as it takes to hold more than `most` results.
fn reach(cut: &mut Cut, goal: u32, rule: Rule, most: u32) {
    let rank = if rule.by_width { &cut.side.width } else { &cut.side.depth };
    // Tasks on the way, each above the branches that are still to be looked at; the last one of these comes next.
    let mut path: Vec<(u32, bool)> = vec![(goal, false)];
    while let Some((task, branches_done)) = path.pop() {
        if cut.has(task) {
            continue;
        }
        if branches_done {
            cut.cross(task);
            cut.harmless();
            if cut.peak > most {
                return;
            }
            continue;
        }
        path.push((task, true));
        let first = path.len();
        path.extend(cut.side.before.get(task).iter().rev().filter(|&&d| !cut.has(d)).map(|&d| (d, false)));
        path[first..].sort_by_key(|&(d, _)| rank[d as usize]);
    }
}
