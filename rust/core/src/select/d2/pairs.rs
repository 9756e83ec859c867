//! What the law is told of: rows, and how far any two are from each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::order::DrawOrder;
use super::weights::{Proposal, Weights};
use crate::matrix::MatrixView;
use crate::metric;

/// Rows, and the squared distance of any two.
pub(in super::super) trait Pairs: Sync {
    /// How many rows there are.
    fn rows(&self) -> usize;

    /// The squared distance of two rows in canonical arithmetic: finite, never below 0, and 0 where they are equal; the
    /// same both ways.
    fn distance(&self, row: u32, other: u32) -> f32;
}

/// The rows of a matrix.
#[derive(Clone, Copy)]
pub(super) struct OfRows<'a>(pub(super) MatrixView<'a>);

impl Pairs for OfRows<'_> {
    fn rows(&self) -> usize {
        self.0.len()
    }

    fn distance(&self, row: u32, other: u32) -> f32 {
        let rows = self.0.rows;
        metric::squared_distance(self.0.simd, rows.row(row as usize), rows.row(other as usize))
    }
}

/// The members of the set that the weights do not cover yet, in order, and how rows are compared with them.
pub(super) trait Uncovered: Sync {
    /// Takes a member.
    fn push(&mut self, row: u32);

    /// Forgets all members: the weights cover them.
    fn clear(&mut self);

    /// How many members there are.
    fn len(&self) -> usize;

    /// The distance of a row to the member at a place.
    fn distance(&self, row: u32, place: usize) -> f32;

    /// Lowers the weights of the places from `first` on to the keys of their rows; a weight of 0 cannot be lowered.
    fn lower(&self, order: &DrawOrder<'_>, first: usize, weights: &mut [f32]);

    /// The keys of the proposed rows, where they are above the limits.
    fn keys(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>>;

    /// How many pairs of rows `lower` and `keys` have compared.
    fn compared(&self) -> u64;
}

/// Members that rows are compared with one by one.
pub(super) struct OneByOne<'a, P> {
    pairs: &'a P,
    members: Vec<u32>,
    compared: AtomicU64,
}

impl<'a, P: Pairs> OneByOne<'a, P> {
    /// None yet.
    pub(super) fn new(pairs: &'a P) -> Self {
        Self { pairs, members: Vec::new(), compared: AtomicU64::new(0) }
    }

    /// The key of a row whose weight is `weight`, or that of its first members where it is not above `limit`; and how
    /// many members were compared.
    fn key(&self, row: u32, weight: f32, limit: f64) -> (f32, u64) {
        let mut key = weight;
        for (compared, &member) in (0..).zip(&self.members) {
            if f64::from(key) <= limit {
                return (key, compared);
            }
            key = key.min(self.pairs.distance(row, member));
        }
        (key, self.members.len() as u64)
    }
}

impl<P: Pairs> Uncovered for OneByOne<'_, P> {
    fn push(&mut self, row: u32) {
        self.members.push(row);
    }

    fn clear(&mut self) {
        self.members.clear();
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    fn distance(&self, row: u32, place: usize) -> f32 {
        self.pairs.distance(row, self.members[place])
    }

    fn lower(&self, order: &DrawOrder<'_>, first: usize, weights: &mut [f32]) {
        let mut compared = 0;
        for (place, weight) in (first..).zip(weights) {
            let (key, count) = self.key(order.row(place), *weight, 0.0);
            *weight = key;
            compared += count;
        }
        self.compared.fetch_add(compared, Relaxed);
    }

    fn keys(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>> {
        let mut compared = 0;
        let found = proposals.iter().map(|&Proposal { row, limit }| {
            let (key, count) = self.key(row, weights.of(row), limit);
            compared += count;
            Some(key).filter(|&key| f64::from(key) > limit)
        });
        let found = found.collect();
        self.compared.fetch_add(compared, Relaxed);
        found
    }

    fn compared(&self) -> u64 {
        self.compared.load(Relaxed)
    }
}
