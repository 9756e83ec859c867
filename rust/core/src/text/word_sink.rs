//! What takes the words of a text as they are found: their characters, or their count alone.

use super::characters::push_folded;

/// Whether a word can hold this ASCII character.
#[inline]
pub(super) const fn is_word_byte(byte: u8) -> bool {
    // Without a branch, so that many are told in one instruction.
    ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10) | (byte == b'_')
}

/// What takes the words of a text.
pub(super) trait WordSink {
    /// Some of the text's ASCII characters in a row.
    fn ascii(&mut self, run: &[u8]);
    /// A character of the word that has begun, or that begins with it.
    fn push(&mut self, character: char);
    /// Whether a word has begun.
    fn in_word(&self) -> bool;
    /// The word that has begun, if any, ends here.
    fn end(&mut self);
}

/// Gathers the characters of each word, folded, and hands it on.
pub(super) struct Collector<'a, F> {
    pub(super) word: &'a mut Vec<char>,
    pub(super) visit: F,
}

impl<F: FnMut(&[char])> WordSink for Collector<'_, F> {
    #[inline]
    fn ascii(&mut self, run: &[u8]) {
        for &byte in run {
            if is_word_byte(byte) {
                self.word.push(byte.to_ascii_lowercase().into());
            } else {
                self.end();
            }
        }
    }

    #[inline]
    fn push(&mut self, character: char) {
        push_folded(self.word, character);
    }

    #[inline]
    fn in_word(&self) -> bool {
        !self.word.is_empty()
    }

    #[inline]
    fn end(&mut self) {
        if !self.word.is_empty() {
            (self.visit)(self.word);
            self.word.clear();
        }
    }
}

/// Counts words.
#[derive(Default)]
pub(super) struct Counter {
    pub(super) words: i64,
    within: bool,
}

impl WordSink for Counter {
    /// A word begins where a character of words follows one that is none.
    fn ascii(&mut self, run: &[u8]) {
        let (Some((&first, later)), Some(&last)) = (run.split_first(), run.last()) else { return };
        self.words += i64::from(is_word_byte(first) & !self.within);
        // Of so few bytes a byte holds the count, and registers hold many of those.
        for (before, bytes) in run.chunks(255).zip(later.chunks(255)) {
            let begins = |(&before, &byte)| u8::from(is_word_byte(byte) & !is_word_byte(before));
            self.words += i64::from(before.iter().zip(bytes).map(begins).sum::<u8>());
        }
        self.within = is_word_byte(last);
    }

    fn push(&mut self, _: char) {
        self.words += i64::from(!self.within);
        self.within = true;
    }

    fn in_word(&self) -> bool {
        self.within
    }

    fn end(&mut self) {
        self.within = false;
    }
}
