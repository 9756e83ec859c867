//! The order of the edges of a row.

use std::cmp::Ordering;

use super::super::edges::Edge;

/// A neighbour, the nearest first: (similarity descending, row ascending).
#[derive(Debug, Clone, Copy)]
pub(super) struct NearestFirst(pub(super) Edge);

impl Ord for NearestFirst {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.similarity.total_cmp(&self.0.similarity).then(self.0.client.cmp(&other.0.client))
    }
}

impl PartialOrd for NearestFirst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for NearestFirst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for NearestFirst {}
