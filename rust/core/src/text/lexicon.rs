//! The n-grams of some texts, numbered as they are first met, and how often a text has each.
//!
//! Texts in a row share most words, and every word brings a dozen n-grams of characters: these are looked up once for
//! all texts, and counted by number in each.

use std::ops::Range;

use super::features::{bigram, for_each_part};
use super::numbers::Numbers;
use super::words;

/// How often an n-gram was met.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// In the text.
    count: u32,
    /// Texts that have it.
    texts: u32,
}

/// The n-grams of texts, word 1-2-grams, and character 3-5-grams within words; and those of the last text.
#[derive(Debug)]
pub(super) struct Lexicon {
    ngrams: Numbers,
    tallies: Vec<Tally>,
    words: Numbers,
    /// Of each word where its n-grams lie.
    places: Vec<Range<usize>>,
    /// The n-grams of words: itself, then those of its characters.
    parts: Vec<u32>,
    /// Of each word how often the text has it; 0 between texts.
    counts: Vec<u32>,
    /// The words of the text, their hashes, and the pairs of these: in order.
    said: Vec<u32>,
    hashes: Vec<u64>,
    pairs: Vec<u32>,
    /// The distinct n-grams of the text, first seen first.
    seen: Vec<u32>,
    counted: Vec<(u32, u32)>,
    /// Scratch: characters of a word, and those with a space on either side.
    buffer: Vec<char>,
    padded: Vec<char>,
}

impl Lexicon {
    pub(super) fn new() -> Self {
        Self {
            ngrams: Numbers::new(),
            tallies: Vec::new(),
            words: Numbers::new(),
            places: Vec::new(),
            parts: Vec::new(),
            counts: Vec::new(),
            said: Vec::new(),
            hashes: Vec::new(),
            pairs: Vec::new(),
            seen: Vec::new(),
            counted: Vec::new(),
            buffer: Vec::new(),
            padded: Vec::new(),
        }
    }

    /// How much is remembered: n-grams, and those of words.
    pub(super) fn len(&self) -> usize {
        self.tallies.len() + self.parts.len()
    }

    /// The hashes of the n-grams that were met, by number.
    pub(super) fn hashes(&self) -> &[u64] {
        self.ngrams.hashes()
    }

    /// How many texts have each, by number.
    pub(super) fn texts(&self) -> impl Iterator<Item = u32> {
        self.tallies.iter().map(|tally| tally.texts)
    }

    /// Forgets all n-grams, and numbers anew.
    pub(super) fn clear(&mut self) {
        self.ngrams.clear();
        self.tallies.clear();
        self.words.clear();
        self.places.clear();
        self.parts.clear();
        self.counts.clear();
        self.counted.clear();
    }

    /// The distinct n-grams of the text taken last, first seen first: the number of each, and how often the text has it.
    pub(super) fn counted(&self) -> &[(u32, u32)] {
        &self.counted
    }

    /// Counts the n-grams of a text.
    ///
    /// They are seen in this order: the bigrams of each word and the word before it; then, for each distinct word in the
    /// order of first sight, the word, and those of its characters.
    pub(super) fn take(&mut self, text: &str) {
        self.number(text);
        let Self { tallies, places, parts, counts, said, pairs, seen, counted, .. } = self;
        seen.clear();
        add(tallies, seen, pairs, 1);
        said.iter().for_each(|&word| counts[word as usize] = counts[word as usize].saturating_add(1));
        for &word in &*said {
            // What is told again was counted at its first sight.
            let count = std::mem::take(&mut counts[word as usize]);
            if count > 0 {
                add(tallies, seen, &parts[places[word as usize].clone()], count);
            }
        }
        counted.clear();
        counted.extend(seen.iter().map(|&ngram| (ngram, std::mem::take(&mut tallies[ngram as usize].count))));
    }

    /// Numbers the words of a text, and the pairs of a word and the next.
    fn number(&mut self, text: &str) {
        let Self { ngrams, words, places, parts, counts, said, hashes, pairs, buffer, padded, .. } = self;
        said.clear();
        hashes.clear();
        words::for_each_hash(text, buffer, |hash, word| {
            hashes.push(hash);
            let number = words.of(hash);
            said.push(number);
            if number as usize == places.len() {
                padded.clear();
                padded.push(' ');
                word.push_to(padded);
                padded.push(' ');
                let first = parts.len();
                parts.push(ngrams.of(hash));
                for_each_part(padded, |part| parts.push(ngrams.of(part)));
                places.push(first..parts.len());
                counts.push(0);
            }
        });
        pairs.clear();
        pairs.extend(hashes.windows(2).map(|pair| ngrams.of(bigram(pair[0], pair[1]))));
        self.tallies.resize(self.ngrams.hashes().len(), Tally::default());
    }
}

/// Counts so many more of each of some n-grams.
#[inline]
fn add(tallies: &mut [Tally], seen: &mut Vec<u32>, ngrams: &[u32], count: u32) {
    let (before, mut new) = (seen.len(), 0);
    seen.resize(before + ngrams.len(), 0);
    let to = &mut seen[before..];
    for &ngram in ngrams {
        let tally = &mut tallies[ngram as usize];
        // Without a branch, which no machine would foresee.
        let is_new = tally.count == 0;
        to[new] = ngram;
        new += usize::from(is_new);
        tally.texts += u32::from(is_new);
        tally.count = tally.count.saturating_add(count);
    }
    seen.truncate(before + new);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::text::features::plain;

    proptest! {
        #[test]
        fn each_text_has_its_ngrams_whatever_texts_came_before(
            texts in prop::collection::vec("([a-cA_é中]{1,7}[ ,]){0,12}", 0..20), forgetting in 1usize..8,
        ) {
            let mut lexicon = Lexicon::new();
            let mut texts_with = HashMap::<u64, u32>::new();
            for (at, text) in texts.iter().enumerate() {
                if at % forgetting == 0 {
                    lexicon.clear();
                    texts_with.clear();
                }
                lexicon.take(text);
                let (mut counts, mut order) = (HashMap::<u64, u32>::new(), Vec::new());
                for hash in plain(text) {
                    let count = counts.entry(hash).or_default();
                    if *count == 0 {
                        order.push(hash);
                    }
                    *count += 1;
                }
                order.iter().for_each(|hash| *texts_with.entry(*hash).or_default() += 1);
                let hash = |ngram: u32| lexicon.hashes()[ngram as usize];
                let seen: Vec<(u64, u32)> = lexicon.counted().iter().map(|&(ngram, count)| (hash(ngram), count)).collect();
                let expected: Vec<(u64, u32)> = order.iter().map(|hash| (*hash, counts[hash])).collect();
                prop_assert_eq!(seen, expected);
                let mut frequencies = lexicon.hashes().iter().zip(lexicon.texts());
                prop_assert!(frequencies.all(|(hash, texts)| texts_with[hash] == texts));
            }
        }
    }
}
