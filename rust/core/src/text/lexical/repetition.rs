//! Repetition: how much of a text it says again.

use super::each;
use crate::text::{phrases, words};
use crate::{Control, Error};

/// The share of each text's n-grams that repeat one before: `1 - distinct / all` of its runs of `length` words.
///
/// It is `seq-rep-n` of Welleck et al., "Neural Text Generation with Unlikelihood Training" (ICLR 2020), and what the
/// repetition rules of Gopher (Rae et al. 2021, appendix A.1) look for. A text of fewer words repeats nothing.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn shares(texts: &[&str], length: usize, control: &impl Control) -> Result<Vec<f32>, Error> {
    let length = length.max(1);
    each(
        texts,
        control,
        Default::default,
        |(buffer, said, ngrams): &mut (Vec<char>, Vec<u64>, Vec<u64>), text| {
            said.clear();
            words::for_each_hash(text, buffer, |hash, _| said.push(hash));
            ngrams.clear();
            ngrams.extend(said.windows(length).map(phrases::of));
            let all = ngrams.len();
            if all == 0 {
                return 0.0;
            }
            ngrams.sort_unstable();
            ngrams.dedup();
            (all - ngrams.len()) as f64 / all as f64
        },
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition.
    fn plain(text: &str, length: usize) -> f32 {
        let mut said: Vec<String> = Vec::new();
        words::for_each_word(text, &mut Vec::new(), |word| said.push(word.iter().collect()));
        let (mut seen, mut again, mut all) = (HashSet::new(), 0usize, 0usize);
        for ngram in said.windows(length) {
            all += 1;
            again += usize::from(!seen.insert(ngram));
        }
        if all == 0 { 0.0 } else { (again as f64 / all as f64) as f32 }
    }

    proptest! {
        #[test]
        fn is_the_share_of_ngrams_seen_before(
            texts in prop::collection::vec("([a-cA-C_é中文]{1,2}[ .]){0,30}", 0..5), length in 1usize..6,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected: Vec<f32> = texts.iter().map(|text| plain(text, length)).collect();
            prop_assert_eq!(shares(&texts, length, &Unwatched).unwrap(), expected);
        }
    }

    #[test]
    fn known_values() {
        let texts = ["", "a b", "a b a b", "a b c d", "x x x x x", "A b, a B; a b"];
        assert_eq!(shares(&texts, 2, &Unwatched).unwrap(), [0.0, 0.0, 1.0 / 3.0, 0.0, 0.75, 0.6]);
        assert_eq!(shares(&["a a a"], 0, &Unwatched).unwrap(), shares(&["a a a"], 1, &Unwatched).unwrap());
    }
}
