//! Results of which little is made, as partial sums are of a block.
//!
//! An order counts results and knows of no sizes: three reductions make three results of one block, and where their number
//! matters it is better to hold the block. So a result goes with its users where these take nothing else and leave less than it
//! takes: they become one task of the graph that is put in order, and the result is gone when that is done.
//!
//! ```text
//!   x ── (sum x) ── …           (x (sum x) (std x) (max x)) ── …
//!   ├─── (std x) ── …    →                                  ├─ …
//!   └─── (max x) ── …                                       └─ …
//! ```

use super::super::Lists;

/// The order that `order` finds, with users that leave little right after the result that they take. A task's result has so
/// many bytes, 0 where that is not known.
pub fn with_followers(
    dependencies: &Lists,
    dependents: &Lists,
    bytes: &dyn Fn(u32) -> usize,
    order: impl FnOnce(&Lists, &Lists) -> Option<Vec<u32>>,
) -> Option<Vec<u32>> {
    let tasks = 0..dependencies.len() as u32;
    // The task that each goes with, itself for most; only those go with others that lead none.
    let mut leader: Vec<u32> = tasks.clone().collect();
    let mut leads = vec![false; dependencies.len()];
    for task in tasks.clone() {
        let users = dependents.get(task);
        if users.len() < 2 || leader[task as usize] != task {
            continue;
        }
        let alone = |&user: &u32| !leads[user as usize] && dependencies.get(user).iter().all(|&d| d == task);
        let left = users.iter().map(|&user| bytes(user)).fold(0, usize::saturating_add);
        if left < bytes(task) && users.iter().all(alone) {
            users.iter().for_each(|&user| leader[user as usize] = task);
            leads[task as usize] = true;
        }
    }
    if !leads.contains(&true) {
        return order(dependencies, dependents);
    }
    let leaders: Vec<u32> = tasks.filter(|&task| leader[task as usize] == task).collect();
    let mut number = vec![0; dependencies.len()];
    leaders.iter().zip(0..).for_each(|(&task, n)| number[task as usize] = n);
    let mut together = Lists::with_capacity(leaders.len());
    for &task in &leaders {
        // Followers take their leader's result only.
        let mut needs: Vec<u32> = dependencies.get(task).iter().map(|&d| number[leader[d as usize] as usize]).collect();
        needs.sort_unstable();
        needs.dedup();
        needs.into_iter().for_each(|n| together.push(n));
        together.end_list();
    }
    let found = order(&together, &together.reversed())?;
    let mut whole = Vec::with_capacity(dependencies.len());
    for n in found {
        let task = leaders[n as usize];
        whole.push(task);
        if leads[task as usize] {
            let first = whole.len();
            whole.extend_from_slice(dependents.get(task));
            whole[first..].sort_unstable();
            whole.dedup();
        }
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes that results hold at a time.
    fn most_bytes(dependencies: &Lists, dependents: &Lists, bytes: &dyn Fn(u32) -> usize, order: &[u32]) -> usize {
        let mut left: Vec<usize> = dependents.iter().map(<[u32]>::len).collect();
        let (mut held, mut most) = (0, 0);
        for &task in order {
            most = most.max(held + bytes(task));
            held += if left[task as usize] > 0 { bytes(task) } else { 0 };
            for &d in dependencies.get(task) {
                left[d as usize] -= 1;
                held -= if left[d as usize] == 0 { bytes(d) } else { 0 };
            }
        }
        most
    }

    /// Blocks of 8 rows by 8 columns; of each the sum, the square and the largest, which are added along columns, along rows, and all.
    #[test]
    fn a_block_is_gone_when_all_that_is_made_of_it_is_small() {
        let mut tasks: Vec<Vec<u32>> = vec![Vec::new(); 64];
        for _ in 0..3 {
            tasks.extend((0..64).map(|block| vec![block]));
        }
        tasks.extend((0..8).map(|column| (0..8).map(|row| 64 + row * 8 + column).collect()));
        tasks.extend((0..8).map(|row| (0..8).map(|column| 128 + row * 8 + column).collect()));
        tasks.push((192..256).collect());
        let dependencies: Lists = tasks.iter().collect();
        let dependents = dependencies.reversed();
        let bytes = |task: u32| if task < 64 { 10_000 } else { 10 };
        let found = with_followers(&dependencies, &dependents, &bytes, super::super::order).unwrap();
        let mut all = found.clone();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..tasks.len() as u32));
        let mut at = vec![0; tasks.len()];
        found.iter().enumerate().for_each(|(place, &task)| at[task as usize] = place);
        assert!((0..tasks.len()).all(|task| tasks[task].iter().all(|&d| at[d as usize] < at[task])));
        let most = most_bytes(&dependencies, &dependents, &bytes, &found);
        assert!(most < 2 * 10_000, "{most} bytes, {} by number", {
            most_bytes(&dependencies, &dependents, &bytes, &super::super::order(&dependencies, &dependents).unwrap())
        });
    }

    #[test]
    fn what_is_as_large_or_takes_more_does_not_follow() {
        let order = |bytes: &dyn Fn(u32) -> usize, tasks: &[&[u32]]| {
            let dependencies: Lists = tasks.iter().collect();
            let dependents = dependencies.reversed();
            let mut merged = tasks.len();
            let found = with_followers(&dependencies, &dependents, bytes, |before, after| {
                merged -= before.len();
                super::super::order(before, after)
            });
            (merged, found.unwrap().len())
        };
        // Users as large as what they take; one that takes something else too; unknown sizes; one that leads others itself.
        assert_eq!(order(&|_| 8, &[&[], &[0], &[0]]), (0, 3));
        assert_eq!(order(&|task| 8 >> task, &[&[], &[0], &[0, 1]]), (0, 3));
        assert_eq!(order(&|_| 0, &[&[], &[0], &[0]]), (0, 3));
        assert_eq!(order(&|task| 64 >> (2 * task), &[&[], &[0], &[0], &[1], &[1]]), (2, 5));
        assert_eq!(order(&|task| 64 >> (2 * task), &[&[], &[0], &[0]]), (2, 3));
    }
}
