//! The same picks from fewer products, by speculation.
//!
//! Every row has an approximate product with `w`, off by no more than a bound; canonical arithmetic decides among the
//! rows that could be the best. A pick changes all products by those of one vector, its `change`. These do not depend
//! on `w`, so they can be computed before the row is picked: the next picks are guessed by herding among the rows of
//! largest product alone (`guess`), and the changes of all guessed rows are multiplied with all rows in one pass in
//! int16 (`batch`), for which memory is read once. While the picks are among those guessed, a pick costs one look-up of
//! a product for each row. When one is not, the next pass follows; the first vector in it is `w` itself, so that the
//! bound starts anew.
//!
//! A guess that fails costs time and changes no pick; where guesses keep failing there are few (`backoff`).

mod backoff;
mod batch;
mod guess;

use std::collections::VecDeque;

use rayon::prelude::*;

use super::super::distance_metric::DistanceMetric;
use super::super::{Candidates, Counted, Request, Selection, rank};
use super::weights::HerdingWeights;
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::quantise::{Scaling, TILE, Tile};
use crate::simd::{Kernel, LANES, Lanes};
use crate::{Control, Error, blocks};
use backoff::Backoff;
use batch::Batch;

/// Rows that are quantised on the way to their tiles at once.
const QUANTISED: usize = 4096;

type Rank = rank::Rank<f32>;

/// How much to speculate; it decides the time, not the picks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Rows among which the next picks are guessed.
    pub(super) contenders: usize,
    /// Guessed rows in a pass, whose changes are multiplied beside `w`.
    pub(super) guesses: usize,
    /// Rows in a task, a multiple of the rows of a tile.
    pub(super) block: usize,
    /// Passes whose unused changes are held.
    pub(super) batches: usize,
}

impl Sizes {
    /// As many vectors a pass as AVX-512 works on at once; more contenders make better guesses and take longer.
    pub(super) fn of(rows: usize) -> Self {
        Self { contenders: (rows / 16).max(1024), guesses: 7, block: 4096, batches: 3 }
    }
}

struct Search<'a, C> {
    matrix: MatrixView<'a>,
    metric: DistanceMetric,
    sizes: Sizes,
    watch: FixedProgress<'a, C>,
    tiles: Vec<Tile>,
    scaling: Scaling,
    longest: f32,
    candidates: Candidates<'a>,
    weights: HerdingWeights,
    /// The approximate product of each row with `w`, with the sign turned; infinite for rows that cannot be picked and
    /// for what fills the last tile.
    negative_products: Vec<f32>,
    /// The least of each block.
    least: Vec<f32>,
    /// No approximate product is off the canonical one by more.
    error: f64,
    batches: VecDeque<Batch>,
    backoff: Backoff,
    /// Memory of a dropped batch, and of the vectors of the contenders: new memory would have to be cleared.
    spare: Vec<f32>,
    contender_vectors: Vec<f32>,
    evaluations: u64,
}

pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    mean: Option<&[f64]>,
    sizes: Sizes,
    control: &impl Control,
) -> Result<Counted, Error> {
    let mut selection = Selection::default();
    let watch = FixedProgress { control, done: 0, total: request.count() as u64 };
    let mut search = Search::new(matrix, request, mean, sizes, watch)?;
    while !search.candidates.is_done() {
        let Some(best) = search.best() else { break };
        selection.push(best.row as usize, f64::from(best.key));
        search.watch.done = selection.rows.len() as u64;
        control.tick(search.watch.done, search.watch.total)?;
        search.add(best.row)?;
    }
    Ok(Counted { selection, evaluations: search.evaluations })
}

impl<'a, C: Control> Search<'a, C> {
    fn new(
        matrix: MatrixView<'a>,
        request: &Request<'a>,
        mean: Option<&[f64]>,
        sizes: Sizes,
        watch: FixedProgress<'a, C>,
    ) -> Result<Self, Error> {
        let metric = DistanceMetric::of(matrix);
        let mut weights = HerdingWeights::new(matrix.rows, mean, &watch)?;
        for &row in request.preselected() {
            weights.add(row, matrix.rows.row(row))?;
        }
        let longest = metric.longest(matrix.rows, &watch)?;
        let mut scaling = metric.quantised(matrix.rows.part(0, 0), longest, &watch)?.scaling();
        let mut tiles = blocks::reserved(matrix.len().div_ceil(TILE))?;
        for first in (0..matrix.len()).step_by(QUANTISED) {
            let quantised = metric.quantised(matrix.rows.part(first, QUANTISED), longest, &watch)?;
            scaling = scaling.joined(quantised.scaling());
            let count = QUANTISED.min(matrix.len() - first) as u32;
            let rows: Vec<u32> = (0..count).collect();
            tiles.par_extend(rows.par_chunks(TILE).map(|rows| {
                let mut tile = Tile::of(&quantised);
                tile.hold(&quantised, rows);
                tile
            }));
        }
        let mut negative_products = blocks::filled(tiles.len() * TILE, f32::INFINITY)?;
        let candidates = request.candidates()?;
        candidates.iter().for_each(|row| negative_products[row] = 0.0);
        let least = blocks::filled(negative_products.len().div_ceil(sizes.block), f32::INFINITY)?;
        let mut search = Self {
            matrix,
            metric,
            sizes,
            watch,
            tiles,
            scaling,
            longest,
            candidates,
            weights,
            negative_products,
            least,
            error: 0.0,
            batches: VecDeque::new(),
            backoff: Backoff::default(),
            spare: Vec::new(),
            contender_vectors: Vec::new(),
            evaluations: 0,
        };
        if request.count() > 0 {
            search.pass(&[])?;
        }
        Ok(search)
    }

    /// The best row, with its canonical product.
    fn best(&mut self) -> Option<Rank> {
        let least = self.least.iter().copied().fold(f32::INFINITY, f32::min);
        let cutoff = f64::from(least) + 2.0 * self.error;
        let weights = self.weights.rounded();
        let block = self.sizes.block;
        let (matrix, metric) = (self.matrix, self.metric);
        let blocks = self.negative_products.par_chunks(block).zip(&self.least).enumerate();
        let found = blocks.map(|(at, (products, &least))| {
            if f64::from(least) > cutoff || least == f32::INFINITY {
                return (None, 0);
            }
            let mut found = (None, 0);
            for (row, &product) in (at * block..).zip(products) {
                if f64::from(product) <= cutoff && product < f32::INFINITY {
                    let key = metric.value(metric.between(&weights, matrix.rows.row(row)));
                    found = (found.0.max(Some(Rank { key, row: row as u32 })), found.1 + 1);
                }
            }
            found
        });
        let (best, compared) = found.reduce(|| (None, 0), |a, b| (a.0.max(b.0), a.1 + b.1));
        self.evaluations += compared;
        best
    }

    /// Adds a row to the set; brings all products up to date unless nothing is picked any more.
    fn add(&mut self, row: u32) -> Result<(), Error> {
        let x = self.matrix.rows.row(row as usize);
        self.weights.add(row as usize, x)?;
        self.candidates.pick(row as usize);
        if self.candidates.is_done() {
            return Ok(());
        }
        self.negative_products[row as usize] = f32::INFINITY;
        self.drop_inadmissible();
        let known =
            self.batches.iter_mut().enumerate().find_map(|(at, batch)| Some((at, batch.use_up(row)?)));
        match known {
            Some((batch, vector)) => {
                self.backoff.note_hit();
                self.apply(batch, vector);
            }
            None => {
                let guessed = if self.backoff.next_guesses() { self.guess() } else { Vec::new() };
                self.pass(&guessed)?;
            }
        }
        Ok(())
    }

    /// Drops the rows that the limits do not admit. The change that follows a pick finds the least of the others.
    fn drop_inadmissible(&mut self) {
        if self.candidates.is_limited() {
            let candidates = &self.candidates;
            let blocks = self.negative_products.par_chunks_mut(self.sizes.block).enumerate();
            blocks.for_each(|(at, products)| {
                for (row, product) in (at * self.sizes.block..candidates.rows()).zip(products) {
                    if !candidates.contains(row) {
                        *product = f32::INFINITY;
                    }
                }
            });
        }
    }

    /// Adds the products with a change that a batch holds to all products with `w`.
    fn apply(&mut self, batch: usize, vector: usize) {
        let (batch, block, simd) = (&self.batches[batch], self.sizes.block, self.matrix.simd);
        let scale = batch.scales[vector];
        let values = batch.values.par_chunks(block * batch.vectors());
        self.negative_products.par_chunks_mut(block).zip(&mut self.least).zip(values).for_each(
            |((products, least), values)| {
                let change = &values[vector * products.len()..][..products.len()];
                *least = simd.run(Add { products, change, scale });
            },
        );
        let length = self.weights.exact().iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        let rounded = f64::from(f32::EPSILON) * (length * f64::from(self.longest) + self.error);
        self.error += f64::from(batch.slack) * f64::from(scale) + rounded;
    }
}

/// Adds a change to products and gives the least.
struct Add<'a> {
    products: &'a mut [f32],
    change: &'a [f32],
    scale: f32,
}

impl Kernel for Add<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f32 {
        let Self { products, change, scale } = self;
        let (scale, mut least) = (V::all(scale), V::all(f32::INFINITY));
        // Both are whole tiles.
        let change = change.as_chunks::<LANES>().0;
        for (products, change) in products.as_chunks_mut::<LANES>().0.iter_mut().zip(change) {
            let sum = V::load(products).plus_product(V::load(change), scale);
            sum.store(products);
            least = sum.lesser(least);
        }
        least.least()
    }
}
