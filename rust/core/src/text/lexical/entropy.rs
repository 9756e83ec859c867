//! The entropy of a text's own words, and lexical difficulty: how long a text is and how varied its words are.

use super::each;
use crate::text::numbers::Numbers;
use crate::text::words;
use crate::{Control, Error};

/// `log2(1 + t) + H` of each text: `t` words, and the Shannon entropy `H`, in bits, of the distribution of
/// the words in that text.
///
/// `H = log2(t) - (sum over distinct words of c * log2(c)) / t`, the counts `c` taken in ascending order and
/// logarithms from `libm`, so that the bits depend on nothing but the counts: neither on the machine nor on
/// the order of the words. Words are told apart by a 64-bit hash. A text without words has difficulty 0.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn difficulties(texts: &[&str], control: &impl Control) -> Result<Vec<f32>, Error> {
    each(texts, control, Counted::default, |counted, text| {
        let (words, entropy) = counted.words_and_entropy(text);
        libm::log2(1.0 + words) + entropy
    })
}

/// The `H` of [`difficulties`] alone: at most `log2(t)`, where no word is said twice.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn entropies(texts: &[&str], control: &impl Control) -> Result<Vec<f32>, Error> {
    each(texts, control, Counted::default, |counted, text| counted.words_and_entropy(text).1)
}

/// How often a text has each of its words.
#[derive(Default)]
struct Counted {
    words: Numbers,
    counts: Vec<usize>,
    buffer: Vec<char>,
}

impl Counted {
    /// How many words a text has, and the entropy of their distribution.
    fn words_and_entropy(&mut self, text: &str) -> (f64, f64) {
        let Self { words, counts, buffer } = self;
        words.clear();
        counts.clear();
        words::for_each_hash(text, buffer, |hash, _| {
            let word = words.of(hash) as usize;
            if word == counts.len() {
                counts.push(0);
            }
            counts[word] += 1;
        });
        let words = counts.iter().sum::<usize>() as f64;
        (words, if words == 0.0 { 0.0 } else { entropy(words, counts) })
    }
}

/// The entropy of so many words, of which the distinct ones occur so often; counts of 1 are left out of these.
fn entropy(words: f64, counts: &mut Vec<usize>) -> f64 {
    counts.retain(|&count| count > 1);
    counts.sort_unstable();
    let each = |equal: &[usize]| {
        let count = equal[0] as f64;
        std::iter::repeat_n(count * libm::log2(count), equal.len())
    };
    let spent: f64 = counts.chunk_by(|a, b| a == b).flat_map(each).sum();
    (libm::log2(words) - spent / words).max(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition, over the words themselves.
    fn plain(text: &str) -> (f64, f64) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        words::for_each_word(text, &mut Vec::new(), |word| {
            *counts.entry(word.iter().collect()).or_default() += 1
        });
        let words = counts.values().sum::<usize>() as f64;
        let share = |&count: &usize| count as f64 / words;
        let entropy: f64 = counts.values().map(|count| -share(count) * share(count).log2()).sum();
        (words, entropy)
    }

    proptest! {
        #[test]
        fn is_the_entropy_and_the_length(text in "([a-cA-C_é中文ก]{1,2}[ .]){0,60}") {
            let (words, entropy) = plain(&text);
            for (value, expected) in [
                (difficulties(&[&text], &Unwatched).unwrap()[0], ((1.0 + words).log2() + entropy) as f32),
                (entropies(&[&text], &Unwatched).unwrap()[0], entropy as f32),
            ] {
                prop_assert!((value - expected).abs() <= 4.0 * f32::EPSILON * value.max(1.0), "{value} {expected}");
            }
        }

        #[test]
        fn does_not_depend_on_the_order_of_the_words(mut words in prop::collection::vec("[a-d]{1,2}", 0..40)) {
            let text = words.join(" ");
            words.sort();
            let sorted = words.join("--");
            let values = difficulties(&[&text, &sorted], &Unwatched).unwrap();
            prop_assert_eq!(values[0].to_bits(), values[1].to_bits());
        }
    }

    #[test]
    fn known_values() {
        let values =
            difficulties(&["", "...", "word", "one two three", "Two two tWo", "a b a b"], &Unwatched);
        assert_eq!(
            values.unwrap(),
            [0.0, 0.0, 1.0, (2.0 + 3.0f64.log2()) as f32, 2.0, (5.0f64.log2() + 1.0) as f32]
        );
    }
    #[test]
    fn entropy_leaves_length_out() {
        let texts = ["", "...", "word word", "a b", "a b a b", "a b c d"];
        assert_eq!(entropies(&texts, &Unwatched).unwrap(), [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]);
    }
}
