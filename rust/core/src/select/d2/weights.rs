//! Weights that rows are drawn by.

use rayon::prelude::*;

use super::order::DrawOrder;
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

/// One weight a row, by its place in the draw order, with float64 sums over fixed blocks of places.
pub(super) struct Weights<'a> {
    order: DrawOrder<'a>,
    of: Vec<f32>,
    sums: Vec<f64>,
    /// The sum of all blocks up to and with each.
    up_to: Vec<f64>,
}

impl<'a> Weights<'a> {
    /// The largest of all weights for every candidate, and none for the others. To be set before rows are drawn.
    pub(super) fn new(
        rows: usize,
        order: DrawOrder<'a>,
        is_candidate: impl Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let mut of = blocks::zeroed(rows)?;
        let candidate = |&place: &usize| is_candidate(order.row(place) as usize);
        (0..rows).filter(candidate).for_each(|place| of[place] = f32::MAX);
        let count = rows.div_ceil(BLOCK);
        Ok(Self { order, of, sums: blocks::zeroed(count)?, up_to: blocks::zeroed(count)? })
    }

    pub(super) fn of(&self, row: u32) -> f32 {
        self.of[self.order.place(row)]
    }

    /// The row at a place of the draw order.
    pub(super) fn row(&self, place: usize) -> u32 {
        self.order.row(place)
    }

    pub(super) fn all_zero(&self) -> bool {
        self.up_to.last().is_none_or(|&total| total == 0.0)
    }

    /// Sets all weights by `work(draw order, first place, weights)`, called on parts of them in parallel.
    pub(super) fn set(
        &mut self,
        control: &impl Control,
        work: impl Fn(&DrawOrder<'_>, usize, &mut [f32]) + Sync,
    ) -> Result<(), Error> {
        let order = &self.order;
        blocks::fill(&mut self.of, 1, PART, control, |first, weights| {
            work(order, first, weights);
            Ok(())
        })?;
        let sums = self.of.par_chunks(BLOCK).map(sum);
        sums.collect_into_vec(&mut self.sums);
        self.add_up();
        Ok(())
    }

    /// Sets the weights of these rows to 0.
    pub(super) fn clear(&mut self, rows: &[u32]) {
        let places: Vec<usize> = rows.iter().map(|&row| self.order.place(row)).collect();
        places.iter().for_each(|&place| self.of[place] = 0.0);
        let mut changed: Vec<usize> = places.iter().map(|&place| place / BLOCK).collect();
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

    /// Draws a row with probability in proportion to its weight, and a limit uniformly below that weight.
    ///
    /// Not where all weights are zero.
    pub(super) fn propose(&self, key: u64, number: u64) -> Proposal {
        let total = self.up_to.last().copied().unwrap_or_default();
        let place = self.place_at(uniform(key, 2 * number) * total);
        Proposal { row: self.row(place), limit: uniform(key, 2 * number + 1) * f64::from(self.of[place]) }
    }

    /// The first place up to which the weights sum to more than this.
    ///
    /// Rounding may put `at` at or beyond the end of the sums; then it is the last place with a weight.
    fn place_at(&self, at: f64) -> usize {
        let last = || self.sums.iter().rposition(|&sum| sum > 0.0).unwrap_or_default();
        let found = self.up_to.partition_point(|&up_to| up_to <= at);
        let block = if found < self.sums.len() { found } else { last() };
        let before = block.checked_sub(1).map_or(0.0, |before| self.up_to[before]);
        let (first, rest) = (block * BLOCK, at - before);
        let weights = &self.of[first..self.of.len().min(first + BLOCK)];
        let mut sum = 0.0;
        for (place, &weight) in (first..).zip(weights) {
            sum += f64::from(weight);
            if sum > rest {
                return place;
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

    fn rows_in_order(rows: usize) -> DrawOrder<'static> {
        DrawOrder::new(None, rows).unwrap()
    }

    fn weights(of: &[f32]) -> Weights<'static> {
        let mut weights = Weights::new(of.len(), rows_in_order(of.len()), |_| true).unwrap();
        weights
            .set(&Unwatched, |_, first, part| {
                part.iter_mut().zip(&of[first..]).for_each(|(weight, &value)| *weight = value);
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
                assert_eq!(weights.place_at(sum), row);
                assert_eq!(weights.place_at(sum + f64::from(weight) - 0.5), row);
                sum += f64::from(weight);
            }
        }
        let last = of.iter().rposition(|&weight| weight > 0.0).unwrap();
        assert_eq!(weights.place_at(sum), last);
        assert_eq!(weights.place_at(f64::INFINITY), last);
    }

    #[test]
    fn cleared_rows_are_not_drawn() {
        let mut weights = weights(&[1.0; 3]);
        assert!(!weights.all_zero());
        weights.clear(&[2, 0]);
        assert!((0..100).all(|number| weights.propose(5, number).row == 1));
        weights.clear(&[1]);
        assert!(weights.all_zero());
        assert!(Weights::new(0, rows_in_order(0), |_| true).unwrap().all_zero());
    }

    #[test]
    fn limits_are_uniform_below_the_weight() {
        let weights = weights(&[4.0]);
        let below = (0..10_000).filter(|&number| weights.propose(1, number).limit < 1.0).count();
        // A quarter, give or take 6 standard deviations (43 each).
        assert!((2240..2760).contains(&below), "{below}");
        assert!((0..10_000).all(|number| (0.0..4.0).contains(&weights.propose(1, number).limit)));
    }
}
