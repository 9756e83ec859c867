//! Rows whose key a threshold admits.

use rayon::prelude::*;

use crate::blocks::{FEW_ROWS, check_countable};
use crate::{Control, Error};

/// Rows that one task looks at.
const BLOCK: usize = 1 << 16;

/// The rows whose key is at or below the threshold, in row order.
///
/// One look at each key, without a branch that depends on it. O(n), 4 bytes a row of those being looked at and 12 a row
/// found.
///
/// # Errors
/// [`Error::TooManyRows`], or what `control` stops with.
pub fn within_threshold(keys: &[u64], threshold: u64, control: &impl Control) -> Result<Vec<usize>, Error> {
    check_countable(keys.len())?;
    let block = |(block, keys): (usize, &[u64])| {
        control.tick((block * BLOCK) as u64, keys.len() as u64)?;
        // Written always and kept by moving the end: which keys are admitted cannot be predicted.
        let (mut rows, mut end) = (vec![0u32; keys.len()], 0);
        for (row, &key) in ((block * BLOCK) as u32..).zip(keys) {
            rows[end] = row;
            end += usize::from(key <= threshold);
        }
        rows.truncate(end);
        rows.shrink_to_fit();
        Ok(rows)
    };
    if keys.len() <= FEW_ROWS {
        return Ok(block((0, keys))?.into_iter().map(|row| row as usize).collect());
    }
    let found: Vec<Vec<u32>> = keys.par_chunks(BLOCK).enumerate().map(block).collect::<Result<_, Error>>()?;
    Ok(found.into_iter().flatten().map(|row| row as usize).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    fn plain(keys: &[u64], threshold: u64) -> Vec<usize> {
        (0..keys.len()).filter(|&row| keys[row] <= threshold).collect()
    }

    proptest! {
        #[test]
        fn finds_what_a_filter_finds(
            keys in prop::collection::vec(prop_oneof![0u64..9, any::<u64>()], 0..300), at: prop::sample::Index,
        ) {
            let thresholds = [0, u64::MAX].into_iter().chain(keys.get(at.index(keys.len().max(1))).copied());
            for threshold in thresholds {
                prop_assert_eq!(within_threshold(&keys, threshold, &Unwatched).unwrap(), plain(&keys, threshold));
            }
        }
    }

    #[test]
    fn blocks_are_joined_in_order() {
        let keys = crate::rng::hashes_of_rows(3, 3 * BLOCK + 5).unwrap();
        for threshold in [0, 1 << 60, u64::MAX / 2, u64::MAX] {
            for threads in THREADS {
                let found = with_threads(threads, || within_threshold(&keys, threshold, &Unwatched)).unwrap();
                assert_eq!(found, plain(&keys, threshold));
            }
        }
    }
}
