//! N-grams that are held from one pass over texts to the next, in bounded memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bag::{Bag, Entry};

/// The distinct n-grams of a block of texts.
#[derive(Default)]
pub(super) struct Ngrams {
    /// Each hash, with the count in the bits that name neither slot nor dimension nor sign.
    packed: Vec<u64>,
    /// Where each text ends.
    ends: Vec<usize>,
}

/// The bits of a hash that hold the count, and how far they lie up.
pub(super) const COUNT_BITS: u64 = 0x1FF;
pub(super) const COUNT_SHIFT: u32 = 33;

impl Ngrams {
    /// Adds those of the next text; tells whether all counts are small enough.
    pub(super) fn add(&mut self, bag: &Bag) -> bool {
        let pack =
            |entry: &Entry| entry.hash & !(COUNT_BITS << COUNT_SHIFT) | u64::from(entry.count) << COUNT_SHIFT;
        self.packed.extend(bag.entries().iter().map(pack));
        self.ends.push(self.packed.len());
        bag.entries().iter().all(|entry| u64::from(entry.count) <= COUNT_BITS)
    }

    pub(super) fn bytes(&self) -> usize {
        self.packed.len() * size_of::<u64>() + self.ends.len() * size_of::<usize>()
    }

    /// Those of a text.
    pub(super) fn ngrams(&self, text: usize) -> &[u64] {
        let start = if text == 0 { 0 } else { self.ends[text - 1] };
        &self.packed[start..self.ends[text]]
    }
}

/// The hash of an n-gram, right in the bits that are used, and its count.
pub(super) fn unpacked(packed: u64) -> (u64, u32) {
    (packed, (packed >> COUNT_SHIFT & COUNT_BITS) as u32)
}

/// What is remembered of the blocks of texts.
pub(super) struct Held {
    blocks: Vec<Mutex<Option<Ngrams>>>,
    /// Bytes in all, and those that are free.
    most: usize,
    room: AtomicUsize,
}

impl Held {
    pub(super) fn new(blocks: usize, most: usize) -> Self {
        Self { blocks: (0..blocks).map(|_| Mutex::new(None)).collect(), most, room: AtomicUsize::new(most) }
    }

    /// Bytes in all.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Holds the n-grams of a block, if there is room.
    pub(super) fn put(&self, block: usize, mut ngrams: Ngrams) {
        ngrams.packed.shrink_to_fit();
        let less = |room: usize| room.checked_sub(ngrams.bytes());
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            *self.blocks[block].lock().unwrap_or_else(PoisonError::into_inner) = Some(ngrams);
        }
    }

    pub(super) fn take(&self, block: usize) -> Option<Ngrams> {
        self.blocks[block].lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
