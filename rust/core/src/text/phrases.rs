//! Phrases: words in a row, by which texts that repeat much of another are found.

use super::words;
use crate::rng::mix64;
use crate::{Control, Error, blocks};

/// Texts in a block.
const BLOCK: usize = 64;

/// The phrases of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrases {
    /// The distinct phrases of each text, one text after the other, ascending within each.
    pub hashes: Vec<u64>,
    /// Where the phrases of each text end.
    pub ends: Vec<i64>,
    /// Of each text, a hash of its words and how often it has each, whatever their order; 0 of a text without words.
    pub bags: Vec<u64>,
}

/// The distinct runs of `length` words of each text, as 64-bit hashes of their words as [`words::for_each_word`] tells
/// them. A text of fewer words is one phrase, which no longer text has; a text without words has none.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn phrases(texts: &[&str], length: usize, control: &impl Control) -> Result<Phrases, Error> {
    let length = length.max(1);
    let mut each: Vec<(Vec<u64>, u64)> = blocks::zeroed(texts.len())?;
    blocks::fill(&mut each, 1, BLOCK, control, |first, block| {
        let (mut buffer, mut said) = (Vec::new(), Vec::new());
        for ((found, bag), text) in block.iter_mut().zip(&texts[first..]) {
            said.clear();
            words::for_each_hash(text, &mut buffer, |hash, _| said.push(hash));
            *bag = said.iter().fold(0, |sum: u64, &word| sum.wrapping_add(mix64(word)));
            let mut distinct: Vec<u64> = said.windows(length.min(said.len()).max(1)).map(of).collect();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.shrink_to_fit();
            *found = distinct;
        }
        Ok(())
    })?;
    let mut hashes = blocks::reserved(each.iter().map(|(found, _)| found.len()).sum())?;
    let (mut ends, mut bags) = (blocks::reserved(texts.len())?, blocks::reserved(texts.len())?);
    for (found, bag) in each {
        hashes.extend_from_slice(&found);
        ends.push(hashes.len() as i64);
        bags.push(bag);
    }
    Ok(Phrases { hashes, ends, bags })
}

/// The number of words counts: a short text is not found in the middle of a long one.
pub(super) fn of(words: &[u64]) -> u64 {
    words.iter().fold(words.len() as u64, |state, &word| mix64(state.rotate_left(5) ^ word))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    fn words_of(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        words::for_each_word(text, &mut Vec::new(), |word| found.push(word.iter().collect()));
        found
    }

    /// The definition.
    fn plain(text: &str, length: usize) -> BTreeSet<Vec<String>> {
        let words = words_of(text);
        if words.is_empty() {
            return BTreeSet::new();
        }
        words.windows(length.min(words.len())).map(<[String]>::to_vec).collect()
    }

    fn of_text(found: &Phrases, at: usize) -> &[u64] {
        let start = if at == 0 { 0 } else { found.ends[at - 1] as usize };
        &found.hashes[start..found.ends[at] as usize]
    }

    proptest! {
        #[test]
        fn are_shared_as_the_definition_says(
            texts in prop::collection::vec("([ab中é]{1,2}[ .]){0,9}", 0..200),
            length in 1usize..5,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let found = phrases(&texts, length, &Unwatched).unwrap();
            for threads in THREADS {
                prop_assert_eq!(&with_threads(threads, || phrases(&texts, length, &Unwatched)).unwrap(), &found);
            }
            for (at, text) in texts.iter().enumerate() {
                let (own, expected) = (of_text(&found, at), plain(text, length));
                prop_assert_eq!(own.len(), expected.len());
                prop_assert!(own.is_sorted_by(|a, b| a < b));
                let (other, expected_other) = (of_text(&found, at / 2), plain(texts[at / 2], length));
                let shared = own.iter().filter(|hash| other.contains(hash)).count();
                prop_assert_eq!(shared, expected.intersection(&expected_other).count());
            }
        }

        #[test]
        fn bags_know_words_and_counts_but_no_order(mut words in prop::collection::vec("[a-c]", 1..20)) {
            let text = words.join(" ");
            let more = format!("{text} {}", words[0]);
            words.sort();
            let sorted = words.join("; ");
            let bags = phrases(&[&text, &sorted, &more], 8, &Unwatched).unwrap().bags;
            prop_assert_eq!(bags[0], bags[1]);
            prop_assert_ne!(bags[0], bags[2]);
        }
    }

    #[test]
    fn known_phrases() {
        let found =
            phrases(&["", "...", "a b c d", "A b, c: D!", "a b c", "a b c a b c a"], 3, &Unwatched).unwrap();
        assert_eq!(found.ends, [0, 0, 2, 4, 5, 8]);
        assert_eq!(&found.bags[..2], [0, 0]);
        assert_eq!(of_text(&found, 2), of_text(&found, 3));
        assert!(of_text(&found, 5).contains(&of_text(&found, 4)[0]));
        let short = phrases(&["a b c", "a b c d"], 4, &Unwatched).unwrap();
        assert_ne!(of_text(&short, 0), of_text(&short, 1));
    }
}
