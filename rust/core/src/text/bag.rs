//! Counts of 64-bit hashes, in the order in which each was first seen.

/// One distinct hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) count: u32,
    /// Where the table points to it, so that clearing touches only used places.
    place: u32,
}

/// An open-addressing counter, made to be cleared and filled again for each text.
#[derive(Debug)]
pub(super) struct Bag {
    entries: Vec<Entry>,
    /// 1 + the entry's index, or 0; the length is a power of two.
    table: Vec<u32>,
}

impl Bag {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), table: vec![0; 1024] }
    }

    /// The distinct hashes, first seen first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn clear(&mut self) {
        for entry in self.entries.drain(..) {
            self.table[entry.place as usize] = 0;
        }
    }

    /// Counts `count` more of `hash`; tells whether it is the first.
    pub(super) fn add(&mut self, hash: u64, count: u32) -> bool {
        let place = self.find(hash);
        match self.table[place] {
            0 => {
                self.entries.push(Entry { hash, count, place: place as u32 });
                self.table[place] = self.entries.len() as u32;
                if self.entries.len() * 2 > self.table.len() {
                    self.grow();
                }
                true
            }
            index => {
                let entry = &mut self.entries[index as usize - 1];
                entry.count = entry.count.saturating_add(count);
                false
            }
        }
    }

    /// The place of `hash` in the table: where it lies, or the empty place where it belongs.
    fn find(&self, hash: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            match self.table[place] {
                0 => return place,
                index if self.entries[index as usize - 1].hash == hash => return place,
                _ => place = (place + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        self.table = vec![0; self.table.len() * 4];
        for index in 0..self.entries.len() {
            let place = self.find(self.entries[index].hash);
            self.table[place] = index as u32 + 1;
            self.entries[index].place = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::word_of_row;

    #[test]
    fn counts_in_order_of_first_sight_and_forgets_when_cleared() {
        let mut bag = Bag::new();
        for round in 0..3u64 {
            bag.clear();
            // Far more than the first table holds; equal low bits collide.
            for at in 0..10_000u64 {
                assert_eq!(bag.add(word_of_row(at % 4000 + round) << 12, 2), at < 4000);
            }
            assert_eq!(bag.entries().len(), 4000);
            for (at, entry) in (0..).zip(bag.entries()) {
                assert_eq!(entry.hash, word_of_row(at + round) << 12);
                assert_eq!(entry.count, if at < 2000 { 6 } else { 4 });
            }
        }
    }
}
