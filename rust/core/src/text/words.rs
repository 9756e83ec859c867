//! Words: maximal runs of alphanumeric characters (Unicode `Alphabetic` or `Numeric`) and `_`, in lower case.

use crate::rng::mix64;

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
    use super::*;

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
