//! Work over the rows of batches, cut into chunks by the rows alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use rayon::prelude::*;
use sage_select_core::{Control, Error};

/// Rows of a chunk.
pub(crate) const CHUNK_ROWS: usize = 1024;

/// Some rows of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    /// Which batch.
    pub(crate) batch: usize,
    /// Which of its rows.
    pub(crate) rows: Range<usize>,
    /// The number of the first of them among the rows of all batches.
    pub(crate) first: usize,
}

/// The chunks of batches, in order.
pub(crate) fn chunks(batches: &[RecordBatch]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut first = 0;
    for (batch, rows) in batches.iter().map(RecordBatch::num_rows).enumerate() {
        for start in (0..rows).step_by(CHUNK_ROWS) {
            let rows = start..rows.min(start + CHUNK_ROWS);
            let count = rows.len();
            chunks.push(Chunk { batch, rows, first });
            first += count;
        }
    }
    chunks
}

/// What `work` makes of each chunk, in order; `control` hears the finished rows.
///
/// # Errors
/// The error of the earliest chunk, or what `control` stops with.
pub(crate) fn map<T: Send>(
    chunks: &[Chunk],
    control: &impl Control,
    work: impl Fn(&Chunk) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let total = chunks.iter().map(|chunk| chunk.rows.len() as u64).sum();
    let done = AtomicU64::new(0);
    let made: Vec<Result<T, Error>> = chunks
        .par_iter()
        .map(|chunk| {
            let made = work(chunk)?;
            let rows = chunk.rows.len() as u64;
            control.tick(done.fetch_add(rows, Ordering::Relaxed) + rows, total)?;
            Ok(made)
        })
        .collect();
    made.into_iter().collect()
}
