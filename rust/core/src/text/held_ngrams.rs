//! N-grams that are held from one pass over texts to the next, in bounded memory.

use std::sync::{Mutex, PoisonError};

use super::lexicon::Lexicon;

/// The distinct n-grams of a block of texts.
pub(super) struct Ngrams<'m> {
    /// Those of each text: the number in a lexicon, with the count above.
    texts: Vec<&'m [u32]>,
    parts: Vec<Part<'m>>,
}

/// Texts that one lexicon numbered.
struct Part<'m> {
    /// How many texts there are with those of the parts before.
    end: usize,
    /// The hash of each n-gram, by number.
    hashes: &'m [u64],
}

/// The bits that hold the number of an n-gram; a count takes those above.
const NUMBER_BITS: u32 = 22;
/// No count is larger.
pub(super) const LARGEST_COUNT: u32 = (1 << (u32::BITS - NUMBER_BITS)) - 1;

impl Ngrams<'_> {
    /// Of each part the hashes of n-grams, by number, and the n-grams of each text.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&[u64], &[&[u32]])> {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|part| part.end));
        self.parts.iter().zip(starts).map(|(part, start)| (part.hashes, &self.texts[start..part.end]))
    }
}

/// The number of an n-gram and its count.
#[inline]
pub(super) fn unpacked(packed: u32) -> (usize, u32) {
    ((packed & ((1 << NUMBER_BITS) - 1)) as usize, packed >> NUMBER_BITS)
}

/// What is remembered of the blocks of texts.
pub(super) struct Held<'m> {
    blocks: Vec<Mutex<Option<Ngrams<'m>>>>,
    free: Mutex<&'m mut [u64]>,
}

impl<'m> Held<'m> {
    /// Room for so many blocks in this memory.
    pub(super) fn new(blocks: usize, memory: &'m mut [u64]) -> Self {
        Self { blocks: (0..blocks).map(|_| Mutex::new(None)).collect(), free: Mutex::new(memory) }
    }

    /// Begins a block.
    pub(super) fn block(&self) -> Block<'_, 'm> {
        Block { held: self, ngrams: Some(Ngrams { texts: Vec::new(), parts: Vec::new() }) }
    }

    /// The n-grams of a block, where they were held; once.
    pub(super) fn take(&self, block: usize) -> Option<Ngrams<'m>> {
        self.blocks[block].lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Memory for so many words, if there is as much.
    fn room(&self, words: usize) -> Option<&'m mut [u64]> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if words > free.len() {
            return None;
        }
        let (room, rest) = std::mem::take(&mut *free).split_at_mut(words);
        *free = rest;
        Some(room)
    }
}

/// A block of texts whose n-grams are held, unless they are too many.
pub(super) struct Block<'h, 'm> {
    held: &'h Held<'m>,
    ngrams: Option<Ngrams<'m>>,
}

impl Block<'_, '_> {
    /// Adds those of the text that a lexicon took last.
    pub(super) fn add(&mut self, lexicon: &Lexicon) {
        let counted = lexicon.counted();
        let small = |&(ngram, count): &(u32, u32)| count <= LARGEST_COUNT && ngram < 1 << NUMBER_BITS;
        let Some(ngrams) = &mut self.ngrams else { return };
        match self.held.room(counted.len().div_ceil(2)).filter(|_| counted.iter().all(small)) {
            Some(room) => {
                let room = &mut bytemuck::cast_slice_mut(room)[..counted.len()];
                room.iter_mut()
                    .zip(counted)
                    .for_each(|(to, (ngram, count))| *to = ngram | count << NUMBER_BITS);
                ngrams.texts.push(room);
            }
            None => self.ngrams = None,
        }
    }

    /// Keeps what the numbers of a lexicon mean, all of whose texts were added.
    pub(super) fn end_part(&mut self, lexicon: &Lexicon) {
        let Some(ngrams) = &mut self.ngrams else { return };
        match self.held.room(lexicon.hashes().len()) {
            Some(room) => {
                room.copy_from_slice(lexicon.hashes());
                ngrams.parts.push(Part { end: ngrams.texts.len(), hashes: room });
            }
            None => self.ngrams = None,
        }
    }

    /// Holds the n-grams as those of this block.
    pub(super) fn end(self, block: usize) {
        *self.held.blocks[block].lock().unwrap_or_else(PoisonError::into_inner) = self.ngrams;
    }
}
