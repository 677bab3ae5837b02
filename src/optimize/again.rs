//! The pass `rematerialize` for graphs made by hand: what is cheap to make is made again by the tasks that need it late.
//!
//! ```text
//! x1 (read "f.h5::/x" :100)                  x1 (read "f.h5::/x" :100)
//! x2 (read "f.h5::/x" 100:)                  x2 (read "f.h5::/x" 100:)
//! m  (/ (+ (sum x1) (sum x2)) 200)       →   m  (/ (+ (sum x1) (sum x2)) 200)
//! y1 (- x1 m)                                y1 (- (read "f.h5::/x" :100) m)
//! y2 (- x2 m)                                y2 (- (read "f.h5::/x" 100:) m)
//! ```
//!
//! A user is late if it waits for another one by way of a task that takes several results: the result would be held all that while.
//! Cheap is what names no key, and calls functions of that cost only, which do nothing but answer. How large results are nobody
//! knows beforehand, so what takes long to make again, as what has to be decoded, is held.

use super::ByHandGoal;
use super::by_hand::{ByHand, Tasks, substitute};
use super::{Lists, equal};
use crate::data::{Cost, Form, Host, Key, Task, Value};
use crate::text::Result;
use rustc_hash::{FxHashMap, FxHashSet};

/// A task that is made again may hold so many calls, over all its uses.
const AGAIN: usize = 32;
/// Edges that are looked at to tell whether a user waits for another one, and the most of one task.
const LOOKS: usize = 64;
const WIDE: usize = 16;

pub fn again(graph: ByHand, goal: &ByHandGoal) -> Result<ByHand> {
    let order = graph.sorted()?;
    let dependents = graph.edges().reversed();
    let users = |at: u32| dependents.get(at);
    let is_root = |at: &u32| graph.edges().get(*at).is_empty() && users(*at).len() > 1;
    let mut costs = FxHashMap::default();
    let cheap = |&at: &u32| {
        let calls = cheap_calls(&graph.tasks()[at as usize], goal.host, &mut costs);
        calls.is_some_and(|calls| calls * users(at).len() <= AGAIN)
    };
    let mut roots: Vec<u32> = order.iter().copied().filter(is_root).collect();
    roots.retain(cheap);
    if roots.is_empty() {
        return Ok(graph);
    }
    let repeatable = equal::repeatable(graph.tasks(), &order, goal.host);
    let mut late: FxHashMap<u32, FxHashSet<u32>> = FxHashMap::default();
    for root in roots.into_iter().filter(|&root| repeatable[root as usize]) {
        for user in late_users(root, graph.edges(), &dependents) {
            late.entry(user).or_default().insert(root);
        }
    }
    if late.is_empty() {
        return Ok(graph);
    }
    Ok(ByHand::of(made_again(graph.tasks(), &late, goal.host)))
}

fn made_again(tasks: &Tasks, late: &FxHashMap<u32, FxHashSet<u32>>, host: &dyn Host) -> Tasks {
    let new = |(at, (key, task)): (u32, (&Key, &Task))| {
        let Some(roots) = late.get(&at) else { return (key.clone(), task.clone()) };
        let made = |key: &Key| {
            let at = tasks.get_index_of(key).filter(|&at| roots.contains(&(at as u32)))?;
            Some(tasks[at].clone())
        };
        (key.clone(), substitute(task, &made, host))
    };
    (0..).zip(tasks.iter()).map(new).collect()
}

/// How many calls a task is, all of them cheap; `None` where one is not, or it is no call.
fn cheap_calls(task: &Task, host: &dyn Host, costs: &mut FxHashMap<Key, Cost>) -> Option<usize> {
    let mut calls = 0;
    let mut all = matches!(task.form, Form::Call(_));
    task.walk(&mut |part| {
        let Form::Call(items) = &part.form else { return };
        calls += 1;
        let head = items.first().and_then(|head| match &head.form {
            Form::Key(key) if key.index.is_empty() => Some((key, head.span)),
            _ => None,
        });
        let cost = head.map(|(key, span)| {
            *costs.entry(key.clone()).or_insert_with(|| match host.global(&key.name, span) {
                Some(Value::Function(function)) if !host.is_syntax(&key.name, span) => function.cost,
                _ => Cost::Unknown,
            })
        });
        all &= matches!(cost, Some(Cost::Free | Cost::Cheap));
    });
    all.then_some(calls)
}

/// The users of a task that wait for other users of it.
fn late_users(root: u32, dependencies: &Lists, dependents: &Lists) -> Vec<u32> {
    let users = dependents.get(root);
    let mut late = Vec::new();
    for &first in users {
        // What waits for this user, and whether by way of a task that takes several results.
        let mut reached: Vec<(u32, bool)> = vec![(first, dependencies.get(first).len() > 1)];
        let (mut at, mut looks) = (0, 0);
        while let Some(&(task, gathered)) = reached.get(at) {
            at += 1;
            let next = dependents.get(task);
            if next.len() > WIDE || looks > LOOKS {
                continue;
            }
            looks += next.len();
            for &next in next {
                if !reached.iter().any(|(known, _)| *known == next) {
                    reached.push((next, gathered || dependencies.get(next).len() > 1));
                }
            }
        }
        let waits = |user: &&u32| {
            let needs = dependencies.get(**user);
            needs.len() <= WIDE
                && **user != first
                && needs.iter().any(|d| reached.iter().any(|(task, gathered)| task == d && *gathered))
        };
        late.extend(users.iter().filter(waits));
    }
    late.sort_unstable();
    late.dedup();
    late
}
