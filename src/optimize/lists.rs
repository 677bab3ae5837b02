//! Many short lists of numbers in two arrays: how edges of a dense graph are kept.

/// List `i` is `items[starts[i]..starts[i + 1]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Default for Lists {
    fn default() -> Self {
        Lists { starts: vec![0], items: Vec::new() }
    }
}

impl Lists {
    pub fn with_capacity(lists: usize) -> Self {
        let mut starts = Vec::with_capacity(lists + 1);
        starts.push(0);
        Lists { starts, items: Vec::with_capacity(lists) }
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of items in all lists.
    pub fn total(&self) -> usize {
        self.items.len()
    }

    pub fn get(&self, list: u32) -> &[u32] {
        &self.items[self.starts[list as usize] as usize..self.starts[list as usize + 1] as usize]
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> + DoubleEndedIterator {
        self.starts.windows(2).map(|w| &self.items[w[0] as usize..w[1] as usize])
    }

    /// Adds an item to the list that [`Lists::end_list`] will end.
    pub fn push(&mut self, item: u32) {
        self.items.push(item);
    }

    /// The list that is being made.
    pub fn open_list(&self) -> &[u32] {
        &self.items[self.starts[self.len()] as usize..]
    }

    pub fn end_list(&mut self) {
        self.starts.push(self.items.len() as u32);
    }

    /// The same edges seen from the other end: list `j` of the answer holds every `i` whose list holds `j`, ascending.
    pub fn reversed(&self) -> Lists {
        let mut starts = vec![0u32; self.len() + 1];
        for &item in &self.items {
            starts[item as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0; self.items.len()];
        for (from, list) in self.iter().enumerate() {
            for &to in list {
                items[next[to as usize] as usize] = from as u32;
                next[to as usize] += 1;
            }
        }
        Lists { starts, items }
    }

    /// The lists in another order, items renamed: list `i` of the answer is list `order[i]`, in which `x` is `rank[x]`.
    pub fn permuted(&self, order: &[u32], rank: &[u32]) -> Lists {
        let mut lists =
            Lists { starts: Vec::with_capacity(self.starts.len()), items: Vec::with_capacity(self.total()) };
        lists.starts.push(0);
        for &from in order {
            lists.items.extend(self.get(from).iter().map(|&x| rank[x as usize]));
            lists.end_list();
        }
        lists
    }
}

impl<T: AsRef<[u32]>> FromIterator<T> for Lists {
    fn from_iter<I: IntoIterator<Item = T>>(lists: I) -> Self {
        let mut all = Lists::default();
        for list in lists {
            all.items.extend_from_slice(list.as_ref());
            all.end_list();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_seen_from_the_other_end() {
        // 0 → 2 ← 1, 2 → 3
        let dependencies: Lists = [vec![], vec![], vec![0, 1], vec![2]].into_iter().collect();
        let dependents: Lists = [vec![2], vec![2], vec![3], vec![]].into_iter().collect();
        assert_eq!(dependencies.reversed(), dependents);
        let order = [1, 0, 2, 3];
        let renamed: Lists = [vec![], vec![], vec![1, 0], vec![2]].into_iter().collect();
        assert_eq!(dependencies.permuted(&order, &order), renamed);
    }
}
