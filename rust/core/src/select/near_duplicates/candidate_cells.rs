//! Which rows a row is compared with: those in the cells nearest to it.

use super::super::similarities::{Cells, probed_cells};
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// The cell of each row, and the cells that it probes; without cells all rows lie in one.
pub(super) struct CandidateCells {
    /// The cells that row `r` probes are `probed[r * probe..][..probe]`, its own first; empty without cells.
    probed: Vec<u32>,
    probe: usize,
}

impl CandidateCells {
    pub(super) fn new(
        matrix: MatrixView<'_>,
        cells: Option<Cells<'_>>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let (probed, probe) =
            cells.map_or(Ok((Vec::new(), 0)), |cells| probed_cells(matrix, cells, control))?;
        Ok(Self { probed, probe })
    }

    /// Whether rows are compared with all others.
    pub(super) fn admit_all(&self) -> bool {
        self.probe == 0
    }

    /// The cells that a row probes.
    pub(super) fn of(&self, row: usize) -> &[u32] {
        if self.admit_all() { &[0] } else { &self.probed[row * self.probe..][..self.probe] }
    }

    /// The cell in which a row lies.
    pub(super) fn own(&self, row: usize) -> u32 {
        self.of(row)[0]
    }

    /// Whether a row is compared with another.
    pub(super) fn admit(&self, row: usize, other: usize) -> bool {
        self.of(row).contains(&self.own(other))
    }
}
