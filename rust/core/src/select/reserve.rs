//! The cheapest candidates of a group, as many as it needs.

/// Costs and numbers of rows, ascending: a removed row stays, marked, until all behind it are removed, since a
/// selection may need hundreds of thousands of rows of one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserve {
    rows: Vec<(u64, usize)>,
    removed: Vec<bool>,
}

impl Reserve {
    /// The `need` cheapest of these rows, the lowest of equal ones.
    pub(super) fn of(mut rows: Vec<(u64, usize)>, need: usize) -> Self {
        rows.sort_unstable();
        rows.truncate(need);
        let removed = vec![false; rows.len()];
        Self { rows, removed }
    }

    /// What all rows cost.
    pub(super) fn cost(&self) -> u64 {
        let rows = self.rows.iter().zip(&self.removed).filter(|&(_, &removed)| !removed);
        rows.map(|(&(cost, _), _)| cost).fold(0, u64::saturating_add)
    }

    /// The cost of the most expensive row; none where there is no row.
    #[inline]
    pub(super) fn max_cost(&self) -> Option<u64> {
        self.rows.last().map(|&(cost, _)| cost)
    }

    /// Removes a row that is picked, or the most expensive one where the pick is another row; returns what it costs.
    pub(super) fn remove(&mut self, cost: u64, row: usize) -> Option<u64> {
        let at = self.rows.binary_search(&(cost, row)).ok().or(self.rows.len().checked_sub(1))?;
        let cost = self.rows[at].0;
        self.removed[at] = true;
        while self.removed.last() == Some(&true) {
            self.removed.pop();
            self.rows.pop();
        }
        Some(cost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_the_cheapest_rows(
            costs in prop::collection::vec(0u64..6, 0..30),
            need in 0usize..12,
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut rows: Vec<(u64, usize)> = costs.iter().copied().zip(0..).collect();
            let mut reserve = Reserve::of(rows.clone(), need);
            rows.sort_unstable();
            let mut reserved = rows[..need.min(rows.len())].to_vec();
            for pick in picks {
                prop_assert_eq!(reserve.cost(), reserved.iter().map(|&(cost, _)| cost).sum::<u64>());
                prop_assert_eq!(reserve.max_cost(), reserved.last().map(|&(cost, _)| cost));
                if rows.is_empty() {
                    break;
                }
                let picked = rows.remove(pick.index(rows.len()));
                let own = reserved.iter().position(|&row| row == picked).map(|at| reserved.remove(at));
                let freed = own.or_else(|| reserved.pop()).map(|(cost, _)| cost);
                prop_assert_eq!(reserve.remove(picked.0, picked.1), freed);
            }
        }
    }
}
