//! Counter-based randomness: a hash keyed by (key, row), so that a row's draw depends on nothing else.
//!
//! There is no generator state. The draw of a row does not change with the order of rows, with shards, with
//! threads or with the other rows, and the k smallest draws are nested in k.
//!
//! Definition, all arithmetic modulo 2^64, `G` = 0x9E3779B97F4A7C15:
//! - `mix64` is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection;
//! - the word of a string id is the first 8 bytes, little endian, of BLAKE3 of its UTF-8 bytes;
//! - the word of row number `i` is `mix64(i + G)`;
//! - `keyed_hash(key, word) = mix64(mix64(word ^ K) + K)` with `K = mix64(key + G)`.
//!
//! Under one key two different words never collide, since each step is a bijection of the word.

use rayon::prelude::*;

use crate::blocks;
use crate::{Control, Error, Unwatched};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const BLOCK: usize = blocks::FEW_ROWS;

/// The finaliser of SplitMix64: a bijection of 64-bit words whose output bits all depend on all input bits.
#[inline]
#[must_use]
pub const fn mix64(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The draw of the row with this word under this key.
#[inline]
#[must_use]
pub const fn keyed_hash(key: u64, word: u64) -> u64 {
    let key = mix64(key.wrapping_add(GOLDEN));
    mix64(mix64(word ^ key).wrapping_add(key))
}

/// The word of a row known by a string id.
#[must_use]
pub fn word_of_id(id: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// The word of a row known only by its number.
#[inline]
#[must_use]
pub const fn word_of_row(row: u64) -> u64 {
    mix64(row.wrapping_add(GOLDEN))
}

/// The draw with this number under this key, as a float64 from 0 up to 1 and never 1: a multiple of 2^-53.
#[inline]
#[must_use]
pub fn uniform(key: u64, number: u64) -> f64 {
    (keyed_hash(key, word_of_row(number)) >> 11) as f64 / (1u64 << 53) as f64
}

/// The draws of rows known by string ids.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn hashes_of_ids(key: u64, ids: &[&str], control: &impl Control) -> Result<Vec<u64>, Error> {
    let mut hashes = blocks::zeroed(ids.len())?;
    blocks::fill(&mut hashes, 1, BLOCK, control, |first, block| {
        for (hash, id) in block.iter_mut().zip(&ids[first..]) {
            *hash = keyed_hash(key, word_of_id(id));
        }
        Ok(())
    })?;
    Ok(hashes)
}

/// The draws of rows `0..rows` known by their numbers.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn hashes_of_rows(key: u64, rows: usize) -> Result<Vec<u64>, Error> {
    let mut hashes = blocks::zeroed(rows)?;
    hashes.par_iter_mut().with_min_len(BLOCK).enumerate().for_each(|(row, hash)| {
        *hash = keyed_hash(key, word_of_row(row as u64));
    });
    Ok(hashes)
}

/// The draws of rows known by words that were drawn for them before.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn hashes_of_words(key: u64, words: &[u64]) -> Result<Vec<u64>, Error> {
    let mut hashes = blocks::zeroed(words.len())?;
    blocks::fill(&mut hashes, 1, BLOCK, &Unwatched, |first, block| {
        for (hash, &word) in block.iter_mut().zip(&words[first..]) {
            *hash = keyed_hash(key, word);
        }
        Ok(())
    })?;
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

    #[test]
    fn the_finaliser_is_that_of_splitmix64() {
        // The first outputs of SplitMix64 seeded with 0 and with 1234567 (its reference implementation).
        assert_eq!(mix64(GOLDEN), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix64(GOLDEN.wrapping_mul(2)), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(mix64(1_234_567_u64.wrapping_add(GOLDEN)), 6_457_827_717_110_365_317);
    }

    #[test]
    fn the_word_of_an_id_is_the_start_of_its_blake3() {
        // BLAKE3 of the empty string starts af1349b9f5f9a1a6.
        assert_eq!(word_of_id(""), u64::from_le_bytes([0xAF, 0x13, 0x49, 0xB9, 0xF5, 0xF9, 0xA1, 0xA6]));
    }

    #[test]
    fn draws_stay_what_they_are() {
        assert_eq!(word_of_row(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(keyed_hash(0, word_of_row(0)), GOLDEN_DRAWS[0]);
        assert_eq!(keyed_hash(42, word_of_row(7)), GOLDEN_DRAWS[1]);
        assert_eq!(keyed_hash(42, word_of_id("row-7")), GOLDEN_DRAWS[2]);
    }

    /// Computed apart, in Python, from the definition above.
    const GOLDEN_DRAWS: [u64; 3] = [0x4821_8226_FF3C_D4BF, 0xA427_1B59_7CBA_803B, 0x0AA0_1709_52A3_0511];

    #[test]
    fn many_draws_are_the_single_ones() {
        let names: Vec<String> = (0..10_000).map(|row| format!("id {row}")).collect();
        let ids: Vec<&str> = names.iter().map(String::as_str).collect();
        let draws = hashes_of_ids(5, &ids, &Unwatched).unwrap();
        assert!(draws.iter().zip(&ids).all(|(&draw, id)| draw == keyed_hash(5, word_of_id(id))));
        let draws = hashes_of_rows(5, 10_000).unwrap();
        assert!(draws.iter().zip(0..).all(|(&draw, row)| draw == keyed_hash(5, word_of_row(row))));
        let again = hashes_of_words(6, &draws).unwrap();
        assert!(again.iter().zip(&draws).all(|(&draw, &word)| draw == keyed_hash(6, word)));
    }

    #[test]
    fn uniform_draws_fill_the_unit_interval_evenly() {
        assert_eq!(uniform(0, 0), (GOLDEN_DRAWS[0] >> 11) as f64 * 2f64.powi(-53));
        let mut tenths = [0; 10];
        (0..100_000).for_each(|number| tenths[(uniform(9, number) * 10.0) as usize] += 1);
        // 10,000 each, give or take 6 standard deviations (95 each).
        assert!(tenths.iter().all(|count| (9430..10_570).contains(count)), "{tenths:?}");
    }

    #[test]
    fn bits_are_even_and_independent_of_the_key() {
        // 64 bits over 4096 rows: each is set 2048 times, give or take 6 standard deviations (32 each).
        for key in [0, 1, u64::MAX] {
            let draws = hashes_of_rows(key, 4096).unwrap();
            for bit in 0..64 {
                let set = draws.iter().filter(|&draw| draw >> bit & 1 == 1).count();
                assert!((1856..=2240).contains(&set), "bit {bit} of key {key} is set {set} times");
            }
            let other = hashes_of_rows(key ^ 1, 4096).unwrap();
            let same: u32 = draws.iter().zip(&other).map(|(a, b)| (a ^ b).count_zeros()).sum();
            assert!((130_000..132_200).contains(&same), "{same} of 262144 bits agree between two keys");
        }
    }
}
