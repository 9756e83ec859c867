//! A reservoir over row ids that are numbers already.

use rayon::prelude::*;

use crate::blocks::{FEW_ROWS, check_countable};
use crate::rng::keyed_hash;
use crate::topk::Smallest;
use crate::{Control, Error};

/// Words between two looks at whether to stop, and the fewest for a thread.
const BLOCK: usize = 1 << 16;

/// The rows of the `k` words of smallest [`keyed_hash`] under `key`, of those at or below the threshold: pairs of (hash,
/// row), ascending; fewer where there are fewer.
///
/// A word that is there twice counts twice. One hash and one comparison for each word, with the threshold of the k
/// smallest so far: k (1 + ln(n / k)) of n words pass it. O(n + k log k), 32 bytes for each of the k rows and thread.
///
/// # Errors
/// [`Error::TooManyRows`], or what `control` stops with.
pub fn reservoir_of_words(
    key: u64,
    words: &[u64],
    k: usize,
    threshold: u64,
    control: &impl Control,
) -> Result<Vec<(u64, usize)>, Error> {
    check_countable(words.len())?;
    // No row has the number u32::MAX, so this bound admits the threshold itself.
    let smallest = || Smallest::below(k, (threshold, u32::MAX));
    // The k smallest are the same however the words are cut: a part for each thread keeps thresholds low.
    let threads = if words.len() <= FEW_ROWS { 1 } else { rayon::current_num_threads() };
    let part = words.len().div_ceil(threads).max(BLOCK);
    let best_of = |(at, words): (usize, &[u64])| {
        let mut best = smallest();
        let mut row = (at * part) as u32;
        for block in words.chunks(BLOCK) {
            control.tick(0, 0)?;
            for &word in block {
                best.push((keyed_hash(key, word), row));
                row += 1;
            }
        }
        Ok(best.into_sorted())
    };
    let sorted = if words.len() <= FEW_ROWS {
        best_of((0, words))?
    } else {
        let parts: Vec<_> = words.par_chunks(part).enumerate().map(best_of).collect::<Result<_, Error>>()?;
        let mut best = smallest();
        parts.into_iter().flatten().for_each(|entry| best.push(entry));
        best.into_sorted()
    };
    Ok(sorted.into_iter().map(|(hash, row)| (hash, row as usize)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    proptest! {
        #[test]
        fn agrees_with_a_sort(
            words in prop::collection::vec(prop_oneof![0u64..9, any::<u64>()], 0..200),
            key: u64, k in 0usize..220, at: prop::sample::Index,
        ) {
            let of_a_word = words.get(at.index(words.len().max(1))).map(|&word| keyed_hash(key, word));
            for threshold in [0, u64::MAX / 3, u64::MAX].into_iter().chain(of_a_word) {
                let found = reservoir_of_words(key, &words, k, threshold, &Unwatched).unwrap();
                prop_assert_eq!(found, plain::reservoir_of_words(key, &words, k, threshold));
            }
        }
    }

    #[test]
    fn threads_share_the_words() {
        let words: Vec<u64> = (0..5 * BLOCK as u64 + 3).map(|word| word / 2).collect();
        for k in [1, 2048, words.len()] {
            let expected = plain::reservoir_of_words(7, &words, k, u64::MAX / 2);
            for threads in THREADS {
                let found =
                    with_threads(threads, || reservoir_of_words(7, &words, k, u64::MAX / 2, &Unwatched));
                assert_eq!(found.unwrap(), expected);
            }
        }
    }
}
