//! Hashes by number: what is counted for each of them can lie in a row.

/// Places of the smallest table.
const SMALLEST: usize = 1024;

/// 64-bit hashes numbered from 0 in the order in which each was first met.
#[derive(Debug)]
pub(super) struct Numbers {
    hashes: Vec<u64>,
    /// 1 + the number, or 0; the length is a power of two.
    table: Vec<u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::new()
    }
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self { hashes: Vec::new(), table: vec![0; SMALLEST] }
    }

    /// The hashes, by number.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Forgets all hashes. After few of them the table is small, so that one long text makes no later one slow.
    pub(super) fn clear(&mut self) {
        let places = (self.hashes.len() * 8).next_power_of_two().max(SMALLEST);
        self.table.truncate(places);
        self.table.fill(0);
        self.hashes.clear();
    }

    /// The number of `hash`; the next one where it is new.
    #[inline]
    pub(super) fn of(&mut self, hash: u64) -> u32 {
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            match self.table[place] {
                0 => break,
                next if self.hashes[next as usize - 1] == hash => return next - 1,
                _ => place = (place + 1) & mask,
            }
        }
        self.hashes.push(hash);
        self.table[place] = self.hashes.len() as u32;
        if self.hashes.len() * 2 > self.table.len() {
            self.grow();
        }
        self.hashes.len() as u32 - 1
    }

    #[cold]
    fn grow(&mut self) {
        let mask = self.table.len() * 4 - 1;
        self.table.fill(0);
        self.table.resize(mask + 1, 0);
        for (&hash, next) in self.hashes.iter().zip(1..) {
            let mut place = hash as usize & mask;
            while self.table[place] != 0 {
                place = (place + 1) & mask;
            }
            self.table[place] = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::word_of_row;

    #[test]
    fn hashes_are_numbered_in_order_of_first_sight_until_forgotten() {
        let mut numbers = Numbers::new();
        for round in 0..3u64 {
            numbers.clear();
            // Far more than the first table holds; equal low bits collide.
            for at in 0..10_000u64 {
                assert_eq!(numbers.of(word_of_row(at % 4000 + round) << 12), (at % 4000) as u32);
            }
            assert_eq!(numbers.hashes().len(), 4000);
            assert_eq!(numbers.hashes()[7], word_of_row(7 + round) << 12);
            // The table becomes small again, and holds nothing.
            for _ in 0..2 {
                numbers.clear();
                assert!((0..20).all(|at| numbers.of(word_of_row(at) << 12) == at as u32));
            }
            assert_eq!(numbers.table.len(), SMALLEST);
        }
    }
}
