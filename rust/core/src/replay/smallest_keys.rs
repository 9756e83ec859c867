//! The k smallest keys, equal ones by id.

use crate::topk::bottom_k;
use crate::{Error, blocks};

/// The rows of the `k` smallest keys, by (key ascending, UTF-8 bytes of the id ascending, row ascending); without ids by
/// (key, row).
///
/// So with ids that differ the answer names the same rows in whatever order they come. Ids are looked at where keys are
/// equal, which draws of different rows are not but by the odds of 64 bits. O(n + k log k), 24 to 32 bytes for each of
/// the k rows and each of the rows whose key is that of the last.
///
/// # Errors
/// [`Error::BadK`] where `k` is more than there are rows, [`Error::Shape`] where there is another number of ids,
/// [`Error::TooManyRows`], [`Error::OutOfMemory`].
pub fn smallest_keys(keys: &[u64], k: usize, ids: Option<&[&str]>) -> Result<Vec<usize>, Error> {
    if let Some(ids) = ids.filter(|ids| ids.len() != keys.len()) {
        return Err(Error::Shape { what: "the number of ids", expected: keys.len(), got: ids.len() });
    }
    let mut rows = bottom_k(keys, k)?;
    let (Some(ids), Some(&last)) = (ids, rows.last()) else { return Ok(rows) };
    let id = |&row: &usize| (ids[row].as_bytes(), row);
    // Rows of the last key beyond the k smallest have higher numbers, and maybe smaller ids.
    let border = keys[last];
    let others = keys[last + 1..].iter().filter(|&&key| key == border).count();
    if others > 0 {
        let first = rows.partition_point(|&row| keys[row] < border);
        let mut tied = blocks::reserved(rows.len() - first + others)?;
        tied.extend_from_slice(&rows[first..]);
        tied.extend((last + 1..keys.len()).filter(|&row| keys[row] == border));
        tied.sort_unstable_by_key(id);
        rows.truncate(first);
        rows.extend_from_slice(&tied[..k - first]);
    }
    for equal in rows.chunk_by_mut(|&a, &b| keys[a] == keys[b]) {
        equal.sort_unstable_by_key(id);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;
    use crate::testing::{THREADS, with_threads};

    proptest! {
        #[test]
        fn agrees_with_a_sort(
            keyed in prop::collection::vec((0u64..6, "[aé]{0,2}"), 0..80),
            share in 0.0..=1.0f64,
            keys_of_64_bits: bool,
        ) {
            let spread = if keys_of_64_bits { u64::MAX / 5 } else { 1 };
            let keys: Vec<u64> = keyed.iter().map(|&(key, _)| key * spread).collect();
            let ids: Vec<&str> = keyed.iter().map(|(_, id)| id.as_str()).collect();
            let k = (share * keys.len() as f64) as usize;
            for ids in [None, Some(&ids[..])] {
                for threads in THREADS {
                    let found = with_threads(threads, || smallest_keys(&keys, k, ids)).unwrap();
                    prop_assert_eq!(found, plain::smallest_keys(&keys, k, ids));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(smallest_keys(&[1], 2, None), Err(Error::BadK { k: 2, n: 1 }));
        let refused = smallest_keys(&[1, 2], 1, Some(&["a"]));
        assert_eq!(refused, Err(Error::Shape { what: "the number of ids", expected: 2, got: 1 }));
        assert_eq!(smallest_keys(&[], 0, Some(&[])), Ok(vec![]));
    }
}
