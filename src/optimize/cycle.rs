//! What to say of a graph that depends on itself.

use super::Lists;
use crate::data::{Form, Key, Task};
use crate::err;
use crate::text::{Error, Span};

/// A cycle among tasks, each needing the next one and the last one the first; `None` where there is none.
pub fn find(dependencies: &Lists) -> Option<Vec<u32>> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state = vec![NEW; dependencies.len()];
    let mut path: Vec<(u32, usize)> = Vec::new();
    for start in 0..dependencies.len() as u32 {
        if state[start as usize] != NEW {
            continue;
        }
        state[start as usize] = OPEN;
        path.push((start, 0));
        while let Some((task, at)) = path.last_mut() {
            let Some(&next) = dependencies.get(*task).get(*at) else {
                state[*task as usize] = DONE;
                path.pop();
                continue;
            };
            *at += 1;
            match state[next as usize] {
                NEW => {
                    state[next as usize] = OPEN;
                    path.push((next, 0));
                }
                OPEN => {
                    let from = path.iter().position(|&(t, _)| t == next)?;
                    return Some(path[from..].iter().map(|&(t, _)| t).collect());
                }
                _ => {}
            }
        }
    }
    None
}

/// The report of a cycle: every key of it, labelled where its task names the next one.
pub fn error(tasks: &[(Key, Task)], dependencies: &Lists) -> Error {
    let Some(mut cycle) = find(dependencies) else {
        return err!(Internal, "a graph was taken for cyclic, and is not");
    };
    // It starts with the key that was written first.
    let first = (0..cycle.len()).min_by_key(|&i| {
        let (_, task) = &tasks[cycle[i] as usize];
        (task.span.start, cycle[i])
    });
    cycle.rotate_left(first.unwrap_or(0));

    const SHOWN: usize = 12;
    let key = |at: usize| &tasks[cycle[at % cycle.len()] as usize].0;
    let mut names: Vec<String> = (0..cycle.len().min(SHOWN)).map(|at| key(at).to_string()).collect();
    let list = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if cycle.len() > SHOWN {
        names.push(format!("({} more)", cycle.len() - SHOWN));
    }
    names.push(key(0).to_string());
    let mut error = err!(Cycle, "the graph has a cycle: {}", names.join(" -> "));
    for at in 0..cycle.len().min(SHOWN) {
        let (this, next) = (key(at), key(at + 1));
        let closes = if at + 1 == cycle.len() { ", which closes the cycle" } else { "" };
        let task = &tasks[cycle[at] as usize].1;
        error = error.label(mention(task, next).or(task.span), format!("{this} needs {next}{closes}"));
    }
    error = error.help(match cycle.len() {
        1 => format!("A graph must be acyclic: give {list} a starting value."),
        n if n > SHOWN => "A graph must be acyclic: give one of these keys a starting value.".into(),
        _ => format!("A graph must be acyclic: give one of {list} a starting value."),
    });
    match downstream(&cycle, dependencies).as_slice() {
        [] => error,
        [only] => error.help(format!("`{}` is sound; it only depends on the cycle.", tasks[*only as usize].0)),
        several => error.help(format!("{} other keys are sound; they only depend on the cycle.", several.len())),
    }
}

/// Where a task names a key.
fn mention(task: &Task, key: &Key) -> Span {
    let mut found = Span::NONE;
    task.walk(&mut |t| {
        if found.is_none() && matches!(&t.form, Form::Key(k) if k == key) {
            found = t.span;
        }
    });
    found
}

/// The tasks that depend on a cycle without being on one.
fn downstream(cycle: &[u32], dependencies: &Lists) -> Vec<u32> {
    let dependents = dependencies.reversed();
    let reach = |from: &[u32], edges: &Lists| {
        let mut seen = vec![false; dependencies.len()];
        let mut open = from.to_vec();
        while let Some(task) = open.pop() {
            if !std::mem::replace(&mut seen[task as usize], true) {
                open.extend(edges.get(task));
            }
        }
        seen
    };
    let (after, before) = (reach(cycle, &dependents), reach(cycle, dependencies));
    (0..dependencies.len() as u32).filter(|&t| after[t as usize] && !before[t as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Str;
    use crate::text::SourceId;

    #[test]
    fn every_key_of_the_cycle_is_labelled() {
        // x (y), y (z), z (x), total (x): each names its neighbour at a span of its own.
        let key = |name: &str| Key::new(Str::from(name));
        let task = |names: &str, at: usize| {
            let span = Span::new(SourceId(1), at, at + 1);
            Task::call(vec![Task::symbol("f"), Task::key(key(names)).with_span(span)]).with_span(span)
        };
        let tasks = [
            (key("x"), task("y", 10)),
            (key("y"), task("z", 20)),
            (key("z"), task("x", 30)),
            (key("total"), task("x", 40)),
        ];
        let dependencies: Lists = [vec![1], vec![2], vec![0], vec![0]].into_iter().collect();
        let error = error(&tasks, &dependencies);
        assert_eq!(error.message(), "the graph has a cycle: x -> y -> z -> x");
        let labels: Vec<&str> = error.labels().iter().map(|l| l.text.as_str()).collect();
        assert_eq!(labels, ["x needs y", "y needs z", "z needs x, which closes the cycle"]);
        assert_eq!(
            error.help_lines(),
            [
                "A graph must be acyclic: give one of `x`, `y`, `z` a starting value.",
                "`total` is sound; it only depends on the cycle."
            ]
        );
    }
}
