//! The lower half of symmetric tables.

use rayon::prelude::*;

/// Side of the squares in which a table is mirrored.
const SQUARE: usize = 32;

/// Copies the upper triangle of a square part to its lower one; `rows` are rows `first..` of a matrix `width`
/// wide.
///
/// Halves the part, so that the rows read and the rows written are different slices. A dot product, canonical or of
/// whole numbers, is the same in either order, so nothing is lost where both were computed.
pub(super) fn mirror<T: Copy + Default + Send + Sync>(rows: &mut [T], width: usize, first: usize) {
    let count = rows.len() / width;
    if count < 2 {
        return;
    }
    let half = count / 2;
    let (upper, lower) = rows.split_at_mut(half * width);
    {
        let upper: &[T] = upper;
        lower.par_chunks_mut(SQUARE * width).enumerate().for_each(|(block, lower)| {
            let column = first + half + block * SQUARE;
            let columns = lower.len() / width;
            for from in (0..half).step_by(SQUARE) {
                // Read and written by whole lines of a cache, and turned in between.
                let rows = SQUARE.min(half - from);
                let mut square = [[T::default(); SQUARE]; SQUARE];
                for (offset, line) in square.iter_mut().enumerate().take(rows) {
                    line[..columns].copy_from_slice(&upper[(from + offset) * width + column..][..columns]);
                }
                for (offset, line) in lower.chunks_exact_mut(width).enumerate() {
                    for (to, from) in line[first + from..][..rows].iter_mut().zip(&square) {
                        *to = from[offset];
                    }
                }
            }
        });
    }
    rayon::join(|| mirror(upper, width, first), || mirror(lower, width, first + half));
}
