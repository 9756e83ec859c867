//! Words: maximal runs of alphanumeric characters (Unicode `Alphabetic` or `Numeric`) and `_`, in lower case.

use crate::rng::mix64;
use crate::{Control, Error, blocks};

/// Texts in a block.
const BLOCK: usize = 256;

/// Whether a word can hold this character.
#[inline]
fn is_word(character: char) -> bool {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => is_word_byte(byte),
        _ => character.is_alphanumeric(),
    }
}

/// Whether a word can hold this ASCII character.
#[inline]
const fn is_word_byte(byte: u8) -> bool {
    // Without a branch, so that many are told in one instruction.
    ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10) | (byte == b'_')
}

/// How many words each text has: as often as [`for_each_word`] would call.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn counts(texts: &[&str], control: &impl Control) -> Result<Vec<i64>, Error> {
    let mut counts = blocks::zeroed(texts.len())?;
    blocks::fill(&mut counts, 1, BLOCK, control, |first, block| {
        block.iter_mut().zip(&texts[first..]).for_each(|(count, text)| *count = count_of(text));
        Ok(())
    })?;
    Ok(counts)
}

/// A word begins where a character of words follows one that is none.
fn count_of(text: &str) -> i64 {
    if text.is_ascii() {
        return count_of_ascii(text.as_bytes());
    }
    let (mut words, mut within) = (0, false);
    for character in text.chars() {
        let word = is_word(character);
        words += i64::from(word && !within);
        within = word;
    }
    words
}

fn count_of_ascii(text: &[u8]) -> i64 {
    let Some((&first, later)) = text.split_first() else { return 0 };
    let mut words = i64::from(is_word_byte(first));
    // Of so few bytes a byte holds the count, and registers hold many of those.
    for (before, bytes) in text.chunks(255).zip(later.chunks(255)) {
        let begins = |(&before, &byte)| u8::from(is_word_byte(byte) & !is_word_byte(before));
        words += i64::from(before.iter().zip(bytes).map(begins).sum::<u8>());
    }
    words
}

/// Calls `visit` with the characters of each word in order; `buffer` is scratch.
///
/// Each character is lowered by itself, so the final sigma rule of whole-word lowering is not applied.
#[inline]
pub fn for_each_word(text: &str, buffer: &mut Vec<char>, mut visit: impl FnMut(&[char])) {
    buffer.clear();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '_' {
            buffer.push(character.to_ascii_lowercase());
        } else if !character.is_ascii() && character.is_alphanumeric() {
            buffer.extend(character.to_lowercase());
        } else if !buffer.is_empty() {
            visit(buffer);
            buffer.clear();
        }
    }
    if !buffer.is_empty() {
        visit(buffer);
    }
}

/// The running hash of a sequence of characters after one more of them; [`mix64`] finishes it.
#[inline]
pub(crate) const fn step(state: u64, character: char) -> u64 {
    (state.rotate_left(5) ^ character as u64).wrapping_mul(0x517C_C1B7_2722_0A95)
}

/// A 64-bit hash of a word's characters.
#[inline]
pub(crate) fn hash(word: &[char]) -> u64 {
    mix64(word.iter().fold(0, |state, &character| step(state, character)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    fn words(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_word(text, &mut Vec::new(), |word| found.push(word.iter().collect()));
        found
    }

    #[test]
    fn words_are_runs_of_alphanumerics_and_underscores() {
        assert_eq!(words("get_user(id=42), it's 3.5!"), ["get_user", "id", "42", "it", "s", "3", "5"]);
        assert_eq!(words(" \t\n.,;- \u{2028}"), [""; 0]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn letters_of_every_script_count_and_are_lowered() {
        assert_eq!(words("Straße ÉCOLE été"), ["straße", "école", "été"]);
        assert_eq!(words("东京2024 Ωμέγα\u{a0}ΣΑΣ"), ["东京2024", "ωμέγα", "σασ"]);
        // The lower case of one letter may be several characters.
        assert_eq!(words("İ"), ["i\u{307}"]);
        assert_eq!(words("½ ²"), ["½", "²"]);
        assert_eq!(words("😀a😀"), ["a"]);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_words_visited(texts in prop::collection::vec(".{0,30}|[a-c_1é东½ .]{0,30}", 0..600)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected: Vec<i64> = texts.iter().map(|text| words(text).len() as i64).collect();
            for threads in THREADS {
                prop_assert_eq!(&with_threads(threads, || counts(&texts, &Unwatched)).unwrap(), &expected);
            }
        }
    }

    #[test]
    fn hashes_tell_words_apart() {
        let mut hashes = Vec::new();
        for_each_word("a b ab ba aa _ 1 é e", &mut Vec::new(), |word| hashes.push(hash(word)));
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }
}
