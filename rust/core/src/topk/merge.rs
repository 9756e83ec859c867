//! The answers of shards joined to the answer for all rows.

use super::Score;
use crate::Error;

/// The `k` best of `candidates`, pairs of (score, row) in any order, by (score descending, row ascending).
///
/// Where the candidates are the `k` best rows of every shard (all rows of a smaller one), numbered through,
/// the answer is that of [`super::top_k`] for all rows: what a shard leaves out, `k` of its own rows precede.
/// So merging may be repeated in any grouping. Costs O(c log c) for c candidates.
///
/// # Errors
/// [`Error::NotFinite`] with the lowest row of a score that is NaN or infinite; [`Error::RepeatedRow`] with the
/// lowest row that is there twice; [`Error::BadK`] where `k` is more than there are candidates.
pub fn merge<S: Score>(
    candidates: impl IntoIterator<Item = (S, usize)>,
    k: usize,
) -> Result<Vec<usize>, Error> {
    let mut ranked: Vec<(Option<S::Key>, usize)> =
        candidates.into_iter().map(|(score, row)| (score.descending(), row)).collect();
    ranked.sort_unstable_by_key(|&(_, row)| row);
    if let Some(&(_, row)) = ranked.iter().find(|(key, _)| key.is_none()) {
        return Err(Error::NotFinite { row });
    }
    if let Some(pair) = ranked.windows(2).find(|pair| pair[0].1 == pair[1].1) {
        return Err(Error::RepeatedRow { row: pair[0].1 });
    }
    if k > ranked.len() {
        return Err(Error::BadK { k, n: ranked.len() });
    }
    ranked.sort_unstable();
    Ok(ranked.into_iter().take(k).map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;

    proptest! {
        #[test]
        fn shards_give_what_the_whole_gives(
            scores in prop::collection::vec(prop::sample::select(vec![-0.0f32, 0.0, 1.0, -1.0, 2.5]), 0..200),
            shard in 1usize..50,
            share in 0.0..=1.0f64,
        ) {
            let k = (share * scores.len() as f64) as usize;
            let best_of_shard = |(index, shard_scores): (usize, &[f32])| {
                let best = plain(shard_scores, k.min(shard_scores.len())).unwrap();
                let first = index * shard;
                best.into_iter().map(|row| (shard_scores[row], first + row)).collect::<Vec<_>>()
            };
            let candidates: Vec<_> = scores.chunks(shard).enumerate().flat_map(best_of_shard).collect();
            let expected = plain(&scores, k).unwrap();
            prop_assert_eq!(&merge(candidates.iter().copied(), k).unwrap(), &expected);
            prop_assert_eq!(&merge(candidates.iter().rev().copied(), k).unwrap(), &expected);
        }
    }

    #[test]
    fn what_cannot_be_merged_is_refused() {
        assert_eq!(
            merge([(1.0f32, 3), (f32::NAN, 9), (f32::INFINITY, 4)], 1),
            Err(Error::NotFinite { row: 4 })
        );
        assert_eq!(merge([(1.0f64, 3), (2.0, 5), (0.0, 3)], 1), Err(Error::RepeatedRow { row: 3 }));
        assert_eq!(merge([(1.0f32, 3)], 2), Err(Error::BadK { k: 2, n: 1 }));
        assert_eq!(merge::<f32>([], 0), Ok(vec![]));
    }
}
