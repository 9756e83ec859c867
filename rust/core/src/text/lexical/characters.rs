//! How long a text is in characters.

use crate::text::characters::COMPOSING;
use crate::{Control, Error, blocks};

/// Texts in a block.
const BLOCK: usize = 256;

/// How many characters each text has: Unicode scalar values of its form NFC, so that it does not matter how accents are
/// spelled.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn counts(texts: &[&str], control: &impl Control) -> Result<Vec<i64>, Error> {
    let mut counts = blocks::zeroed(texts.len())?;
    blocks::fill(&mut counts, 1, BLOCK, control, |first, block| {
        block.iter_mut().zip(&texts[first..]).for_each(|(count, text)| *count = count_of(text) as i64);
        Ok(())
    })?;
    Ok(counts)
}

fn count_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { COMPOSING.normalize(text).chars().count() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    #[test]
    fn known_counts() {
        let texts = ["", "abc \n", "été", "e\u{301}te\u{301}", "\u{1112}\u{1161}\u{11AB}", "東京", "😀"];
        assert_eq!(counts(&texts, &Unwatched).unwrap(), [0, 5, 3, 3, 1, 2, 1]);
    }

    proptest! {
        #[test]
        fn are_those_of_the_composed_text(texts in prop::collection::vec(".{0,30}|[e\u{301}ก한]{0,9}", 0..300)) {
            let expected: Vec<i64> = texts
                .iter()
                .map(|text| icu_normalizer::ComposingNormalizer::new_nfc().normalize_iter(text.chars()).count() as i64)
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(counts(&texts, &Unwatched).unwrap(), expected);
        }
    }
}
