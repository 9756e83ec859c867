//! The definition of the k best rows.

use super::Score;
use crate::Error;

/// The `k` rows of highest score, by (score descending, row ascending); -0 and +0 are equal.
///
/// All rows are sorted: O(n log n), 16 to 24 bytes a row.
///
/// # Errors
/// [`Error::NotFinite`] with the first row whose score is NaN or infinite, [`Error::BadK`] where `k` is more
/// than there are rows.
pub fn plain<S: Score>(scores: &[S], k: usize) -> Result<Vec<usize>, Error> {
    let key = |(row, score): (usize, &S)| Ok((score.descending().ok_or(Error::NotFinite { row })?, row));
    let mut ranked: Vec<_> = scores.iter().enumerate().map(key).collect::<Result<_, Error>>()?;
    if k > ranked.len() {
        return Err(Error::BadK { k, n: ranked.len() });
    }
    // Stable, so rows of equal score stay in ascending order.
    ranked.sort_by_key(|&(key, _)| key);
    Ok(ranked.into_iter().take(k).map(|(_, row)| row).collect())
}
