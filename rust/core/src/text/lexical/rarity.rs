//! Rarity: how few texts of the set have a text's n-grams.

use std::sync::{Mutex, PoisonError};

use super::{BLOCK, each};
use crate::control::OffsetProgress;
use crate::text::{phrases, words};
use crate::{Control, Error, blocks};

/// The mean of `log2(n / df)` over the distinct n-grams of each text, in bits: runs of `length` words, `df` of the `n`
/// texts with the n-gram.
///
/// It is the mean inverse document frequency (Spärck Jones 1972; of queries: Cronen-Townsend et al. 2002): 0 where every
/// text has every n-gram, `log2(n)` where no other text has one. A text of fewer words is one n-gram, which no longer text
/// has; a text without words scores 0. So the number of a text follows from all texts, but not from their order.
///
/// Exact, in 12 to 34 bytes for each distinct n-gram of all texts; texts are taken apart twice.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn rarities(texts: &[&str], length: usize, control: &impl Control) -> Result<Vec<f32>, Error> {
    let length = length.max(1);
    let total = 2 * texts.len() as u64;
    let counts = Counts::new();
    let first = OffsetProgress { control, before: 0, total };
    blocks::try_for_each(texts.len(), BLOCK, &first, |rows| {
        let (mut own, mut all) = (Ngrams::default(), Vec::new());
        for text in &texts[rows] {
            all.extend_from_slice(own.of(text, length));
        }
        counts.add(all)
    })?;
    let counts = counts.done();
    let second = OffsetProgress { control, before: texts.len() as u64, total };
    let most = libm::log2(texts.len() as f64);
    each(texts, &second, <(Ngrams, Vec<u32>)>::default, |(own, found), text| {
        found.clear();
        found.extend(own.of(text, length).iter().map(|&ngram| counts.of(ngram)));
        if found.is_empty() {
            return 0.0;
        }
        // In an order that the counts alone decide.
        found.sort_unstable();
        let each = |equal: &[u32]| equal.len() as f64 * libm::log2(f64::from(equal[0]));
        let spent: f64 = found.chunk_by(|a, b| a == b).map(each).sum();
        (most - spent / found.len() as f64).max(0.0)
    })
}

/// The distinct n-grams of the text taken last.
#[derive(Default)]
struct Ngrams {
    said: Vec<u64>,
    distinct: Vec<u64>,
    buffer: Vec<char>,
}

impl Ngrams {
    fn of(&mut self, text: &str, length: usize) -> &[u64] {
        let Self { said, distinct, buffer } = self;
        said.clear();
        words::for_each_hash(text, buffer, |hash, _| said.push(hash));
        distinct.clear();
        distinct.extend(said.windows(length.min(said.len()).max(1)).map(phrases::of));
        distinct.sort_unstable();
        distinct.dedup();
        distinct
    }
}

/// Parts of a table, each locked alone.
const PARTS: usize = 256;

/// How many texts have each n-gram, while threads count. Sums do not depend on which came first.
struct Counts(Vec<Mutex<Table>>);

impl Counts {
    fn new() -> Self {
        Self((0..PARTS).map(|_| Mutex::default()).collect())
    }

    /// Counts one more of each.
    fn add(&self, mut ngrams: Vec<u64>) -> Result<(), Error> {
        ngrams.sort_unstable();
        for part in ngrams.chunk_by(|a, b| part_of(*a) == part_of(*b)) {
            let mut table = self.0[part_of(part[0])].lock().unwrap_or_else(PoisonError::into_inner);
            part.iter().try_for_each(|&ngram| table.add(ngram))?;
        }
        Ok(())
    }

    fn done(self) -> Counted {
        Counted(
            self.0
                .into_iter()
                .map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner))
                .collect(),
        )
    }
}

/// What was counted.
struct Counted(Vec<Table>);

impl Counted {
    #[inline]
    fn of(&self, ngram: u64) -> u32 {
        self.0[part_of(ngram)].get(ngram)
    }
}

/// By the highest bits; places within a part go by the lowest.
#[inline]
fn part_of(ngram: u64) -> usize {
    (ngram >> (u64::BITS - PARTS.ilog2())) as usize
}

/// Counts of hashes, in places found by their low bits.
#[derive(Default)]
struct Table {
    hashes: Vec<u64>,
    /// 0 where a place is free; the length of both is a power of two.
    counts: Vec<u32>,
    used: usize,
}

impl Table {
    fn add(&mut self, hash: u64) -> Result<(), Error> {
        if self.used * 10 >= self.counts.len() * 7 {
            self.grow()?;
        }
        let place = self.place(hash);
        self.used += usize::from(self.counts[place] == 0);
        self.hashes[place] = hash;
        self.counts[place] = self.counts[place].saturating_add(1);
        Ok(())
    }

    #[inline]
    fn get(&self, hash: u64) -> u32 {
        self.counts[self.place(hash)]
    }

    /// Where a hash lies, or is to lie.
    #[inline]
    fn place(&self, hash: u64) -> usize {
        let mask = self.counts.len() - 1;
        let mut place = hash as usize & mask;
        while self.counts[place] != 0 && self.hashes[place] != hash {
            place = (place + 1) & mask;
        }
        place
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Error> {
        let places = (self.counts.len() * 2).max(16);
        let larger =
            Self { hashes: blocks::zeroed(places)?, counts: blocks::zeroed(places)?, used: self.used };
        let smaller = std::mem::replace(self, larger);
        for (hash, count) in smaller.hashes.into_iter().zip(smaller.counts) {
            if count != 0 {
                let place = self.place(hash);
                (self.hashes[place], self.counts[place]) = (hash, count);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The distinct n-grams of a text, by their words.
    fn ngrams(text: &str, length: usize) -> HashSet<Vec<String>> {
        let mut said: Vec<String> = Vec::new();
        words::for_each_word(text, &mut Vec::new(), |word| said.push(word.iter().collect()));
        if said.is_empty() {
            HashSet::new()
        } else {
            said.windows(length.min(said.len())).map(<[String]>::to_vec).collect()
        }
    }

    /// The definition.
    fn plain(texts: &[&str], length: usize) -> Vec<f64> {
        let own: Vec<HashSet<Vec<String>>> = texts.iter().map(|text| ngrams(text, length)).collect();
        let mut with: HashMap<&Vec<String>, usize> = HashMap::new();
        own.iter().flatten().for_each(|ngram| *with.entry(ngram).or_default() += 1);
        let bits = |ngram: &Vec<String>| -(with[ngram] as f64 / texts.len() as f64).log2();
        own.iter()
            .map(|of| if of.is_empty() { 0.0 } else { of.iter().map(bits).sum::<f64>() / of.len() as f64 })
            .collect()
    }

    proptest! {
        #[test]
        fn is_the_mean_over_the_distinct_ngrams(
            texts in prop::collection::vec("([a-fA-C_é中文]{1,2}[ .]){0,12}", 0..150), length in 1usize..4,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let values = rarities(&texts, length, &Unwatched).unwrap();
            for (value, expected) in values.into_iter().zip(plain(&texts, length)) {
                prop_assert!((f64::from(value) - expected).abs() < 1e-5, "{value} {expected}");
            }
        }

        #[test]
        fn the_order_of_texts_does_not_matter(texts in prop::collection::vec("([a-f]{1,2} ){0,12}", 2..80), by in 1usize..80) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let by = by % texts.len();
            let moved = [&texts[by..], &texts[..by]].concat();
            let mut values = rarities(&texts, 1, &Unwatched).unwrap();
            values.rotate_left(by);
            let bits = |values: Vec<f32>| -> Vec<u32> { values.into_iter().map(f32::to_bits).collect() };
            prop_assert_eq!(bits(values), bits(rarities(&moved, 1, &Unwatched).unwrap()));
        }
    }

    #[test]
    fn known_values() {
        let texts = ["a b", "a a a", "a", "a c c"];
        assert_eq!(rarities(&texts, 1, &Unwatched).unwrap(), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(rarities(&["", "..."], 1, &Unwatched).unwrap(), [0.0, 0.0]);
        assert_eq!(
            rarities(&["one text"], 1, &Unwatched).unwrap(),
            [0.0],
            "every text has all that the only one has"
        );
        // Of two words each text is one n-gram, but for the last two: "a a" twice is one, and `a` is a text of its own.
        assert_eq!(rarities(&texts, 2, &Unwatched).unwrap(), [2.0, 2.0, 2.0, 2.0]);
        assert_eq!(rarities(&[], 2, &Unwatched).unwrap(), [0.0; 0]);
    }

    #[test]
    fn tables_hold_what_was_counted_as_they_grow() {
        let mut table = Table::default();
        // Equal low bits collide, and a hash may be 0.
        let hash = |at: u64| (at * at) << 10;
        for round in 1..=3 {
            (0..3000).for_each(|at| table.add(hash(at)).unwrap());
            assert!((0..3000).all(|at| table.get(hash(at)) == round));
        }
        assert_eq!(table.used, 3000);
        assert_eq!(table.get(1), 0);
    }
}
