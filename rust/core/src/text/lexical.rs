//! Lexical difficulty: how long a text is and how varied its words are.

use super::numbers::Numbers;
use super::words;
use crate::blocks;
use crate::{Control, Error};

const BLOCK: usize = 64;

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
    let mut values = blocks::zeroed(texts.len())?;
    blocks::fill(&mut values, 1, BLOCK, control, |first, block| {
        let (mut buffer, mut words, mut counts) = (Vec::new(), Numbers::new(), Vec::new());
        for (value, text) in block.iter_mut().zip(&texts[first..]) {
            words.clear();
            counts.clear();
            words::for_each_hash(text, &mut buffer, |hash, _| {
                let word = words.of(hash) as usize;
                if word == counts.len() {
                    counts.push(0);
                }
                counts[word] += 1;
            });
            *value = of_counts(&mut counts) as f32;
        }
        Ok(())
    })?;
    Ok(values)
}

/// The difficulty of a text whose distinct words occur so often; counts of 1 are left out of these.
fn of_counts(counts: &mut Vec<usize>) -> f64 {
    let words = counts.iter().sum::<usize>() as f64;
    if words == 0.0 {
        return 0.0;
    }
    counts.retain(|&count| count > 1);
    counts.sort_unstable();
    let each = |equal: &[usize]| {
        let count = equal[0] as f64;
        std::iter::repeat_n(count * libm::log2(count), equal.len())
    };
    let spent: f64 = counts.chunk_by(|a, b| a == b).flat_map(each).sum();
    let entropy = (libm::log2(words) - spent / words).max(0.0);
    libm::log2(1.0 + words) + entropy
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition, over the words themselves.
    fn plain(text: &str) -> f32 {
        let mut counts: HashMap<String, usize> = HashMap::new();
        words::for_each_word(text, &mut Vec::new(), |word| {
            *counts.entry(word.iter().collect()).or_default() += 1
        });
        let words = counts.values().sum::<usize>() as f64;
        let share = |&count: &usize| count as f64 / words;
        let entropy: f64 = counts.values().map(|count| -share(count) * share(count).log2()).sum();
        ((1.0 + words).log2() + entropy) as f32
    }

    proptest! {
        #[test]
        fn is_the_entropy_and_the_length(text in "([a-cA-C_é中文ก]{1,2}[ .]){0,60}") {
            let value = difficulties(&[&text], &Unwatched).unwrap()[0];
            prop_assert!((value - plain(&text)).abs() <= 4.0 * f32::EPSILON * value.max(1.0), "{value} {}", plain(&text));
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
}
