//! The hashing encoder: vectors of texts from their n-grams alone, without a model or a vocabulary.
//!
//! The weight of an n-gram in a text is `(1 + ln tf) * (ln((1 + n) / (1 + df)) + 1)`: sublinear term
//! frequency times the smoothed inverse document frequency (scikit-learn's definitions), `n` texts. `df` is
//! counted in a table of 2^22 slots that the n-gram's hash names, as the number of (text, distinct n-gram)
//! pairs that fall there, at most `n`. Weights are added, with a sign from the hash, to the dimension that
//! the hash names (Weinberger et al., ICML 2009), and the row is scaled to length 1.
//!
//! Within a row, n-grams are added in the order in which they are first seen (`text/lexicon.rs`), in
//! float64; `df` is an integer, so the order of counting does not matter; logarithms come from `libm`. Hence
//! the same bits everywhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::held_ngrams::{Held, LARGEST_COUNT, unpacked};
use super::lexicon::Lexicon;
use crate::blocks;
use crate::control::OffsetProgress;
use crate::pages::Pages;
use crate::simd::fetch;
use crate::{Control, Error};

const SLOT_BITS: u32 = 22;
/// Bytes of a table of document frequencies, one number for each slot.
pub const TABLE_BYTES: usize = size_of::<u32>() << SLOT_BITS;
/// Texts in a task: so many that words come again.
const BLOCK: usize = 256;
/// N-grams, and those of words, from which a lexicon begins anew: more than a cache holds.
const REMEMBERED: usize = 1 << 17;
/// Tables in which document frequencies are counted: one a thread, as threads that share one wait for each other at the
/// commonest n-grams, but not so many that they take gigabytes.
pub const TABLES: usize = 8;
/// What the n-grams of a text can take for each of its bytes, about.
const MOST_BYTES: usize = 16;
/// Slots of two tables that are added in one go.
const ADDED: usize = 1 << 16;
/// Term frequencies whose weight is looked up rather than computed: all that are held.
const COMMON: usize = LARGEST_COUNT as usize + 1;
/// The slots of n-grams lie anywhere in a table that no cache holds: they are asked for so many n-grams ahead.
const AHEAD: usize = 16;

/// The vectors of texts.
#[derive(Debug)]
pub struct Encoded {
    /// Rows of length 1, one after the other.
    pub vectors: Vec<f32>,
    /// How many texts have no word; their vector is the first unit vector.
    pub empty_texts: usize,
}

/// What decides an n-gram's weight.
struct Weights {
    slots: Pages<u32>,
    /// By what a slot holds.
    inverse: Vec<f64>,
    /// By term frequency.
    common: Vec<f64>,
}

/// What an n-gram adds to a vector.
#[derive(Debug, Clone, Copy)]
struct Part {
    dimension: usize,
    /// The inverse document frequency, with the sign of the n-gram.
    inverse: f64,
}

impl Weights {
    /// Appends the parts of n-grams in vectors of so many dimensions.
    fn extend(&self, parts: &mut Vec<Part>, hashes: &[u64], dimensions: usize) {
        for (at, &hash) in hashes.iter().enumerate() {
            if let Some(&later) = hashes.get(at + AHEAD) {
                fetch(&self.slots, slot(later));
            }
            let (dimension, sign) = place(hash, dimensions);
            parts.push(Part { dimension, inverse: sign * self.inverse[self.slots[slot(hash)] as usize] });
        }
    }

    /// Writes the vector of a text with these n-grams and counts, `sums` being scratch; tells whether there are none.
    #[inline]
    fn fill(
        &self,
        parts: &[Part],
        ngrams: impl Iterator<Item = (usize, u32)>,
        sums: &mut [f64],
        vector: &mut [f32],
    ) -> bool {
        let mut ngrams = ngrams.map(|(ngram, count)| (parts[ngram], count)).peekable();
        let Some(&(first, _)) = ngrams.peek() else {
            vector[0] = 1.0;
            return true;
        };
        sums.fill(0.0);
        for (part, count) in ngrams {
            let term = match self.common.get(count as usize) {
                Some(&weight) => weight,
                None => term_weight(count),
            };
            sums[part.dimension] += part.inverse * term;
        }
        let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        if length == 0.0 {
            vector[first.dimension] = first.inverse.signum() as f32;
        } else {
            vector.iter_mut().zip(sums).for_each(|(value, sum)| *value = (*sum / length) as f32);
        }
        false
    }
}

fn slot(hash: u64) -> usize {
    (hash >> (64 - SLOT_BITS)) as usize
}

/// The dimension and the sign of an n-gram, from bits that the slot does not use.
fn place(hash: u64, dimensions: usize) -> (usize, f64) {
    let dimension = match u32::try_from(dimensions) {
        Ok(dimensions) => ((hash & 0xFFFF_FFFF) * u64::from(dimensions)) >> 32,
        Err(_) => (((hash & 0xFFFF_FFFF) as u128 * dimensions as u128) >> 32) as u64,
    };
    (dimension as usize, if hash >> 32 & 1 == 0 { 1.0 } else { -1.0 })
}

fn term_weight(count: u32) -> f64 {
    1.0 + libm::log(f64::from(count))
}

/// Encodes texts as rows of `dimensions` values and length 1.
///
/// N-grams are held in so many bytes of `memory` from the count of document frequencies to the weights; texts beyond
/// are taken apart twice, with the same result.
///
/// A text without words gets the first unit vector and is counted. A text whose signed weights cancel to
/// zero gets the unit vector of its first n-gram.
///
/// # Errors
/// [`Error::Argument`] where `dimensions` is 0, [`Error::TooManyRows`], [`Error::OutOfMemory`], or what
/// `control` stops with.
pub fn encode(
    texts: &[&str],
    dimensions: usize,
    memory: usize,
    control: &impl Control,
) -> Result<Encoded, Error> {
    if dimensions == 0 {
        return Err(Error::Argument { what: "the number of dimensions must be at least 1".into() });
    }
    blocks::check_countable(texts.len())?;
    let mut vectors = blocks::zeroed::<f32>(texts.len().saturating_mul(dimensions))?;
    // Two passes over the same rows are one to those who watch.
    let rows = texts.len() as u64;
    let pass = |before| OffsetProgress { control, before, total: 2 * rows };
    // What is not written takes no memory; where none can be had, nothing is held.
    let most = texts.iter().map(|text| text.len()).sum::<usize>().saturating_mul(MOST_BYTES);
    let memory = Pages::<u64>::small(memory.min(most) / size_of::<u64>());
    let mut memory = memory.or_else(|_| Pages::small(0))?;
    let held = Held::new(texts.len().div_ceil(BLOCK), &mut memory);
    let lexicons = Lexicons::default();
    let weights = count(texts, &held, &lexicons, &pass(0))?;
    let empty_texts = AtomicUsize::new(0);
    blocks::fill(&mut vectors, dimensions, BLOCK, &pass(rows), |first, block| {
        let (mut parts, mut sums, mut empty) = (Vec::new(), vec![0.0; dimensions], 0);
        let mut rows = block.chunks_exact_mut(dimensions);
        if let Some(held) = held.take(first / BLOCK) {
            for (hashes, texts) in held.parts() {
                parts.clear();
                weights.extend(&mut parts, hashes, dimensions);
                for (ngrams, vector) in texts.iter().zip(&mut rows) {
                    let ngrams = ngrams.iter().map(|&ngram| unpacked(ngram));
                    empty += usize::from(weights.fill(&parts, ngrams, &mut sums, vector));
                }
            }
        } else {
            let mut lexicon = lexicons.take();
            for (vector, text) in rows.zip(&texts[first..]) {
                if lexicon.len() > REMEMBERED {
                    lexicon.clear();
                    parts.clear();
                }
                lexicon.take(text);
                let new = &lexicon.hashes()[parts.len()..];
                weights.extend(&mut parts, new, dimensions);
                let ngrams = lexicon.counted().iter().map(|&(ngram, count)| (ngram as usize, count));
                empty += usize::from(weights.fill(&parts, ngrams, &mut sums, vector));
            }
            lexicons.give(lexicon);
        }
        empty_texts.fetch_add(empty, Ordering::Relaxed);
        Ok(())
    })?;
    Ok(Encoded { vectors, empty_texts: empty_texts.into_inner() })
}

/// Lexicons whose memory is used again.
#[derive(Default)]
struct Lexicons(Mutex<Vec<Lexicon>>);

impl Lexicons {
    /// One that knows nothing.
    fn take(&self) -> Lexicon {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(Lexicon::new)
    }

    fn give(&self, mut lexicon: Lexicon) {
        lexicon.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lexicon);
    }
}

/// The first pass over the texts: counts document frequencies, and holds n-grams for the second.
fn count(
    texts: &[&str],
    held: &Held<'_>,
    lexicons: &Lexicons,
    control: &impl Control,
) -> Result<Weights, Error> {
    let tables: Vec<Mutex<Option<Pages<u32>>>> =
        (0..rayon::current_num_threads().clamp(1, TABLES)).map(|_| Mutex::default()).collect();
    blocks::try_for_each(texts.len(), BLOCK, control, |rows| {
        let table = &tables[rayon::current_thread_index().unwrap_or(0) % tables.len()];
        let (mut lexicon, mut ngrams, block) = (lexicons.take(), held.block(), rows.start / BLOCK);
        for text in &texts[rows] {
            if lexicon.len() > REMEMBERED {
                add_frequencies(&lexicon, table)?;
                ngrams.end_part(&lexicon);
                lexicon.clear();
            }
            lexicon.take(text);
            ngrams.add(&lexicon);
        }
        add_frequencies(&lexicon, table)?;
        ngrams.end_part(&lexicon);
        lexicons.give(lexicon);
        ngrams.end(block);
        Ok(())
    })?;
    let slots = added(tables)?;
    let largest = slots.par_iter().copied().max().unwrap_or(0);
    let texts = texts.len();
    let inverse = (0..=largest as usize)
        .map(|df| libm::log((1.0 + texts as f64) / (1.0 + df.min(texts) as f64)) + 1.0)
        .collect();
    let common = (0..COMMON as u32).map(|count| if count == 0 { 0.0 } else { term_weight(count) }).collect();
    Ok(Weights { slots, inverse, common })
}

/// Adds how many texts have each n-gram that a lexicon knows to the slots of a table.
fn add_frequencies(lexicon: &Lexicon, table: &Mutex<Option<Pages<u32>>>) -> Result<(), Error> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    let slots = match &mut *table {
        Some(slots) => slots,
        none => none.insert(Pages::small(1 << SLOT_BITS)?),
    };
    let hashes = lexicon.hashes();
    for (at, (&hash, texts)) in hashes.iter().zip(lexicon.texts()).enumerate() {
        if let Some(&later) = hashes.get(at + AHEAD) {
            fetch(slots, slot(later));
        }
        slots[slot(hash)] += texts;
    }
    Ok(())
}

/// The sum of the tables that were used.
fn added(tables: Vec<Mutex<Option<Pages<u32>>>>) -> Result<Pages<u32>, Error> {
    let mut used =
        tables.into_iter().filter_map(|table| table.into_inner().unwrap_or_else(PoisonError::into_inner));
    let Some(mut sum) = used.next() else { return Pages::small(1 << SLOT_BITS) };
    for table in used {
        sum.par_chunks_mut(ADDED).zip(table.par_chunks(ADDED)).for_each(|(sum, table)| {
            sum.iter_mut().zip(table).for_each(|(sum, count)| *sum += count);
        });
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::super::features::plain as ngrams_of;
    use super::*;
    use crate::Unwatched;

    const MEMORY: usize = 1 << 20;

    /// The definition, with library maps and no table of slots but the counts' own.
    fn plain(texts: &[&str], dimensions: usize) -> (Vec<f32>, usize) {
        let rows: Vec<Vec<u64>> = texts.iter().map(|text| ngrams_of(text)).collect();
        let mut frequency: HashMap<usize, usize> = HashMap::new();
        for hashes in &rows {
            for hash in hashes.iter().collect::<HashSet<_>>() {
                *frequency.entry(slot(*hash)).or_default() += 1;
            }
        }
        let (mut vectors, mut empty_texts) = (Vec::new(), 0);
        for hashes in &rows {
            let mut sums = vec![0.0f64; dimensions];
            let mut seen = HashSet::new();
            for &hash in hashes.iter().filter(|&&hash| seen.insert(hash)) {
                let tf = hashes.iter().filter(|&&other| other == hash).count() as f64;
                let df = frequency[&slot(hash)].min(texts.len()) as f64;
                let idf = libm::log((1.0 + texts.len() as f64) / (1.0 + df)) + 1.0;
                let (dimension, sign) = place(hash, dimensions);
                sums[dimension] += sign * (idf * (1.0 + libm::log(tf)));
            }
            let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
            if hashes.is_empty() {
                empty_texts += 1;
                sums[0] = 1.0;
            } else if length == 0.0 {
                let (dimension, sign) = place(hashes[0], dimensions);
                sums[dimension] = sign;
            } else {
                sums.iter_mut().for_each(|sum| *sum /= length);
            }
            vectors.extend(sums.iter().map(|&sum| sum as f32));
        }
        (vectors, empty_texts)
    }

    /// A text that says one word so often that its count is not held, and texts of more n-grams than are held.
    #[test]
    fn texts_taken_apart_twice_have_the_same_vectors() {
        let often = format!("{} and others", "word ".repeat(1100));
        let texts = [often.as_str(), "word and others", ""];
        let (vectors, empty_texts) = plain(&texts, 64);
        let encoded = encode(&texts, 64, MEMORY, &Unwatched).unwrap();
        assert_eq!((bits(&encoded.vectors), encoded.empty_texts), (bits(&vectors), empty_texts));

        // Texts that one lexicon numbered, and then another; a count, a text or a lexicon that is not held.
        let (mut lexicon, mut memory) = (Lexicon::new(), [0; 60]);
        let held = Held::new(4, &mut memory);
        for (block, texts, is_held) in [
            (0, ["one", "or two"], true),
            (1, ["one", &often], false),
            (2, ["one", "a text of so many more words"], false),
            (3, ["", ""], true),
        ] {
            let mut ngrams = held.block();
            for text in texts {
                lexicon.clear();
                lexicon.take(text);
                ngrams.add(&lexicon);
                ngrams.end_part(&lexicon);
            }
            ngrams.end(block);
            let found = held.take(block);
            assert_eq!(found.is_some(), is_held);
            let found = found.iter().flat_map(|ngrams| ngrams.parts());
            for ((hashes, packed), text) in found.zip(texts) {
                let [packed] = packed else { panic!("one text a part") };
                let unpacked = packed.iter().map(|&ngram| unpacked(ngram));
                let found: Vec<u64> =
                    unpacked.flat_map(|(ngram, count)| vec![hashes[ngram]; count as usize]).collect();
                assert_eq!(found, ngrams_of(text));
            }
        }
    }

    fn bits(vectors: &[f32]) -> Vec<u32> {
        vectors.iter().map(|value| value.to_bits()).collect()
    }

    fn threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn agrees_with_the_definition_at_any_thread_count(
            texts in prop::collection::vec("([a-cé_中文ก]{1,3}[ ,]){0,12}", 0..150),
            dimensions in prop::sample::select(vec![1usize, 2, 7, 384]),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (vectors, empty_texts) = plain(&texts, dimensions);
            for count in [1, 2, 7] {
                for memory in [0, 2000, MEMORY] {
                    let encoded = threads(count, || encode(&texts, dimensions, memory, &Unwatched)).unwrap();
                    prop_assert_eq!(bits(&encoded.vectors), bits(&vectors));
                    prop_assert_eq!(encoded.empty_texts, empty_texts);
                }
            }
        }
    }

    #[test]
    fn rows_have_length_one_and_empty_texts_are_counted() {
        let encoded = encode(&["", "...", "some words", "one"], 16, MEMORY, &Unwatched).unwrap();
        assert_eq!(encoded.empty_texts, 2);
        let mut first = [0.0; 16];
        first[0] = 1.0;
        assert_eq!(encoded.vectors[..16], first);
        assert_eq!(encoded.vectors[16..32], first);
        for row in encoded.vectors.chunks(16) {
            let squares: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            assert!((squares - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_row_that_cancels_to_zero_gets_its_first_ngram() {
        // In one dimension two n-grams of equal weight and opposite sign cancel.
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let texts: Vec<&str> = letters.iter().map(String::as_str).collect();
        let signs =
            |text: &str| ngrams_of(text).into_iter().map(|hash| place(hash, 1).1).collect::<Vec<f64>>();
        let cancelled: Vec<&&str> =
            texts.iter().filter(|text| signs(text).iter().sum::<f64>() == 0.0).collect();
        assert!(!cancelled.is_empty(), "no letter shows the case");
        for text in cancelled {
            assert_eq!(encode(&[text], 1, MEMORY, &Unwatched).unwrap().vectors, [signs(text)[0] as f32]);
        }
    }

    #[test]
    fn near_texts_are_near() {
        let texts = [
            "find me a cheap hotel in Paris",
            "find a cheap hotel in Paris please",
            "the derivative of x squared",
        ];
        let vectors = encode(&texts, 384, MEMORY, &Unwatched).unwrap().vectors;
        let dot = |a: usize, b: usize| -> f32 {
            (0..384).map(|at| vectors[a * 384 + at] * vectors[b * 384 + at]).sum()
        };
        assert!(dot(0, 1) > 0.5 && dot(0, 2).abs() < 0.2, "{} {}", dot(0, 1), dot(0, 2));
    }

    #[test]
    fn bad_dimensions_are_refused() {
        assert!(matches!(encode(&["a"], 0, MEMORY, &Unwatched), Err(Error::Argument { .. })));
        assert!(matches!(
            encode(&["a", "b"], usize::MAX, MEMORY, &Unwatched),
            Err(Error::OutOfMemory { .. })
        ));
        assert!(encode(&[], 3, MEMORY, &Unwatched).unwrap().vectors.is_empty());
    }
}
