//! Rows as a caller has them: of some float type, in consecutive chunks of memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::check_width;
use crate::{Error, blocks};

/// Numbers that can be taken over as float32.
pub trait Element: Copy + Send + Sync {
    /// Writes `from` to `to`, of equal length; returns whether a finite number became infinite.
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

/// Consecutive chunks of whole rows.
pub(super) struct Chunks<'a, E> {
    chunks: &'a [&'a [E]],
    /// The number of each chunk's first row.
    starts: Vec<usize>,
    rows: usize,
    width: usize,
}

impl<'a, E> Chunks<'a, E> {
    /// Refuses rows without values, and chunks that end within a row.
    pub(super) fn new(chunks: &'a [&'a [E]], width: usize) -> Result<Self, Error> {
        check_width(0, width)?;
        let mut starts = Vec::with_capacity(chunks.len());
        let mut rows = 0usize;
        for chunk in chunks {
            check_width(chunk.len(), width)?;
            starts.push(rows);
            rows = rows.saturating_add(chunk.len() / width);
        }
        blocks::check_countable(rows)?;
        Ok(Self { chunks, starts, rows, width })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.rows.saturating_mul(self.width)
    }

    /// One row.
    pub(super) fn row(&self, row: usize) -> &'a [E] {
        // The first chunk starts at 0, and an empty one at the same row as the chunk after it.
        let at = self.starts.partition_point(|&start| start <= row) - 1;
        &self.chunks[at][(row - self.starts[at]) * self.width..][..self.width]
    }
}
