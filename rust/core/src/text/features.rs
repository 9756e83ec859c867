//! The n-grams of a text: word 1-2-grams, and character 3-5-grams within words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use super::bag::Bag;
use super::words::{self, step};
use crate::rng::mix64;

/// Keeps n-grams of different kinds and lengths apart.
const BIGRAM: u64 = 0xA076_1D64_78BD_642F;
const CHARACTERS: [u64; 3] = [0xE703_7ED1_A0B4_28DB, 0x8EBC_6AF0_9C88_C6E3, 0x5899_65CC_7537_4CC3];
const SHORTEST: usize = 3;

/// Scratch that is used again from text to text.
#[derive(Debug)]
pub(super) struct Scratch {
    word: Vec<char>,
    /// The distinct words of the text.
    words: Bag,
    /// A word's characters, with a space on either side.
    padded: Vec<char>,
    /// Of words of this text and of texts before where their character n-grams lie.
    known: HashMap<u64, Range<usize>, BuildHasherDefault<Hashed>>,
    parts: Vec<u64>,
    /// Where those of this text's distinct words lie.
    places: Vec<Range<usize>>,
}

/// Character n-grams of words that are remembered from text to text, about: what a cache holds.
const REMEMBERED: usize = 1 << 16;

/// The hash of a hash.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            word: Vec::new(),
            words: Bag::new(),
            padded: Vec::new(),
            known: HashMap::default(),
            parts: Vec::new(),
            places: Vec::new(),
        }
    }
}

/// Calls `visit` with the 64-bit hash of each n-gram of a text and how often it occurs; one n-gram may come
/// several times.
///
/// First the bigrams of each word and the word before it, in order. Then, for each distinct word in the order
/// of first sight: the word; and, with the word padded by one space on each side, at each start the character
/// 3-, 4- and 5-gram that ends within it (scikit-learn's `char_wb`, where a padded word not longer than n is
/// taken once, as the n-gram it is).
pub(super) fn for_each_feature(text: &str, scratch: &mut Scratch, mut visit: impl FnMut(u64, u32)) {
    let Scratch { word, words, padded, known, parts, places } = scratch;
    words.clear();
    places.clear();
    if parts.len() > REMEMBERED {
        known.clear();
        parts.clear();
    }
    let mut before = None;
    words::for_each_word(text, word, |word| {
        let hash = words::hash(word);
        if let Some(before) = before.replace(hash) {
            visit(bigram(before, hash), 1);
        }
        if words.add(hash, 1) {
            let place = known.entry(hash).or_insert_with(|| {
                padded.clear();
                padded.push(' ');
                padded.extend_from_slice(word);
                padded.push(' ');
                let first = parts.len();
                for_each_part(padded, |part| parts.push(part));
                first..parts.len()
            });
            places.push(place.clone());
        }
    });
    for (word, place) in words.entries().iter().zip(&*places) {
        visit(word.hash, word.count);
        parts[place.clone()].iter().for_each(|&part| visit(part, word.count));
    }
}

/// Calls `visit` with the hash of each character n-gram of a padded word.
#[inline]
fn for_each_part(padded: &[char], mut visit: impl FnMut(u64)) {
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
fn bigram(before: u64, word: u64) -> u64 {
    mix64((before.rotate_left(5) ^ word).wrapping_mul(BIGRAM))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn features(text: &str) -> Vec<u64> {
        let mut found = Vec::new();
        for_each_feature(text, &mut Scratch::new(), |hash, count| {
            found.extend(std::iter::repeat_n(hash, count as usize));
        });
        found
    }

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
            let (hashes, names) = (features(text), named(text));
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
        assert_eq!(features("To  be,OR not"), features("to be or not"));
        assert_ne!(features("to be"), features("be to"));
    }

    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(features("a b"), GOLDEN_FEATURES);
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
