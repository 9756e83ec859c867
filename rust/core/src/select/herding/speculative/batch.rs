//! A pass: the approximate products of all rows with `w` and with the changes of guessed rows.

use rayon::prelude::*;

use super::Search;
use crate::metric::Rows;
use crate::quantise::{Quantised, TILE, Tile};
use crate::simd::Simd;
use crate::{Control, Error, blocks};

/// The approximate products of all rows with the vectors of a pass.
///
/// They are minus the products with vectors scaled down, as [`Quantised::every`] gives them. Those of a block of
/// rows lie together, vector after vector.
pub(super) struct Batch {
    pub(super) values: Vec<f32>,
    pub(super) scales: Vec<f32>,
    pub(super) slack: f32,
    /// The row whose change each vector is; none for `w`, and for changes that are used up.
    rows: Vec<Option<u32>>,
}

impl Batch {
    /// How many vectors there are.
    pub(super) fn vectors(&self) -> usize {
        self.rows.len()
    }

    /// Whether the change of a row is there and not used up.
    pub(super) fn contains(&self, row: u32) -> bool {
        self.rows.contains(&Some(row))
    }

    /// The vector that is the change of a row, where it is there; it is used up then.
    pub(super) fn use_up(&mut self, row: u32) -> Option<usize> {
        let vector = self.rows.iter().position(|&other| other == Some(row))?;
        self.rows[vector] = None;
        Some(vector)
    }
}

/// The least power of two by which a vector must be divided to be no longer than `longest`; none for a vector of zeros.
fn power(vector: &[f64], longest: f32) -> Option<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt() * 1.001;
    let power = (length / f64::from(longest)).log2().ceil();
    power.is_finite().then(|| (power.clamp(-120.0, 120.0)).exp2() as f32)
}

impl<C: Control> Search<'_, C> {
    /// Computes the products of all rows with `w` and with the changes of some rows.
    pub(super) fn pass(&mut self, rows: &[u32]) -> Result<(), Error> {
        let width = self.matrix.rows.width();
        let mut vectors = Vec::with_capacity((rows.len() + 1) * width);
        let mut scales = Vec::with_capacity(rows.len() + 1);
        let change =
            |&row: &u32| self.weights.change(self.matrix.rows.row(row as usize)).collect::<Vec<f64>>();
        for vector in std::iter::once(self.weights.exact().to_vec()).chain(rows.iter().map(change)) {
            let power = power(&vector, self.longest).unwrap_or(1.0);
            // A power of two: nothing is rounded but what the vector as float32 is.
            vectors.extend(vector.into_iter().map(|x| (x as f32) / power));
            scales.push(power / 2.0);
        }
        let vectors = Rows::new(&vectors, width);
        let mut quantised = self.metric.quantised(vectors, self.longest, &self.watch)?;
        quantised.face(self.scaling);
        let slack = quantised.slack();
        let mut values = self.memory_for(rows, self.negative_products.len() * vectors.len())?;
        let (block, tiles, simd) = (self.sizes.block, &self.tiles, self.matrix.simd);
        let all: Vec<u32> = (0..vectors.len() as u32).collect();
        let (watch, scale) = (&self.watch, scales[0]);
        let blocks = values.par_chunks_mut(block * vectors.len()).enumerate();
        blocks.zip(self.negative_products.par_chunks_mut(block)).zip(&mut self.least).try_for_each(
            |(((at, values), products), least)| {
                multiply(&quantised, simd, &all, &tiles[at * block / TILE..], values);
                let with_weights = &values[..products.len()];
                *least = f32::INFINITY;
                for (product, value) in products.iter_mut().zip(with_weights) {
                    // What cannot be picked stays infinite.
                    if *product < f32::INFINITY {
                        *product = value * scale;
                        *least = least.min(*product);
                    }
                }
                watch.tick(0, 0)
            },
        )?;
        self.error = f64::from(slack) * f64::from(scale);
        self.evaluations += self.matrix.len() as u64 * vectors.len() as u64;
        if rows.is_empty() {
            self.spare = values;
        } else {
            let rows = std::iter::once(None).chain(rows.iter().map(|&row| Some(row))).collect();
            self.batches.push_back(Batch { values, scales, slack, rows });
        }
        Ok(())
    }

    /// Memory for so many values: that of the oldest batch, where its place is needed for one with these rows.
    fn memory_for(&mut self, rows: &[u32], size: usize) -> Result<Vec<f32>, Error> {
        if !rows.is_empty() && self.batches.len() == self.sizes.batches {
            self.spare = self.batches.pop_front().map(|batch| batch.values).unwrap_or_default();
        }
        let mut values = std::mem::take(&mut self.spare);
        if values.capacity() < size {
            values = blocks::reserved(size)?;
        }
        values.resize(size, 0.0);
        Ok(values)
    }
}

/// The approximate values of all vectors with the rows of some tiles, vector after vector.
fn multiply(quantised: &Quantised, simd: Simd, all: &[u32], tiles: &[Tile], values: &mut [f32]) {
    let rows = values.len() / all.len();
    let mut found = vec![[0.0; TILE]; all.len()];
    for (at, tile) in tiles.iter().enumerate().take(rows / TILE) {
        quantised.every(simd, all, tile, &mut found);
        for (vector, found) in found.iter().enumerate() {
            values[vector * rows + at * TILE..][..TILE].copy_from_slice(found);
        }
    }
}
