//! Lists of keys of one length, sorted side by side.
//!
//! A network compares the same places whatever is in them, so that a step of it serves as many lists as there are beside one
//! another, in vectors and without a branch. This is Batcher's odd-even merge sort: K. E. Batcher, "Sorting networks and their
//! applications", 1968.

use multiversion::multiversion;

/// Sorts each of so many lists: `rows` has the first key of each, then the second ones, and so on.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn sort<const LISTS: usize>(rows: &mut [u64]) {
    let count = rows.len() / LISTS;
    // Sorted runs become runs of twice as many rows, as soon as there are two of a length: what was merged last is at hand then.
    for end in (2..=count.next_power_of_two()).step_by(2) {
        let mut run = 1;
        while end % (2 * run) == 0 {
            let first = end - 2 * run;
            if first + run < count {
                merge(&mut rows[first * LISTS..end.min(count) * LISTS], run * LISTS, LISTS);
            }
            run *= 2;
        }
    }
}

/// Merges two sorted runs, the first one of so many keys, the second one of as many or fewer. `least` keys are one row.
#[inline(always)]
fn merge(keys: &mut [u64], run: usize, least: usize) {
    let mut apart = run;
    while apart >= least {
        let mut start = apart % run;
        while start + apart < keys.len() {
            let (low, high) = keys[start..].split_at_mut(apart);
            for (low, high) in low.iter_mut().zip(high) {
                (*low, *high) = (*low.min(high), *low.max(high));
            }
            start += 2 * apart;
        }
        apart /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::sort;

    /// A network that sorts all lists of zeros and ones sorts all lists (Knuth, The Art of Computer Programming, 5.3.4): here all of
    /// up to ten keys, and some longer ones.
    #[test]
    fn lists_of_any_order_are_sorted() {
        for len in (0..=10).chain([16, 31, 32, 33, 100]) {
            for bits in 0..1u64 << len.min(10) {
                let key = |at: usize, list: usize| {
                    (bits.wrapping_mul(1 + ((at / 10 + 32 * list) as u64 * 0x9e37)) >> (at % 10)) & 1
                };
                let mut rows: Vec<u64> = (0..len).flat_map(|at| (0..4).map(move |list| key(at, list))).collect();
                let ones =
                    |rows: &[u64]| (0..4).map(|list| rows.iter().skip(list).step_by(4).sum()).collect::<Vec<u64>>();
                let before = ones(&rows);
                sort::<4>(&mut rows);
                assert!(rows.windows(5).all(|w| w[0] <= w[4]), "{len} {bits:b}");
                assert_eq!(ones(&rows), before);
            }
        }
    }
}
