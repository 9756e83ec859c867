//! The order in which the searches with stale bounds pick.

use std::cmp::Ordering;

/// A number with a total order; keys hold no -0, which it would tell from +0.
pub(super) trait Key: Copy {
    /// The order of the numbers.
    fn order(self, other: Self) -> Ordering;
}

impl Key for f32 {
    fn order(self, other: Self) -> Ordering {
        self.total_cmp(&other)
    }
}

impl Key for f64 {
    fn order(self, other: Self) -> Ordering {
        self.total_cmp(&other)
    }
}

/// A row with its key or a bound on it; the greater is picked first: (key descending, row ascending).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rank<K> {
    pub(super) key: K,
    pub(super) row: u32,
}

impl<K: Key> Ord for Rank<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.order(other.key).then(other.row.cmp(&self.row))
    }
}

impl<K: Key> PartialOrd for Rank<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Key> PartialEq for Rank<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Key> Eq for Rank<K> {}
