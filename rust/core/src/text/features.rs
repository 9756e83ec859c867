//! The n-grams of a text: word 1-2-grams, and character 3-5-grams within words.

use super::words::step;
use crate::rng::mix64;

/// Keeps n-grams of different kinds and lengths apart.
const BIGRAM: u64 = 0xA076_1D64_78BD_642F;
const CHARACTERS: [u64; 3] = [0xE703_7ED1_A0B4_28DB, 0x8EBC_6AF0_9C88_C6E3, 0x5899_65CC_7537_4CC3];
const SHORTEST: usize = 3;

/// Calls `visit` with the hash of each character n-gram of a word that is padded by one space on each side: at each start
/// the 3-, 4- and 5-gram that ends within it (scikit-learn's `char_wb`, where a padded word not longer than n is taken
/// once, as the n-gram it is).
#[inline]
pub(super) fn for_each_part(padded: &[char], mut visit: impl FnMut(u64)) {
    for start in 0..=padded.len() - SHORTEST {
        let mut state = 0;
        for (offset, &character) in padded[start..].iter().take(SHORTEST + CHARACTERS.len() - 1).enumerate() {
            state = step(state, character);
            if offset + 1 >= SHORTEST {
                visit(mix64(state ^ CHARACTERS[offset + 1 - SHORTEST]));
            }
        }
    }
}

/// The hash of two words in a row.
#[inline]
pub(super) fn bigram(before: u64, word: u64) -> u64 {
    mix64((before.rotate_left(5) ^ word).wrapping_mul(BIGRAM))
}

/// The hashes of all n-grams of a text by their definition, equal ones as often as they occur: the bigrams, then those of
/// each distinct word.
#[cfg(test)]
pub(super) fn plain(text: &str) -> Vec<u64> {
    use super::words;

    let mut said: Vec<Vec<char>> = Vec::new();
    words::for_each_word(text, &mut Vec::new(), |word| said.push(word.to_vec()));
    let pair = |pair: &[Vec<char>]| bigram(words::hash(&pair[0]), words::hash(&pair[1]));
    let mut found: Vec<u64> = said.windows(2).map(pair).collect();
    for (at, word) in said.iter().enumerate().filter(|&(at, word)| !said[..at].contains(word)) {
        let times = said[at..].iter().filter(|other| *other == word).count();
        let padded: Vec<char> = format!(" {} ", word.iter().collect::<String>()).chars().collect();
        let mut add = |hash| found.extend(std::iter::repeat_n(hash, times));
        add(words::hash(word));
        for_each_part(&padded, add);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::words;
    use super::*;

    /// What the hashes of a text must come from, by scikit-learn's rules, each n-gram named by its kind and
    /// characters.
    fn named(text: &str) -> Vec<String> {
        let mut list = Vec::new();
        let mut words: Vec<String> = Vec::new();
        words::for_each_word(text, &mut Vec::new(), |word| words.push(word.iter().collect()));
        list.extend(words.iter().map(|word| format!("word {word}")));
        list.extend(words.windows(2).map(|pair| format!("pair {} {}", pair[0], pair[1])));
        for word in &words {
            let padded: Vec<char> = format!(" {word} ").chars().collect();
            for n in 3..=5 {
                let mut offset = 0;
                list.push(format!("{n}: {}", padded.iter().take(n).collect::<String>()));
                while offset + n < padded.len() {
                    offset += 1;
                    list.push(format!("{n}: {}", padded[offset..offset + n].iter().collect::<String>()));
                }
                // scikit-learn: a word that is not longer than n is counted once.
                if offset == 0 {
                    break;
                }
            }
        }
        list
    }

    #[test]
    fn there_is_one_hash_for_each_ngram_and_equal_ones_only_for_equal_ngrams() {
        for text in [
            "",
            "a",
            "ab",
            "abc",
            "abcd abc",
            "to be or not to be",
            "él été 东京 東京都庁前",
            "aaaaaaa aaaaaa",
        ] {
            let (hashes, names) = (plain(text), named(text));
            assert_eq!(hashes.len(), names.len(), "{text}");
            let counts = |list: &mut dyn Iterator<Item = String>| {
                let mut counts: HashMap<String, usize> = HashMap::new();
                list.for_each(|name| *counts.entry(name).or_default() += 1);
                let mut counts: Vec<usize> = counts.into_values().collect();
                counts.sort_unstable();
                counts
            };
            let of_hashes = counts(&mut hashes.iter().map(ToString::to_string));
            assert_eq!(of_hashes, counts(&mut names.into_iter()), "{text}");
        }
    }

    #[test]
    fn case_and_separators_do_not_matter() {
        assert_eq!(plain("To  be,OR not"), plain("to be or not"));
        assert_ne!(plain("to be"), plain("be to"));
    }

    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(plain("a b"), GOLDEN_FEATURES);
    }

    /// The pair, word `a`, ` a `, word `b`, ` b `. Computed apart, in Python; a change changes
    /// every vector that users have stored.
    const GOLDEN_FEATURES: [u64; 5] = [
        0xB2CB_7FB3_D3DB_4BBC,
        0x5E45_25C9_8FA2_B747,
        0x2540_9106_F43D_B530,
        0xA824_AA1B_997A_6B38,
        0x02A8_E73B_10FD_9BCB,
    ];
}
