//! Lexical diversity: how many words a text has to how often it says one, whatever its length.

use super::each;
use crate::text::numbers::Numbers;
use crate::text::words;
use crate::{Control, Error};

/// The moving-average type-token ratio of each text (MATTR; Covington & McFall, "Cutting the Gordian Knot", Journal of
/// Quantitative Linguistics 17, 2010): of each run of `window` words the share that are distinct, and the mean over all
/// runs.
///
/// The share of distinct words in a whole text falls with its length; that of runs of one length does not. A text of fewer
/// words is one run, so that its ratio is that of all its words.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn moving_averages(texts: &[&str], window: usize, control: &impl Control) -> Result<Vec<f32>, Error> {
    each(texts, control, Runs::default, |runs, text| runs.mean(text, window.max(1)))
}

/// The words of a text in order, and how often those of a run occur in it.
#[derive(Default)]
struct Runs {
    numbers: Numbers,
    said: Vec<u32>,
    counts: Vec<u32>,
    buffer: Vec<char>,
}

impl Runs {
    fn mean(&mut self, text: &str, window: usize) -> f64 {
        let Self { numbers, said, counts, buffer } = self;
        numbers.clear();
        said.clear();
        words::for_each_hash(text, buffer, |hash, _| said.push(numbers.of(hash)));
        if said.is_empty() {
            return 0.0;
        }
        counts.clear();
        counts.resize(numbers.hashes().len(), 0);
        let window = window.min(said.len());
        let (mut distinct, mut total) = (0u64, 0u64);
        for (at, &word) in said.iter().enumerate() {
            let count = &mut counts[word as usize];
            *count += 1;
            distinct += u64::from(*count == 1);
            if at + 1 >= window {
                total += distinct;
                let count = &mut counts[said[at + 1 - window] as usize];
                *count -= 1;
                distinct -= u64::from(*count == 0);
            }
        }
        total as f64 / ((said.len() - window + 1) as f64 * window as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition.
    fn plain(text: &str, window: usize) -> f64 {
        let mut said: Vec<String> = Vec::new();
        words::for_each_word(text, &mut Vec::new(), |word| said.push(word.iter().collect()));
        if said.is_empty() {
            return 0.0;
        }
        let runs: Vec<&[String]> = said.windows(window.min(said.len())).collect();
        let share = |run: &&[String]| run.iter().collect::<HashSet<_>>().len() as f64 / run.len() as f64;
        runs.iter().map(share).sum::<f64>() / runs.len() as f64
    }

    proptest! {
        #[test]
        fn is_the_mean_over_all_runs(
            texts in prop::collection::vec("([a-cA-C_é中文]{1,2}[ .]){0,40}", 0..5), window in 1usize..60,
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for (value, text) in moving_averages(&texts, window, &Unwatched).unwrap().into_iter().zip(texts) {
                let expected = plain(text, window);
                prop_assert!((f64::from(value) - expected).abs() < 1e-6, "{value} {expected} {text:?}");
            }
        }
    }

    #[test]
    fn known_values() {
        let texts = ["", "...", "a", "a b c", "a A a a", "a b a b", "a b a b a b a b"];
        let values = moving_averages(&texts, 4, &Unwatched).unwrap();
        assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 0.25, 0.5, 0.5]);
        // Words that come again after a run has ended count anew: length alone changes nothing.
        let cycle: String = (0..30).map(|at| format!("w{} ", at % 10)).collect();
        assert_eq!(moving_averages(&[&cycle, &cycle.repeat(9)], 10, &Unwatched).unwrap(), [1.0, 1.0]);
        assert_eq!(moving_averages(&["a b a"], 0, &Unwatched).unwrap(), [1.0], "no run is empty");
        assert_eq!(moving_averages(&["a b a"], usize::MAX, &Unwatched).unwrap(), [2.0 / 3.0]);
    }
}
