//! Keys of a weighted reservoir.

use crate::{Control, Error, blocks};

/// Rows of a task.
const BLOCK: usize = blocks::FEW_ROWS;
/// Ranks of smaller and larger weights could be zero, subnormal or infinite, and tie.
const WEIGHTS: std::ops::RangeInclusive<f64> = 1e-280..=1e280;

/// Keys of which the smallest are a weighted sample without replacement (Efraimidis and Spirakis 2006, whose A-ExpJ
/// gives the same sample): `-ln(u) / w` with `u = ((hash >> 12) + 1/2) / 2^52`, as the bits of the float64, whose order
/// is that of the numbers.
///
/// The rank of a row is exponential with rate `w`, so that each next smallest is row i with probability w_i over the sum
/// of the weights that are left. `u` is exact, above 0 and below 1; the logarithm is that of the crate `libm`, the same
/// bits on every machine. O(n), 8 bytes a row.
///
/// # Errors
/// [`Error::Shape`]; [`Error::NotFinite`], [`Error::NotPositive`] or [`Error::WeightRange`] with the first row of a weight
/// that is no number, not above zero, or not from 1e-280 to 1e280; [`Error::OutOfMemory`], or what `control` stops with.
pub fn exponential_keys(hashes: &[u64], weights: &[f64], control: &impl Control) -> Result<Vec<u64>, Error> {
    if weights.len() != hashes.len() {
        return Err(Error::Shape {
            what: "the number of weights",
            expected: hashes.len(),
            got: weights.len(),
        });
    }
    let mut keys = blocks::zeroed(hashes.len())?;
    blocks::fill(&mut keys, 1, BLOCK, control, |first, block| {
        for (row, key) in (first..).zip(block) {
            *key = rank(row, hashes[row], weights[row])?.to_bits();
        }
        Ok(())
    })?;
    Ok(keys)
}

fn rank(row: usize, hash: u64, weight: f64) -> Result<f64, Error> {
    match weight {
        weight if !weight.is_finite() => Err(Error::NotFinite { row }),
        weight if weight <= 0.0 => Err(Error::NotPositive { row }),
        weight if !WEIGHTS.contains(&weight) => Err(Error::WeightRange { row }),
        // 52 bits and a half are 53 bits: nothing is rounded.
        weight => Ok(-libm::log(((hash >> 12) as f64 + 0.5) / (1u64 << 52) as f64) / weight),
    }
}

#[cfg(test)]
mod tests {
    use super::super::smallest_keys;
    use super::*;
    use crate::Unwatched;
    use crate::rng::{hashes_of_rows, keyed_hash, word_of_row};

    #[test]
    fn keys_have_the_order_of_the_ranks() {
        let hashes = hashes_of_rows(1, 10_000).unwrap();
        let weights: Vec<f64> = (0..10_000).map(|row| 10f64.powi(row % 559 - 279)).collect();
        let keys = exponential_keys(&hashes, &weights, &Unwatched).unwrap();
        let ranks: Vec<f64> = (0..10_000).map(|row| rank(row, hashes[row], weights[row]).unwrap()).collect();
        assert!(ranks.iter().all(|rank| rank.is_normal() && *rank > 0.0));
        let mut rows: Vec<usize> = (0..10_000).collect();
        rows.sort_by(|&a, &b| ranks[a].total_cmp(&ranks[b]));
        assert_eq!(smallest_keys(&keys, 10_000, None).unwrap(), rows);
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_not_met() {
        let keys = exponential_keys(
            &[0, u64::MAX, 1 << 63, 0, u64::MAX],
            &[1.0, 1.0, 2.0, 1e-280, 1e280],
            &Unwatched,
        )
        .unwrap();
        let ranks: Vec<f64> = keys.into_iter().map(f64::from_bits).collect();
        assert_eq!(ranks[0], 53.0 * std::f64::consts::LN_2);
        assert_eq!(ranks[1], 2f64.powi(-53));
        assert!((ranks[2] - std::f64::consts::LN_2 / 2.0).abs() < 1e-15);
        assert!(ranks[3].is_normal() && ranks[4].is_normal());
    }

    #[test]
    fn bits_stay_what_they_are() {
        let hashes: Vec<u64> = (0..3).map(|row| keyed_hash(42, word_of_row(row))).collect();
        let keys = exponential_keys(&hashes, &[0.5, 1.0, 3.0], &Unwatched).unwrap();
        assert_eq!(keys, GOLDEN);
    }

    /// Computed apart, in Python, from decimal logarithms.
    const GOLDEN: [u64; 3] =
        [4_615_440_128_016_825_749, 4_608_183_101_775_832_676, 4_594_892_312_233_676_508];

    #[test]
    fn weights_that_are_none_are_refused_by_row() {
        for (weight, expected) in [
            (f64::NAN, Error::NotFinite { row: 5000 }),
            (f64::INFINITY, Error::NotFinite { row: 5000 }),
            (-1.0, Error::NotPositive { row: 5000 }),
            (0.0, Error::NotPositive { row: 5000 }),
            (1e-300, Error::WeightRange { row: 5000 }),
            (1e300, Error::WeightRange { row: 5000 }),
        ] {
            let mut weights = vec![1.0; 10_000];
            (weights[5000], weights[9000]) = (weight, f64::NAN);
            assert_eq!(exponential_keys(&vec![0; 10_000], &weights, &Unwatched), Err(expected));
        }
        assert!(matches!(exponential_keys(&[1], &[], &Unwatched), Err(Error::Shape { .. })));
    }
}
