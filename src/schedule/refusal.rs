//! Plans that cannot be run with the memory there is are refused before anything runs, with the blocks that would do.
//!
//! What tasks take with smaller blocks is worked out as it was with these ([`super::weigh`]), so that what does not shrink with
//! the blocks, as what kernels need for themselves, is counted as it is.

use super::Plan;
use super::outlook::Outlook;
use super::weigh::Loads;
use crate::err;
use crate::text::{Bytes, Error, Result};
use smallvec::SmallVec;

/// The loads of the same tasks if every block had that part of its elements.
pub type Smaller<'a> = &'a dyn Fn(f64) -> Result<Loads>;

/// # Errors
/// `dsk::memory` where a task does not fit even alone, or what is wanted of the run does not.
pub fn check(plan: &Plan, keep: &[u32], outlook: &Outlook, smaller: Smaller) -> Result<()> {
    if let Some(task) = largest(plan, &outlook.loads)
        && task.bytes() > outlook.limit
    {
        return Err(too_large(plan, &task, outlook, smaller));
    }
    let wanted = wanted(keep, &outlook.loads);
    if wanted > outlook.limit {
        let (wanted, limit) = (Bytes(wanted), Bytes(outlook.limit));
        return Err(err!(Memory, "the results take {wanted}, and {limit} are left of the memory limit")
            .help("`store` writes a result block by block; `:memory-limit` raises the limit"));
    }
    Ok(())
}

/// Bytes with less than which a plan is refused.
pub fn least(plan: &Plan, keep: &[u32], loads: &Loads) -> usize {
    largest(plan, loads).map_or(0, |task| task.bytes()).max(wanted(keep, loads))
}

/// What a task needs to have in memory.
struct Needs {
    id: u32,
    /// Bytes of the results that it takes.
    inputs: usize,
    /// Bytes that it takes besides.
    out: usize,
}

impl Needs {
    fn of(plan: &Plan, loads: &Loads, id: u32) -> Needs {
        let mut inputs: SmallVec<[u32; 16]> = plan.dependencies.get(id).into();
        inputs.sort_unstable();
        inputs.dedup();
        Needs { id, inputs: inputs.iter().map(|&d| loads.get(d).result).sum(), out: loads.get(id).takes() }
    }

    fn bytes(&self) -> usize {
        self.inputs + self.out
    }
}

/// The task that needs the most.
fn largest(plan: &Plan, loads: &Loads) -> Option<Needs> {
    (0..plan.len() as u32).map(|id| Needs::of(plan, loads, id)).max_by_key(Needs::bytes)
}

/// Bytes of the results that stay until the run is over.
fn wanted(keep: &[u32], loads: &Loads) -> usize {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    keep.dedup();
    keep.iter().map(|&id| loads.get(id).result).sum()
}

fn too_large(plan: &Plan, task: &Needs, outlook: &Outlook, smaller: Smaller) -> Error {
    let &Needs { id, inputs, out } = task;
    let (key, limit) = (plan.key(id).quoted(), Bytes(outlook.limit));
    let parts = match (inputs, out) {
        (0, _) | (_, 0) => String::new(),
        (inputs, out) => format!(" ({} made of {})", Bytes(out), Bytes(inputs)),
    };
    let takes = Bytes(task.bytes());
    let error = err!(Memory, "the task {key} takes {takes} at a time{parts}, and {limit} are left of the memory limit");
    // A lazy call is given arrays as a whole, in however many blocks they are.
    let is_call = plan.layers[plan.tasks[id as usize].layer as usize].blocks.is_none();
    if is_call && plan.dependencies.get(id).len() > 1 && inputs > outlook.limit {
        return error
            .help("the call takes all of that at once: ops on lazy arrays, and `map-blocks`, go block by block")
            .help("`:memory-limit` raises the limit")
            .at(plan.span(id));
    }
    let elements = |shape: &[usize]| shape.iter().product::<usize>();
    let shapes = |id: &u32| [plan.shape(*id), Some(outlook.loads.get(*id).largest.to_vec())].into_iter().flatten();
    let all = plan.dependencies.get(id).iter().chain([&id]);
    let largest = all.flat_map(shapes).max_by_key(|shape| elements(shape)).unwrap_or_default();
    let share = match fitting(plan, task, outlook.limit, smaller) {
        Ok(share) => share,
        Err(interrupted) => return interrupted,
    };
    // Where what is made first is in blocks as small as that, something else puts them together.
    let made = plan.roots.iter().flat_map(shapes).map(|shape| elements(&shape)).max().unwrap_or(0);
    let error = match share.and_then(|share| shrunk(&largest, share)) {
        Some(sides) => {
            let put_together = made <= elements(&sides);
            let sides = sides.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
            if put_together {
                return error
                    .help(format!(
                        "it puts smaller blocks together: where `rechunk` asks for that, [{sides}] would fit"
                    ))
                    .help("for an op that needs a whole array, as factorizations do, `:memory-limit` raises the limit")
                    .at(plan.span(id));
            }
            // What is made in large blocks is made before it can be cut.
            let roots = plan.roots.iter().map(|&id| outlook.loads.get(id).takes()).max().unwrap_or(0);
            let cut =
                if roots <= outlook.limit / 2 { format!(", or by `(rechunk x [{sides}])`") } else { String::new() };
            error.help(format!("blocks of [{sides}] would fit: say so by `:chunks` where the array is made{cut}"))
        }
        None => error.help("`:memory-limit` raises the limit; smaller blocks would not do"),
    };
    let error = match outlook.scratch {
        0 => error,
        scratch => {
            error.help(format!("{} of it are kept for encoding and decoding the file's storage chunks", Bytes(scratch)))
        }
    };
    error.at(plan.span(id))
}

/// The sides of a block with at most that part of its elements; `None` where it has no sides to shrink. The longest get shorter
/// first, down to the length of the others: blocks that are alike in all directions fit those of other arrays, and of their
/// transposes.
fn shrunk(shape: &[usize], share: f64) -> Option<Vec<usize>> {
    let elements = |longest: usize| shape.iter().map(|&n| n.min(longest) as f64).product::<f64>();
    let longest = shape.iter().copied().max().filter(|&n| n > 1)?;
    let most = elements(longest) * share;
    // The first length that is too long.
    let (mut fits, mut too_long) = (0, longest);
    while too_long - fits > 1 {
        let middle = (fits + too_long) / 2;
        match elements(middle) <= most {
            true => fits = middle,
            false => too_long = middle,
        }
    }
    Some(shape.iter().map(|&n| n.min(fits.max(1))).collect())
}

/// The part of their elements that blocks may have for every task to fit, if there is one. Half of what would fit exactly: of more
/// blocks come tasks that there were none of, to sum up products or to join parts of neighbours, and one task at a time is slow.
fn fitting(plan: &Plan, task: &Needs, limit: usize, smaller: Smaller) -> Result<Option<f64>> {
    const LEAST: f64 = 1e-9;
    let needed = |share: f64| Ok(largest(plan, &smaller(share)?).map_or(0, |task| task.bytes()));
    let (mut share, mut bytes) = (1.0, task.bytes());
    if needed(LEAST)? > limit {
        return Ok(None);
    }
    while bytes > limit {
        share *= (limit as f64 / bytes as f64).min(0.95);
        bytes = needed(share)?;
    }
    Ok(Some(share / 2.0))
}

#[cfg(test)]
mod tests {
    use super::shrunk;

    #[test]
    fn the_longest_sides_shrink_first() {
        assert_eq!(shrunk(&[400, 600], 1.0 / 6.0), Some(vec![200, 200]));
        assert_eq!(shrunk(&[400, 600], 0.9), Some(vec![400, 540]));
        assert_eq!(shrunk(&[1, 1_000_000], 0.25), Some(vec![1, 250_000]));
        assert_eq!(shrunk(&[10, 500, 800], 0.1), Some(vec![10, 200, 200]));
        assert_eq!(shrunk(&[8, 8], 1e-9), Some(vec![1, 1]));
        assert_eq!((shrunk(&[1, 1], 0.5), shrunk(&[], 0.5)), (None, None));
    }
}
