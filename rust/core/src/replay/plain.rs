//! The definitions, as short as they can be said.

use crate::rng::{keyed_hash, word_of_row};

/// [`super::smallest_keys`]: a sort of all rows.
#[must_use]
pub fn smallest_keys(keys: &[u64], k: usize, ids: Option<&[&str]>) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..keys.len()).collect();
    rows.sort_by_key(|&row| (keys[row], ids.map(|ids| ids[row].as_bytes()), row));
    rows.truncate(k);
    rows
}

/// [`super::reservoir_of_words`]: a sort of all rows at or below the threshold.
#[must_use]
pub fn reservoir_of_words(key: u64, words: &[u64], k: usize, threshold: u64) -> Vec<(u64, usize)> {
    let keys = words.iter().map(|&word| keyed_hash(key, word));
    let mut rows: Vec<(u64, usize)> = keys.zip(0..).filter(|&(key, _)| key <= threshold).collect();
    rows.sort_unstable();
    rows.truncate(k);
    rows
}

/// [`super::water_fill`]: one slot at a time, to the group with the fewest that is not full; of several, to the one of
/// smallest order.
#[must_use]
pub fn water_fill(sizes: &[u64], total: u64, order: &[u64]) -> Vec<u64> {
    let mut quotas = vec![0; sizes.len()];
    for _ in 0..total {
        let open = (0..sizes.len()).filter(|&group| quotas[group] < sizes[group]);
        let Some(group) = open.min_by_key(|&group| (quotas[group], order[group], group)) else { break };
        quotas[group] += 1;
    }
    quotas
}

/// [`super::PriorityTree::draw`]: weights as [`super::PriorityTree`] has them, added up anew for each draw.
#[must_use]
pub fn draw(weights: &[u64], key: u64, count: usize) -> Vec<usize> {
    let mut left: Vec<(usize, u64)> = weights.iter().copied().enumerate().collect();
    let mut drawn = Vec::new();
    for number in 0..count.min(weights.len()) {
        if left.iter().all(|&(_, weight)| weight == 0) {
            left.iter_mut().for_each(|(_, weight)| *weight = 1);
        }
        let total: u128 = left.iter().map(|&(_, weight)| u128::from(weight)).sum();
        let hash = keyed_hash(key, word_of_row(number as u64));
        let mut position = (u128::from(hash) * total) >> 64;
        let mut at = 0;
        while position >= u128::from(left[at].1) {
            position -= u128::from(left[at].1);
            at += 1;
        }
        drawn.push(left.remove(at).0);
    }
    drawn
}
