//! Rows as a caller has them: of some float type, in consecutive pieces of memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::check_width;
use crate::{Error, blocks};

/// Numbers that can be taken over as float32.
pub trait Element: Copy + Send + Sync {
    /// Writes `from` to `to`, of equal length; tells whether a finite number became infinite.
    fn convert(from: &[Self], to: &mut [f32]) -> bool;
}

impl Element for f32 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        to.copy_from_slice(from);
        false
    }
}

impl Element for f16 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        from.convert_to_f32_slice(to);
        false
    }
}

impl Element for f64 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        let mut overflow = false;
        for (narrow, &wide) in to.iter_mut().zip(from) {
            *narrow = wide as f32;
            overflow |= narrow.is_infinite() && wide.is_finite();
        }
        overflow
    }
}

/// Consecutive pieces of whole rows.
pub(super) struct Pieces<'a, E> {
    pieces: &'a [&'a [E]],
    /// The number of each piece's first row.
    starts: Vec<usize>,
    rows: usize,
    width: usize,
}

impl<'a, E> Pieces<'a, E> {
    /// Refuses rows without values, and pieces that end within a row.
    pub(super) fn new(pieces: &'a [&'a [E]], width: usize) -> Result<Self, Error> {
        check_width(0, width)?;
        let mut starts = Vec::with_capacity(pieces.len());
        let mut rows = 0usize;
        for piece in pieces {
            check_width(piece.len(), width)?;
            starts.push(rows);
            rows = rows.saturating_add(piece.len() / width);
        }
        blocks::check_countable(rows)?;
        Ok(Self { pieces, starts, rows, width })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.rows.saturating_mul(self.width)
    }

    /// One row.
    pub(super) fn row(&self, row: usize) -> &'a [E] {
        // The first piece starts at 0, and an empty one at the same row as the piece after it.
        let at = self.starts.partition_point(|&start| start <= row) - 1;
        &self.pieces[at][(row - self.starts[at]) * self.width..][..self.width]
    }
}
