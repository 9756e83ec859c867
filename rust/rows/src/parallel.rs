//! Work over the rows of batches, cut into pieces by the rows alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use rayon::prelude::*;
use sage_select_core::{Control, Error};

/// Rows of a piece.
pub(crate) const PIECE_ROWS: usize = 1024;

/// Some rows of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Which batch.
    pub(crate) batch: usize,
    /// Which of its rows.
    pub(crate) rows: Range<usize>,
    /// The number of the first of them among the rows of all batches.
    pub(crate) first: usize,
}

/// The pieces of batches, in order.
pub(crate) fn pieces(batches: &[RecordBatch]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut first = 0;
    for (batch, rows) in batches.iter().map(RecordBatch::num_rows).enumerate() {
        for start in (0..rows).step_by(PIECE_ROWS) {
            let rows = start..rows.min(start + PIECE_ROWS);
            let count = rows.len();
            pieces.push(Piece { batch, rows, first });
            first += count;
        }
    }
    pieces
}

/// What `work` makes of each piece, in order; `control` hears the finished rows.
///
/// # Errors
/// The error of the earliest piece, or what `control` stops with.
pub(crate) fn map<T: Send>(
    pieces: &[Piece],
    control: &impl Control,
    work: impl Fn(&Piece) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let total = pieces.iter().map(|piece| piece.rows.len() as u64).sum();
    let done = AtomicU64::new(0);
    let made: Vec<Result<T, Error>> = pieces
        .par_iter()
        .map(|piece| {
            let made = work(piece)?;
            let rows = piece.rows.len() as u64;
            control.tick(done.fetch_add(rows, Ordering::Relaxed) + rows, total)?;
            Ok(made)
        })
        .collect();
    made.into_iter().collect()
}
