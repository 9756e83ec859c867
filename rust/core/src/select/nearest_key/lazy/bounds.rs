//! Upper bounds on the keys of rows, and how rows that may be picked compare.

use super::super::super::rank;
use super::super::NearestKey;

pub(super) type Rank = rank::Rank<f64>;

/// The bound of a row, and of which members it is the bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowBound {
    /// At least the distance to the nearest of the first `covered` members; below every distance once the row is a
    /// member or excluded.
    pub(super) bound: f32,
    pub(super) covered: u32,
    /// The distance to the nearest of the first `exact` members.
    pub(super) nearest: f32,
    pub(super) exact: u32,
    /// How many of the members near its region the bound covers, beside the first `covered` of all.
    pub(super) covered_near: u32,
}

impl RowBound {
    pub(super) const INITIAL: Self =
        Self { bound: f32::MAX, covered: 0, nearest: f32::INFINITY, exact: 0, covered_near: 0 };

    pub(super) fn is_candidate(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }
}

/// The rank of a row that is at this distance from the set, or at most that.
pub(super) fn rank(keys: &impl NearestKey, row: u32, bound: f32) -> Rank {
    let key = if bound == f32::MAX {
        // There is no bound yet.
        f64::MAX
    } else if bound == f32::NEG_INFINITY {
        f64::NEG_INFINITY
    } else {
        keys.key(row, bound)
    };
    Rank { key, row }
}

/// A row of the working set.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkingRow {
    pub(super) rank: Rank,
    /// Its distance to the nearest member, or at least that.
    pub(super) bound: f32,
}

impl WorkingRow {
    pub(super) fn new(keys: &impl NearestKey, row: u32, bound: f32) -> Self {
        Self { rank: rank(keys, row, bound), bound }
    }

    pub(super) fn row(self) -> u32 {
        self.rank.row
    }

    pub(super) fn set(&mut self, keys: &impl NearestKey, bound: f32) {
        *self = Self::new(keys, self.row(), bound);
    }

    /// Below every row that may be picked.
    pub(super) fn close(&mut self) {
        (self.bound, self.rank.key) = (f32::NEG_INFINITY, f64::NEG_INFINITY);
    }

    pub(super) fn is_candidate(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }
}
