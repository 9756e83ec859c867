//! Which rows a row is compared with.

use super::super::similarities::{Cells, near_cells};
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// The cell of each row, and the cells that it looks at; without cells all rows lie in one.
pub(super) struct Seen {
    /// The cells of row `r` are `near[r * probe..][..probe]`, its own first; empty without cells.
    near: Vec<u32>,
    probe: usize,
}

impl Seen {
    pub(super) fn new(
        matrix: MatrixView<'_>,
        cells: Option<Cells<'_>>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let (near, probe) = cells.map_or(Ok((Vec::new(), 0)), |cells| near_cells(matrix, cells, control))?;
        Ok(Self { near, probe })
    }

    /// Whether rows see all others.
    pub(super) fn all(&self) -> bool {
        self.probe == 0
    }

    /// The cells that a row looks at.
    pub(super) fn cells(&self, row: usize) -> &[u32] {
        if self.all() { &[0] } else { &self.near[row * self.probe..][..self.probe] }
    }

    /// The cell in which a row lies.
    pub(super) fn own(&self, row: usize) -> u32 {
        self.cells(row)[0]
    }

    /// Whether a row is compared with another.
    pub(super) fn sees(&self, row: usize, other: usize) -> bool {
        self.cells(row).contains(&self.own(other))
    }
}
