//! Guesses of the next picks: herding among the rows of largest product alone.

use std::cmp::Reverse;

use rayon::prelude::*;

use super::{Rank, Search};
use crate::Control;
use crate::metric::Rows;
use crate::topk::Smallest;

/// Contenders that one task compares with a pick.
const PART: usize = 512;

impl<C: Control> Search<'_, C> {
    /// Rows that may be picked next, whose changes no batch holds.
    pub(super) fn guess(&mut self) -> Vec<u32> {
        let rows: Vec<u32> = self.contenders().iter().map(|rank| rank.row).collect();
        let width = self.matrix.rows.width();
        let mut memory = std::mem::take(&mut self.contender_vectors);
        memory.clear();
        rows.iter().for_each(|&row| memory.extend_from_slice(self.matrix.rows.row(row as usize)));
        let vectors = Rows::new(&memory, width);
        let metric = self.metric;
        let multiply = |with: &[f32], products: &mut [f32]| {
            products.par_chunks_mut(PART).enumerate().for_each(|(part, products)| {
                metric.to_each(with, vectors.part(part * PART, products.len()), products);
            });
        };
        let mut products = vec![0.0; rows.len()];
        let mut changes = vec![0.0; rows.len()];
        multiply(&self.weights.rounded(), &mut products);
        self.evaluations += rows.len() as u64;
        let mut guessed = Vec::with_capacity(self.sizes.guesses);
        // Many of those picked may be in a batch already; no more of them than three times the wanted.
        for _ in 0..rows.len().min(4 * self.sizes.guesses) {
            let least = products.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((place, _)) = least else { break };
            let row = rows[place];
            if !self.batches.iter().any(|batch| batch.contains(row)) {
                guessed.push(row);
            }
            if guessed.len() == self.sizes.guesses {
                break;
            }
            let change: Vec<f32> =
                self.weights.change(vectors.row(place)).map(|change| change as f32).collect();
            multiply(&change, &mut changes);
            self.evaluations += rows.len() as u64;
            products.iter_mut().zip(&changes).for_each(|(product, change)| *product += change);
            products[place] = f32::INFINITY;
        }
        self.contender_vectors = memory;
        guessed
    }

    /// The rows of largest product, or nearly those: no block gives more than twice its share.
    fn contenders(&self) -> Vec<Rank> {
        let block = self.sizes.block;
        let share = (2 * self.sizes.contenders).div_ceil(self.least.len().max(1));
        let parts: Vec<Vec<Reverse<Rank>>> = self
            .negative_products
            .par_chunks(block)
            .enumerate()
            .map(|(at, products)| {
                let mut best = Smallest::new(share);
                for (row, &product) in (at * block..).zip(products) {
                    if product < f32::INFINITY {
                        best.push(Reverse(Rank { key: 0.0 - product, row: row as u32 }));
                    }
                }
                best.into_sorted()
            })
            .collect();
        let mut best = Smallest::new(self.sizes.contenders);
        parts.into_iter().flatten().for_each(|rank| best.push(rank));
        best.into_sorted().into_iter().map(|rank| rank.0).collect()
    }
}
