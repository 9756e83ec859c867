//! What a text's words say of it, as one number a text: each measure in a file of its own, with its formula and the plain
//! twin that defines it.
//!
//! A text without words, or without characters, scores 0. Of all but [`rarity`] the number of a text follows from that
//! text alone. Whole numbers are counted, and divided once, or logarithms are `libm`'s and summed in an order that
//! follows from the counts, so that the bits depend neither on the machine nor on the threads.

pub mod characters;
pub mod compression;
pub mod diversity;
pub mod entropy;
pub mod rarity;
pub mod repetition;

use crate::{Control, Error, blocks};

/// Texts in a block.
const BLOCK: usize = 64;

/// `value` of each text, with scratch that the texts of a block share.
fn each<S>(
    texts: &[&str],
    control: &impl Control,
    scratch: impl Fn() -> S + Sync,
    value: impl Fn(&mut S, &str) -> f64 + Sync,
) -> Result<Vec<f32>, Error> {
    let mut values = blocks::zeroed(texts.len())?;
    blocks::fill(&mut values, 1, BLOCK, control, |first, block| {
        let mut shared = scratch();
        block.iter_mut().zip(&texts[first..]).for_each(|(to, text)| *to = value(&mut shared, text) as f32);
        Ok(())
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn threads_do_not_change_a_bit(texts in prop::collection::vec("([a-c]{1,2}[ .]){0,30}|[中文ก ]{0,9}", 0..400)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let measures = || -> Vec<Vec<u32>> {
                [
                    entropy::difficulties(&texts, &Unwatched),
                    entropy::entropies(&texts, &Unwatched),
                    diversity::moving_averages(&texts, 5, &Unwatched),
                    compression::ratios(&texts, &Unwatched),
                    rarity::rarities(&texts, 2, &Unwatched),
                    repetition::shares(&texts, 2, &Unwatched),
                ]
                .into_iter()
                .map(|values| values.unwrap().into_iter().map(f32::to_bits).collect())
                .collect()
            };
            let one = with_threads(1, measures);
            for threads in THREADS {
                prop_assert_eq!(&with_threads(threads, measures), &one);
            }
        }
    }
}
