//! What is known of each row, and how rows that may be picked compare.

use super::super::super::rank;
use super::super::NearestKey;

pub(super) type Rank = rank::Rank<f64>;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// At least the distance to the nearest of the first `covered` rows of the set; below every distance once
    /// the row is in the set or excluded.
    pub(super) bound: f32,
    pub(super) covered: u32,
    /// The distance to the nearest of the first `exact` rows of the set.
    pub(super) nearest: f32,
    pub(super) exact: u32,
    /// How many of the set rows near its region the bound covers, beside the first `covered` of all.
    pub(super) near: u32,
}

impl Known {
    pub(super) const NOTHING: Self =
        Self { bound: f32::MAX, covered: 0, nearest: f32::INFINITY, exact: 0, near: 0 };

    pub(super) fn is_open(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }
}

/// The rank of a row that is at this distance from the set, or at most that.
pub(super) fn rank(keys: &impl NearestKey, row: u32, bound: f32) -> Rank {
    let key = if bound == f32::MAX {
        // Nothing is known yet.
        f64::MAX
    } else if bound == f32::NEG_INFINITY {
        f64::NEG_INFINITY
    } else {
        keys.key(row, bound)
    };
    Rank { key, row }
}

/// A row that may be picked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) rank: Rank,
    /// Its distance to the nearest row of the set, or at least that.
    pub(super) bound: f32,
}

impl Candidate {
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

    pub(super) fn is_open(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }
}
