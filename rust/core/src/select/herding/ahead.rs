//! The same picks from fewer products, by looking ahead.
//!
//! Every row has an approximate product with `w`, off by no more than a bound; canonical arithmetic decides among the
//! rows that could be the best. A pick changes all products by those of one vector, its `change`. These do not depend on
//! `w`, so they can be known before the row is picked: the picks to come are guessed by herding among the rows of
//! largest product alone, and the changes of all guessed rows meet all rows in one pass in int16, for which memory is
//! read once. While the picks are among those guessed a pick costs a look at the approximate products. When one is not,
//! the next pass comes; the first vector in it is `w` itself, so that the bound starts anew.
//!
//! A guess that fails costs time and changes no pick; where guesses keep failing there are few.

use std::cmp::Reverse;
use std::collections::VecDeque;

use rayon::prelude::*;

use super::super::nearness::Nearness;
use super::super::{Admission, Counted, Request, Selection, rank};
use super::debt::Debt;
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::quantise::{Quantised, Scaling, TILE, Tile};
use crate::simd::{Kernel, LANES, Lanes, Simd};
use crate::topk::Smallest;
use crate::{Control, Error, blocks};

/// Rows of the pool that one task compares with a pick.
const PART: usize = 512;
/// Rows that are quantised on the way to their tiles at once.
const QUANTISED: usize = 4096;

/// The most passes without a guess.
const LONGEST_PAUSE: u32 = 16;

type Rank = rank::Rank<f32>;

/// How far to look ahead; it decides the time, not the picks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Rows among which the picks to come are guessed.
    pub(super) pool: usize,
    /// Changes that are computed in a pass beside `w`.
    pub(super) columns: usize,
    /// Rows in a task, a multiple of the rows of a tile.
    pub(super) block: usize,
    /// Passes whose unused changes are kept.
    pub(super) batches: usize,
}

impl Sizes {
    /// As many vectors a pass as AVX-512 works on at once; a larger pool guesses better and takes longer.
    pub(super) fn of(rows: usize) -> Self {
        Self { pool: (rows / 16).max(1024), columns: 11, block: 4096, batches: 3 }
    }
}

/// The approximate products of all rows with the vectors of a pass.
///
/// They are minus the products with vectors scaled down, as [`Quantised::every`] gives them. Those of a block of
/// rows lie together, vector after vector.
struct Batch {
    values: Vec<f32>,
    vectors: usize,
    /// The row whose change each vector is; none for `w`, and for changes that are used up.
    rows: Vec<Option<u32>>,
    scales: Vec<f32>,
    slack: f32,
}

/// Whether to guess: after a guess of which nothing came true the next passes go without, each time twice as many.
#[derive(Debug, Default)]
struct Pace {
    guessed: bool,
    came_true: bool,
    /// Passes without a guess, now and after the last guess.
    left: u32,
    pause: u32,
}

impl Pace {
    /// Whether the next pass is one with a guess.
    fn guesses(&mut self) -> bool {
        if self.guessed {
            self.pause = if self.came_true { 0 } else { (2 * self.pause).clamp(1, LONGEST_PAUSE) };
            self.left = self.pause;
            self.came_true = false;
        }
        self.guessed = self.left == 0;
        self.left = self.left.saturating_sub(1);
        self.guessed
    }
}

struct Search<'a, C> {
    matrix: MatrixView<'a>,
    near: Nearness,
    sizes: Sizes,
    watch: Part<'a, C>,
    tiles: Vec<Tile>,
    scaling: Scaling,
    longest: f32,
    admission: Admission<'a>,
    debt: Debt,
    /// The approximate product of each row with `w`, with the sign turned; infinite for rows that cannot be picked and
    /// for what fills the last tile.
    against: Vec<f32>,
    /// The least of each block.
    least: Vec<f32>,
    /// No approximate product is off the canonical one by more.
    error: f64,
    batches: VecDeque<Batch>,
    pace: Pace,
    /// Memory of a batch that is no more, and of the vectors of the pool: new memory would have to be cleared.
    spare: Vec<f32>,
    pooled: Vec<f32>,
    evaluations: u64,
}

pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    sizes: Sizes,
    control: &impl Control,
) -> Result<Counted, Error> {
    let mut selection = Selection::default();
    let watch = Part { control, done: 0, total: request.count() as u64 };
    let mut search = Search::new(matrix, request, sizes, watch)?;
    while !search.admission.is_done() {
        let Some(best) = search.best() else { break };
        selection.push(best.row as usize, f64::from(best.key));
        search.watch.done = selection.rows.len() as u64;
        control.tick(search.watch.done, search.watch.total)?;
        search.add(best.row)?;
    }
    Ok(Counted { selection, evaluations: search.evaluations })
}

/// The least power of two by which a vector must be divided to be no longer than `longest`; none for a vector of zeros.
fn power(vector: &[f64], longest: f32) -> Option<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt() * 1.001;
    let power = (length / f64::from(longest)).log2().ceil();
    power.is_finite().then(|| (power.clamp(-120.0, 120.0)).exp2() as f32)
}

impl<'a, C: Control> Search<'a, C> {
    fn new(
        matrix: MatrixView<'a>,
        request: &Request<'a>,
        sizes: Sizes,
        watch: Part<'a, C>,
    ) -> Result<Self, Error> {
        let near = Nearness::of(matrix);
        let mut debt = Debt::new(matrix.rows, &watch)?;
        for &row in request.given() {
            debt.add(row, matrix.rows.row(row))?;
        }
        let longest = near.longest(matrix.rows, &watch)?;
        let mut scaling = near.quantised(matrix.rows.part(0, 0), longest, &watch)?.scaling();
        let mut tiles = blocks::reserved(matrix.len().div_ceil(TILE))?;
        for first in (0..matrix.len()).step_by(QUANTISED) {
            let quantised = near.quantised(matrix.rows.part(first, QUANTISED), longest, &watch)?;
            scaling = scaling.joined(quantised.scaling());
            let count = QUANTISED.min(matrix.len() - first) as u32;
            let rows: Vec<u32> = (0..count).collect();
            tiles.par_extend(rows.par_chunks(TILE).map(|rows| {
                let mut tile = Tile::of(&quantised);
                tile.hold(&quantised, rows);
                tile
            }));
        }
        let mut against = blocks::filled(tiles.len() * TILE, f32::INFINITY)?;
        let admission = request.admission()?;
        admission.open().for_each(|row| against[row] = 0.0);
        let least = blocks::filled(against.len().div_ceil(sizes.block), f32::INFINITY)?;
        let batches = VecDeque::new();
        let mut search = Self {
            matrix,
            near,
            sizes,
            watch,
            tiles,
            scaling,
            longest,
            admission,
            debt,
            against,
            least,
            error: 0.0,
            batches,
            pace: Pace::default(),
            spare: Vec::new(),
            pooled: Vec::new(),
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
        let wanted = self.debt.rounded();
        let block = self.sizes.block;
        let (matrix, near) = (self.matrix, self.near);
        let found =
            self.against.par_chunks(block).zip(&self.least).enumerate().map(|(at, (against, &least))| {
                if f64::from(least) > cutoff || least == f32::INFINITY {
                    return (None, 0);
                }
                let mut found = (None, 0);
                for (row, &against) in (at * block..).zip(against) {
                    if f64::from(against) <= cutoff && against < f32::INFINITY {
                        let key = near.meaning(near.between(&wanted, matrix.rows.row(row)));
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
        self.debt.add(row as usize, x)?;
        self.admission.take(row as usize);
        if self.admission.is_done() {
            return Ok(());
        }
        self.against[row as usize] = f32::INFINITY;
        self.refuse();
        let known = self.batches.iter_mut().enumerate().find_map(|(at, batch)| {
            let vector = batch.rows.iter().position(|&known| known == Some(row))?;
            batch.rows[vector] = None;
            Some((at, vector))
        });
        match known {
            Some((batch, vector)) => {
                self.pace.came_true = true;
                self.change(batch, vector);
            }
            None => {
                let guessed = if self.pace.guesses() { self.guess() } else { Vec::new() };
                self.pass(&guessed)?;
            }
        }
        Ok(())
    }

    /// Takes the rows that the limits refuse away. The change that follows a pick finds the least of what is left.
    fn refuse(&mut self) {
        if self.admission.is_limited() {
            let admission = &self.admission;
            let rows = self.against.par_chunks_mut(self.sizes.block).enumerate();
            rows.for_each(|(at, against)| {
                for (row, against) in (at * self.sizes.block..admission.rows()).zip(against) {
                    if !admission.is_open(row) {
                        *against = f32::INFINITY;
                    }
                }
            });
        }
    }

    /// Adds a known change to all products.
    fn change(&mut self, batch: usize, vector: usize) {
        let (batch, block, simd) = (&self.batches[batch], self.sizes.block, self.matrix.simd);
        let scale = batch.scales[vector];
        let values = batch.values.par_chunks(block * batch.vectors);
        self.against.par_chunks_mut(block).zip(&mut self.least).zip(values).for_each(
            |((against, least), values)| {
                let change = &values[vector * against.len()..][..against.len()];
                *least = simd.run(Add { against, change, scale });
            },
        );
        let length = self.debt.sum().iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        let rounded = f64::from(f32::EPSILON) * (length * f64::from(self.longest) + self.error);
        self.error += f64::from(batch.slack) * f64::from(scale) + rounded;
    }

    /// Rows that may be picked next, the changes of which are not known.
    fn guess(&mut self) -> Vec<u32> {
        let pool = self.pool();
        let rows: Vec<u32> = pool.iter().map(|rank| rank.row).collect();
        let width = self.matrix.rows.width();
        let mut pooled = std::mem::take(&mut self.pooled);
        pooled.clear();
        rows.iter().for_each(|&row| pooled.extend_from_slice(self.matrix.rows.row(row as usize)));
        let vectors = Rows::new(&pooled, width);
        let near = self.near;
        let products = |with: &[f32], far: &mut [f32]| {
            far.par_chunks_mut(PART).enumerate().for_each(|(part, far)| {
                near.all(with, vectors.part(part * PART, far.len()), far);
            });
        };
        let mut against = vec![0.0; rows.len()];
        let mut changes = vec![0.0; rows.len()];
        products(&self.debt.rounded(), &mut against);
        self.evaluations += rows.len() as u64;
        let mut guessed = Vec::with_capacity(self.sizes.columns);
        // Many of those picked may be known already; no more of them than three times the wanted.
        for _ in 0..rows.len().min(4 * self.sizes.columns) {
            let least = against.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((place, _)) = least else { break };
            let row = rows[place];
            if !self.batches.iter().any(|batch| batch.rows.contains(&Some(row))) {
                guessed.push(row);
            }
            if guessed.len() == self.sizes.columns {
                break;
            }
            let change: Vec<f32> = self.debt.change(vectors.row(place)).map(|change| change as f32).collect();
            products(&change, &mut changes);
            self.evaluations += rows.len() as u64;
            against.iter_mut().zip(&changes).for_each(|(against, change)| *against += change);
            against[place] = f32::INFINITY;
        }
        self.pooled = pooled;
        guessed
    }

    /// The rows of largest product, or nearly those: no block gives more than twice its share.
    fn pool(&self) -> Vec<Rank> {
        let block = self.sizes.block;
        let share = (2 * self.sizes.pool).div_ceil(self.least.len().max(1));
        let parts: Vec<Vec<Reverse<Rank>>> = self
            .against
            .par_chunks(block)
            .enumerate()
            .map(|(at, against)| {
                let mut best = Smallest::new(share);
                for (row, &against) in (at * block..).zip(against) {
                    if against < f32::INFINITY {
                        best.push(Reverse(Rank { key: 0.0 - against, row: row as u32 }));
                    }
                }
                best.into_sorted()
            })
            .collect();
        let mut best = Smallest::new(self.sizes.pool);
        parts.into_iter().flatten().for_each(|rank| best.push(rank));
        best.into_sorted().into_iter().map(|rank| rank.0).collect()
    }

    /// Takes the products of all rows with `w` and with the changes of some rows.
    fn pass(&mut self, rows: &[u32]) -> Result<(), Error> {
        let width = self.matrix.rows.width();
        let mut vectors = Vec::with_capacity((rows.len() + 1) * width);
        let mut scales = Vec::with_capacity(rows.len() + 1);
        let change = |&row: &u32| self.debt.change(self.matrix.rows.row(row as usize)).collect::<Vec<f64>>();
        for vector in std::iter::once(self.debt.sum().to_vec()).chain(rows.iter().map(change)) {
            let power = power(&vector, self.longest).unwrap_or(1.0);
            // A power of two: nothing is rounded but what the vector as float32 is.
            vectors.extend(vector.into_iter().map(|x| (x as f32) / power));
            scales.push(power / 2.0);
        }
        let vectors = Rows::new(&vectors, width);
        let mut quantised = self.near.quantised(vectors, self.longest, &self.watch)?;
        quantised.face(self.scaling);
        let slack = quantised.slack();
        let size = self.against.len() * vectors.len();
        if !rows.is_empty() && self.batches.len() == self.sizes.batches {
            self.spare = self.batches.pop_front().map(|batch| batch.values).unwrap_or_default();
        }
        let mut values = std::mem::take(&mut self.spare);
        if values.capacity() < size {
            values = blocks::reserved(size)?;
        }
        values.resize(size, 0.0);
        let (block, tiles, simd) = (self.sizes.block, &self.tiles, self.matrix.simd);
        let all: Vec<u32> = (0..vectors.len() as u32).collect();
        let (watch, scale) = (&self.watch, scales[0]);
        let blocks = values.par_chunks_mut(block * vectors.len()).enumerate();
        blocks.zip(self.against.par_chunks_mut(block)).zip(&mut self.least).try_for_each(
            |(((at, values), against), least)| {
                products(&quantised, simd, &all, &tiles[at * block / TILE..], values);
                let fresh = &values[..against.len()];
                *least = f32::INFINITY;
                for (against, fresh) in against.iter_mut().zip(fresh) {
                    // What cannot be picked stays infinitely far.
                    if *against < f32::INFINITY {
                        *against = fresh * scale;
                        *least = least.min(*against);
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
            let known = std::iter::once(None).chain(rows.iter().map(|&row| Some(row))).collect();
            self.batches.push_back(Batch { values, vectors: vectors.len(), rows: known, scales, slack });
        }
        Ok(())
    }
}

/// The approximate values of all vectors with the rows of some tiles, vector after vector.
fn products(quantised: &Quantised, simd: Simd, all: &[u32], tiles: &[Tile], values: &mut [f32]) {
    let rows = values.len() / all.len();
    let mut found = vec![[0.0; TILE]; all.len()];
    for (at, tile) in tiles.iter().enumerate().take(rows / TILE) {
        quantised.every(simd, all, tile, &mut found);
        for (vector, found) in found.iter().enumerate() {
            values[vector * rows + at * TILE..][..TILE].copy_from_slice(found);
        }
    }
}

/// Adds a change to products and gives the least.
struct Add<'a> {
    against: &'a mut [f32],
    change: &'a [f32],
    scale: f32,
}

impl Kernel for Add<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f32 {
        let Self { against, change, scale } = self;
        let (scale, mut least) = (V::all(scale), V::all(f32::INFINITY));
        // Both are whole tiles.
        let change = change.as_chunks::<LANES>().0;
        for (against, change) in against.as_chunks_mut::<LANES>().0.iter_mut().zip(change) {
            let sum = V::load(against).plus_product(V::load(change), scale);
            sum.store(against);
            least = sum.lesser(least);
        }
        least.least()
    }
}
