//! Coverage where the similarities themselves are held: the definition.

use super::super::Objective;
use super::super::similarities::Similarities;
use crate::Error;

/// Where a client's coverage starts, as a share of the similarity of its last neighbour.
///
/// What a client gains below that similarity is the same for all its neighbours and unknown for the others,
/// so counting from 0 would favour rows with many neighbours over rows with near ones.
const FLOOR: f32 = 0.9;

/// How well each client is represented.
pub(super) struct Coverage {
    similarities: Similarities,
    /// The best similarity of each client to the set.
    cover: Vec<f32>,
}

impl Coverage {
    pub(super) fn new(similarities: Similarities) -> Result<Self, Error> {
        let mut cover = similarities.last()?;
        cover.iter_mut().for_each(|last| *last *= FLOOR);
        Ok(Self { similarities, cover })
    }

    /// With what the set covers already.
    pub(super) fn with(similarities: Similarities, cover: Vec<f32>) -> Self {
        Self { similarities, cover }
    }
}

impl Objective for Coverage {
    fn rows(&self) -> usize {
        self.similarities.rows()
    }

    fn gain(&self, row: usize) -> f64 {
        self.similarities.above(row, &self.cover)
    }

    fn commit(&mut self, row: usize) {
        self.similarities.update(row, &mut self.cover, |cover, similarity| *cover = cover.max(similarity));
    }
}
