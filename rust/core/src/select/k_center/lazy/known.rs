//! What is known of each row, and how rows that may be picked compare.

use super::super::super::rank;

pub(super) type Rank = rank::Rank<f64>;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// At least the squared distance to the nearest of the first `covered` rows of the set; below every distance once
    /// the row is in the set or excluded.
    pub(super) bound: f32,
    pub(super) covered: u32,
    /// The squared distance to the nearest of the first `exact` rows of the set.
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

/// What a squared distance is worth to a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worth<'a> {
    pub(super) weights: Option<&'a [f32]>,
}

impl Worth<'_> {
    /// The rank of a row at this squared distance from the set: exact, as float64 holds the product of two float32.
    pub(super) fn rank(self, row: u32, squared: f32) -> Rank {
        // Nothing is known yet, or the row is closed: no weight changes that.
        let open = squared < f32::MAX && squared > f32::NEG_INFINITY;
        let weight = self.weights.filter(|_| open).map_or(1.0, |weights| weights[row as usize]);
        Rank { key: f64::from(squared) * f64::from(weight), row }
    }
}

/// A row that may be picked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) rank: Rank,
    /// Its squared distance to the nearest row of the set, or at least that.
    pub(super) bound: f32,
}

impl Candidate {
    pub(super) fn new(worth: Worth<'_>, row: u32, bound: f32) -> Self {
        Self { rank: worth.rank(row, bound), bound }
    }

    pub(super) fn row(self) -> u32 {
        self.rank.row
    }

    pub(super) fn set(&mut self, worth: Worth<'_>, bound: f32) {
        *self = Self::new(worth, self.row(), bound);
    }

    /// Below every row that may be picked.
    pub(super) fn close(&mut self) {
        (self.bound, self.rank.key) = (f32::NEG_INFINITY, f64::NEG_INFINITY);
    }

    pub(super) fn is_open(&self) -> bool {
        self.bound > f32::NEG_INFINITY
    }
}
