//! On which row each node stands. What leads to it stands on rows beneath; an edge that passes rows has a bend on each of them.
//!
//! ```text
//! row 2    z          z takes y, and x by way of a bend
//! row 1    y   ·
//! row 0      x
//! ```

use crate::optimize::Lists;

/// The rows of a connected graph. Numbers from that of the last node on are bends.
pub struct Ranks {
    /// From below, each from left to right.
    pub rows: Vec<Vec<u32>>,
    /// Of each node and bend, what leads to it from the row beneath.
    pub below: Lists,
    /// And to what it leads on the row above.
    pub above: Lists,
    /// Edges that pass rows without a bend, as there would be too many.
    pub straight: Vec<(u32, u32)>,
}

/// Bends that make a drawing no better, as nobody could follow their lines.
const MOST_BENDS: usize = 20_000;

impl Ranks {
    /// The rows for nodes that take inputs, none of them in a circle.
    pub fn of(inputs: &Lists) -> Ranks {
        let users = inputs.reversed();
        let level = levels(inputs, &users);
        let longest = longest_bent(&level, &users);
        let mut rows = vec![Vec::new(); level.iter().map(|&l| l as usize + 1).max().unwrap_or(0)];
        let mut above: Vec<Vec<u32>> = vec![Vec::new(); inputs.len()];
        let mut straight = Vec::new();
        for node in 0..inputs.len() as u32 {
            let own = level[node as usize];
            rows[own as usize].push(node);
            let mut to: Vec<(u32, u32)> = users.get(node).iter().map(|&user| (level[user as usize], user)).collect();
            to.sort_unstable();
            let near = to.partition_point(|(level, _)| level - own <= longest);
            straight.extend(to.drain(near..).map(|(_, user)| (node, user)));
            // All edges of a node share their bends, up to where they part.
            let mut from = node;
            let mut row = own + 1;
            for (level, user) in to {
                while row < level {
                    let bend = above.len() as u32;
                    above.push(Vec::new());
                    above[from as usize].push(bend);
                    rows[row as usize].push(bend);
                    (from, row) = (bend, row + 1);
                }
                above[from as usize].push(user);
            }
        }
        let above: Lists = above.into_iter().collect();
        Ranks { rows, below: above.reversed(), above, straight }
    }
}

/// The row of each node: the longest way to it, but one that takes no more than it gives stands next to what it is taken by.
fn levels(inputs: &Lists, users: &Lists) -> Vec<u32> {
    let mut waiting: Vec<usize> = inputs.iter().map(<[u32]>::len).collect();
    let mut level = vec![0; inputs.len()];
    let mut sorted: Vec<u32> = (0..inputs.len() as u32).filter(|&node| waiting[node as usize] == 0).collect();
    let mut at = 0;
    while let Some(&node) = sorted.get(at) {
        at += 1;
        for &user in users.get(node) {
            level[user as usize] = level[user as usize].max(level[node as usize] + 1);
            waiting[user as usize] -= 1;
            if waiting[user as usize] == 0 {
                sorted.push(user);
            }
        }
    }
    for &node in sorted.iter().rev() {
        let users = users.get(node);
        if let Some(next) = users.iter().map(|&user| level[user as usize]).min()
            && inputs.get(node).len() <= users.len()
        {
            level[node as usize] = next - 1;
        }
    }
    level
}

/// The most rows that an edge may go up with bends where it passes some, so that there are not too many.
fn longest_bent(level: &[u32], users: &Lists) -> u32 {
    let mut longest = level.iter().copied().max().unwrap_or(0);
    loop {
        let bends = |(node, users): (usize, &[u32])| {
            let rows = users.iter().map(|&user| level[user as usize] - level[node]);
            rows.filter(|&rows| rows <= longest).max().map_or(0, |rows| rows as usize - 1)
        };
        if users.iter().enumerate().map(bends).sum::<usize>() <= MOST_BENDS {
            return longest;
        }
        longest /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_bends_on_every_row_it_passes() {
        // 0 → 1 → 2 → 3, 0 → 2, 0 → 3: both long edges share the bend beside 1.
        let inputs: Lists = [vec![], vec![0], vec![0, 1], vec![0, 2]].into_iter().collect();
        let ranks = Ranks::of(&inputs);
        assert_eq!(ranks.rows, [vec![0], vec![4, 1], vec![5, 2], vec![3]]);
        assert_eq!(ranks.above.get(4), [2, 5]);
        assert_eq!(ranks.below.get(3), [2, 5]);
    }

    #[test]
    fn what_takes_nothing_stands_next_to_what_takes_it() {
        // 0 → 1 → 2 → 4, 3 → 4
        let inputs: Lists = [vec![], vec![0], vec![1], vec![], vec![2, 3]].into_iter().collect();
        assert_eq!(levels(&inputs, &inputs.reversed()), [0, 1, 2, 2, 3]);
    }

    #[test]
    fn lines_that_nobody_could_follow_have_no_bends() {
        // A chain whose end takes all of it.
        let n = 1000u32;
        let mut inputs: Vec<Vec<u32>> = (0..n).map(|at| at.checked_sub(1).into_iter().collect()).collect();
        inputs.push((0..n).collect());
        let ranks = Ranks::of(&inputs.into_iter().collect());
        assert!(ranks.above.len() <= n as usize + 1 + MOST_BENDS);
        assert!(ranks.straight.len() > 500);
    }
}
