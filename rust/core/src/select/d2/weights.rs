//! Weights that rows are drawn by.

use rayon::prelude::*;

use crate::blocks;
use crate::rng::uniform;
use crate::{Control, Error};

/// Rows whose weights are summed in one go.
const BLOCK: usize = 4096;
/// Running sums within a block.
const LANES: usize = 8;
/// Rows whose weights one task brings up to date.
const PART: usize = 240;

/// A row that was drawn, and what its key must be above to be picked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposal {
    pub(super) row: u32,
    pub(super) limit: f64,
}

/// One weight a row, with float64 sums over fixed blocks of rows.
pub(super) struct Weights {
    of: Vec<f32>,
    sums: Vec<f64>,
    /// The sum of all blocks up to and with each.
    up_to: Vec<f64>,
}

impl Weights {
    /// The largest of all weights for every row that is open, and none for the others. To be set before rows are drawn.
    pub(super) fn new(rows: usize, is_open: impl Fn(usize) -> bool) -> Result<Self, Error> {
        let mut of = blocks::zeroed(rows)?;
        (0..rows).filter(|&row| is_open(row)).for_each(|row| of[row] = f32::MAX);
        let count = rows.div_ceil(BLOCK);
        Ok(Self { of, sums: blocks::zeroed(count)?, up_to: blocks::zeroed(count)? })
    }

    pub(super) fn of(&self, row: u32) -> f32 {
        self.of[row as usize]
    }

    pub(super) fn all_zero(&self) -> bool {
        self.up_to.last().is_none_or(|&total| total == 0.0)
    }

    /// Sets all weights by `work(first_row, weights)`, called on parts of them in parallel.
    pub(super) fn set(
        &mut self,
        control: &impl Control,
        work: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<(), Error> {
        blocks::fill(&mut self.of, 1, PART, control, |first, weights| {
            work(first, weights);
            Ok(())
        })?;
        let sums = self.of.par_chunks(BLOCK).map(sum);
        sums.collect_into_vec(&mut self.sums);
        self.add_up();
        Ok(())
    }

    /// Takes the weights of these rows away.
    pub(super) fn clear(&mut self, rows: &[u32]) {
        rows.iter().for_each(|&row| self.of[row as usize] = 0.0);
        let mut changed: Vec<usize> = rows.iter().map(|&row| row as usize / BLOCK).collect();
        changed.sort_unstable();
        changed.dedup();
        for block in changed {
            let end = self.of.len().min((block + 1) * BLOCK);
            self.sums[block] = sum(&self.of[block * BLOCK..end]);
        }
        self.add_up();
    }

    fn add_up(&mut self) {
        let mut total = 0.0;
        for (up_to, sum) in self.up_to.iter_mut().zip(&self.sums) {
            total += sum;
            *up_to = total;
        }
    }

    /// Draws a row with probability in proportion to its weight, and a limit evenly below that weight.
    ///
    /// Not where all weights are zero.
    pub(super) fn propose(&self, key: u64, number: u64) -> Proposal {
        let total = self.up_to.last().copied().unwrap_or_default();
        let row = self.row_at(uniform(key, 2 * number) * total) as u32;
        Proposal { row, limit: uniform(key, 2 * number + 1) * f64::from(self.of(row)) }
    }

    /// The first row up to which the weights sum to more than this.
    ///
    /// Rounding may put `place` at or beyond the end of the sums; then it is the last row with a weight.
    fn row_at(&self, place: f64) -> usize {
        let last = || self.sums.iter().rposition(|&sum| sum > 0.0).unwrap_or_default();
        let found = self.up_to.partition_point(|&up_to| up_to <= place);
        let block = if found < self.sums.len() { found } else { last() };
        let before = block.checked_sub(1).map_or(0.0, |before| self.up_to[before]);
        let (first, rest) = (block * BLOCK, place - before);
        let weights = &self.of[first..self.of.len().min(first + BLOCK)];
        let mut sum = 0.0;
        for (row, &weight) in (first..).zip(weights) {
            sum += f64::from(weight);
            if sum > rest {
                return row;
            }
        }
        first + weights.iter().rposition(|&weight| weight > 0.0).unwrap_or_default()
    }
}

/// The sum of a block, in a fixed order.
fn sum(weights: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    for group in weights.chunks(LANES) {
        for (lane, &weight) in lanes.iter_mut().zip(group) {
            *lane += f64::from(weight);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

    fn weights(of: &[f32]) -> Weights {
        let mut weights = Weights::new(of.len(), |_| true).unwrap();
        weights
            .set(&Unwatched, |first, part| {
                part.iter_mut().zip(&of[first..]).for_each(|(weight, &given)| *weight = given);
            })
            .unwrap();
        weights
    }

    #[test]
    fn places_lie_in_the_rows_whose_weights_cover_them() {
        // Whole numbers, so that every sum is exact; more than two blocks, and rows and blocks without weight.
        let of: Vec<f32> =
            (0..3 * BLOCK + 7).map(|row| if row / BLOCK == 1 { 0.0 } else { (row % 4) as f32 }).collect();
        let (weights, mut sum) = (weights(&of), 0.0);
        for (row, &weight) in of.iter().enumerate() {
            if weight > 0.0 {
                assert_eq!(weights.row_at(sum), row);
                assert_eq!(weights.row_at(sum + f64::from(weight) - 0.5), row);
                sum += f64::from(weight);
            }
        }
        let last = of.iter().rposition(|&weight| weight > 0.0).unwrap();
        assert_eq!(weights.row_at(sum), last);
        assert_eq!(weights.row_at(f64::INFINITY), last);
    }

    #[test]
    fn cleared_rows_are_not_drawn() {
        let mut weights = weights(&[1.0; 3]);
        assert!(!weights.all_zero());
        weights.clear(&[2, 0]);
        assert!((0..100).all(|number| weights.propose(5, number).row == 1));
        weights.clear(&[1]);
        assert!(weights.all_zero());
        assert!(Weights::new(0, |_| true).unwrap().all_zero());
    }

    #[test]
    fn limits_are_even_below_the_weight() {
        let weights = weights(&[4.0]);
        let below = (0..10_000).filter(|&number| weights.propose(1, number).limit < 1.0).count();
        // A quarter, give or take 6 standard deviations (43 each).
        assert!((2240..2760).contains(&below), "{below}");
        assert!((0..10_000).all(|number| (0.0..4.0).contains(&weights.propose(1, number).limit)));
    }
}
