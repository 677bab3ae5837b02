//! The static order: one order of all tasks in which few results are held at a time.

use super::Lists;

/// The tasks in the order in which they should run: each after all it depends on.
///
/// `None` when the graph has a cycle.
pub fn order(dependencies: &Lists, dependents: &Lists) -> Option<Vec<u32>> {
    let n = dependencies.len();
    let mut order = Vec::with_capacity(n);
    let mut state = vec![0u8; n];
    let mut stack: Vec<(u32, u32)> = Vec::new();
    let sinks = (0..n as u32).filter(|&t| dependents.get(t).is_empty());
    for sink in sinks {
        if state[sink as usize] == 0 {
            stack.push((sink, 0));
            state[sink as usize] = 1;
        }
        while let Some((task, at)) = stack.last_mut() {
            match dependencies.get(*task).get(*at as usize) {
                None => {
                    state[*task as usize] = 2;
                    order.push(*task);
                    stack.pop();
                }
                Some(&next) => {
                    *at += 1;
                    match state[next as usize] {
                        0 => {
                            state[next as usize] = 1;
                            stack.push((next, 0));
                        }
                        1 => return None,
                        _ => {}
                    }
                }
            }
        }
    }
    (order.len() == n).then_some(order)
}
