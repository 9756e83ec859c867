//! The k smallest of a stream in bounded memory.
//!
//! `Smallest` keeps a buffer of candidates and a threshold; each chunk of rows fills one and they are merged.

use rayon::prelude::*;

use super::Score;
use crate::Error;
use crate::blocks::check_countable;

/// Rows in a chunk of parallel work.
const CHUNK: usize = 1 << 18;

/// The `k` smallest of the entries pushed into it, in bounded memory.
#[derive(Debug)]
pub(crate) struct Smallest<T> {
    k: usize,
    entries: Vec<T>,
    /// The largest of the k smallest so far, once there are k: nothing above it can enter.
    threshold: Option<T>,
}

impl<T: Ord + Copy> Smallest<T> {
    pub(crate) fn new(k: usize) -> Self {
        Self { k, entries: Vec::new(), threshold: None }
    }

    /// The `k` smallest of the entries below a bound.
    pub(crate) fn below(k: usize, bound: T) -> Self {
        Self { k, entries: Vec::new(), threshold: Some(bound) }
    }

    /// Takes an entry into account. Entries must differ from each other.
    #[inline(always)]
    pub(crate) fn push(&mut self, entry: T) {
        if self.threshold.is_none_or(|threshold| entry < threshold) {
            self.entries.push(entry);
            if self.entries.len() >= self.capacity() {
                self.compact();
            }
        }
    }

    /// Twice k and some room, so that compacting costs a constant for each push.
    fn capacity(&self) -> usize {
        self.k.saturating_mul(2).saturating_add(32)
    }

    fn compact(&mut self) {
        if self.k == 0 {
            self.entries.clear();
        } else if self.entries.len() > self.k {
            let (_, last, _) = self.entries.select_nth_unstable(self.k - 1);
            self.threshold = Some(*last);
            self.entries.truncate(self.k);
        }
    }

    /// The k smallest in ascending order, fewer where fewer were pushed.
    pub(crate) fn into_sorted(mut self) -> Vec<T> {
        self.compact();
        self.entries.sort_unstable();
        self.entries
    }
}

fn select<K: Ord + Copy + Send + Sync>(
    rows: usize,
    k: usize,
    key: impl Fn(usize) -> Result<K, Error> + Sync,
) -> Result<Vec<usize>, Error> {
    check_countable(rows)?;
    let best_of = |chunk: usize| {
        let mut best = Smallest::new(k);
        for row in chunk * CHUNK..rows.min((chunk + 1) * CHUNK) {
            best.push((key(row)?, row as u32));
        }
        Ok(best.into_sorted())
    };
    let chunks: Vec<Result<Vec<(K, u32)>, Error>> = match rows.div_ceil(CHUNK) {
        // The calling thread's: see `FEW_ROWS`.
        1 => vec![best_of(0)],
        count => (0..count).into_par_iter().map(best_of).collect(),
    };
    let mut best = Smallest::new(k);
    // In row order, so that the first error is the one of the lowest row.
    for chunk in chunks {
        chunk?.into_iter().for_each(|entry| best.push(entry));
    }
    if k > rows {
        return Err(Error::BadK { k, n: rows });
    }
    Ok(best.into_sorted().into_iter().map(|(_, row)| row as usize).collect())
}

/// The `k` rows of highest score, by (score descending, row ascending); -0 and +0 are equal.
///
/// For every kind of score; [`super::top_k`] is faster for float32. O(n + k log k), 24 to 32 bytes for each of
/// the k rows and chunk.
///
/// # Errors
/// [`Error::NotFinite`] with the first row whose score is NaN or infinite, [`Error::BadK`] where `k` is more
/// than there are rows.
pub fn top_k_wide<S: Score>(scores: &[S], k: usize) -> Result<Vec<usize>, Error> {
    select(scores.len(), k, |row| scores[row].descending().ok_or(Error::NotFinite { row }))
}

/// The `k` rows of smallest hash, by (hash ascending, row ascending).
///
/// # Errors
/// [`Error::BadK`] where `k` is more than there are rows.
pub fn bottom_k(hashes: &[u64], k: usize) -> Result<Vec<usize>, Error> {
    select(hashes.len(), k, |row| Ok(hashes[row]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;

    fn few_values() -> impl Strategy<Value = f32> {
        prop::sample::select(vec![-0.0, 0.0, 1.0, -1.0, 1e-45, -1e-45, f32::MAX, f32::MIN, 0.5])
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            scores in prop::collection::vec(prop_oneof![few_values(), -1e3f32..1e3], 0..300),
            share in 0.0..=1.0f64,
        ) {
            let k = (share * scores.len() as f64) as usize;
            prop_assert_eq!(top_k_wide(&scores, k).unwrap(), plain(&scores, k).unwrap());
            let wide: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
            prop_assert_eq!(top_k_wide(&wide, k).unwrap(), plain(&wide, k).unwrap());
        }

        #[test]
        fn smallest_hashes_are_nested(hashes in prop::collection::vec(0u64..50, 0..300)) {
            let all = bottom_k(&hashes, hashes.len()).unwrap();
            let mut expected: Vec<usize> = (0..hashes.len()).collect();
            expected.sort_by_key(|&row| hashes[row]);
            prop_assert_eq!(&all, &expected);
            for k in [0, 1, hashes.len() / 2] {
                let k = k.min(hashes.len());
                prop_assert_eq!(&bottom_k(&hashes, k).unwrap(), &all[..k]);
            }
        }
    }

    #[test]
    fn chunks_are_merged() {
        let rows = 2 * CHUNK + 77;
        let scores: Vec<f32> =
            (0..rows).map(|row| (crate::rng::word_of_row(row as u64) % 1000) as f32).collect();
        for k in [1, 1000, rows] {
            assert_eq!(top_k_wide(&scores, k).unwrap(), plain(&scores, k).unwrap());
        }
    }

    #[test]
    fn the_first_bad_score_is_named() {
        let mut scores = vec![1.0f32; CHUNK + 10];
        scores[CHUNK + 3] = f32::NAN;
        assert_eq!(top_k_wide(&scores, 1), Err(Error::NotFinite { row: CHUNK + 3 }));
        scores[5] = f32::INFINITY;
        assert_eq!(top_k_wide(&scores, 1), Err(Error::NotFinite { row: 5 }));
        assert_eq!(top_k_wide(&[f64::NEG_INFINITY], 1), Err(Error::NotFinite { row: 0 }));
    }

    #[test]
    fn more_than_all_is_an_error() {
        assert_eq!(top_k_wide(&[1.0f32], 2), Err(Error::BadK { k: 2, n: 1 }));
        assert_eq!(bottom_k(&[], 1), Err(Error::BadK { k: 1, n: 0 }));
        assert_eq!(top_k_wide::<f32>(&[], 0), Ok(vec![]));
    }
}
