//! The cheapest open rows of a group, as many as it needs.

/// Costs and numbers of rows, ascending: what has been taken out stays until all behind it is gone, since a selection may
/// need hundreds of thousands of rows of one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserve {
    rows: Vec<(u64, usize)>,
    gone: Vec<bool>,
}

impl Reserve {
    /// The `need` cheapest of these rows, the lowest of equal ones.
    pub(super) fn of(mut rows: Vec<(u64, usize)>, need: usize) -> Self {
        rows.sort_unstable();
        rows.truncate(need);
        let gone = vec![false; rows.len()];
        Self { rows, gone }
    }

    /// What all rows cost.
    pub(super) fn cost(&self) -> u64 {
        let left = self.rows.iter().zip(&self.gone).filter(|&(_, &gone)| !gone);
        left.map(|(&(cost, _), _)| cost).fold(0, u64::saturating_add)
    }

    /// The cost of the dearest row; none where there is no row.
    #[inline]
    pub(super) fn dearest(&self) -> Option<u64> {
        self.rows.last().map(|&(cost, _)| cost)
    }

    /// Takes a row out that is picked, or the dearest, for which another stands; returns what it costs.
    pub(super) fn take(&mut self, cost: u64, row: usize) -> Option<u64> {
        let at = self.rows.binary_search(&(cost, row)).ok().or(self.rows.len().checked_sub(1))?;
        let cost = self.rows[at].0;
        self.gone[at] = true;
        while self.gone.last() == Some(&true) {
            self.gone.pop();
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
            let mut open: Vec<(u64, usize)> = costs.iter().copied().zip(0..).collect();
            let mut reserve = Reserve::of(open.clone(), need);
            open.sort_unstable();
            let mut kept = open[..need.min(open.len())].to_vec();
            for pick in picks {
                prop_assert_eq!(reserve.cost(), kept.iter().map(|&(cost, _)| cost).sum::<u64>());
                prop_assert_eq!(reserve.dearest(), kept.last().map(|&(cost, _)| cost));
                if open.is_empty() {
                    break;
                }
                let picked = open.remove(pick.index(open.len()));
                let stood_for = kept.iter().position(|&held| held == picked).map(|at| kept.remove(at));
                let freed = stood_for.or_else(|| kept.pop()).map(|(cost, _)| cost);
                prop_assert_eq!(reserve.take(picked.0, picked.1), freed);
            }
        }
    }
}
