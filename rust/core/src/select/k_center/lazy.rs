//! The same picks from few distances: upper bounds instead of keys, brought up to date only where they could
//! win.
//!
//! A key only falls as the set grows, so what was known of it earlier bounds it from above. Three circles of
//! rows, each smaller and better known than the one around it:
//!
//! 1. All rows have a bound and the number of set rows that it covers. Those above a cutoff (about the
//!    `pool`-th largest bound) meet the set rows they have not met yet, in int16, tile by tile, until they
//!    fall below the cutoff.
//! 2. Those that do not fall are the pool. Its bounds cover the whole set.
//! 3. The front, the largest of the pool, has exact keys: the int16 values tell which set rows could be the
//!    nearest, and canonical arithmetic decides.
//!
//! The best of the front is picked while it beats every bound outside, under the order of the definition: (key
//! descending, row ascending). New picks lower the keys of the front at once, the pool's bounds in tiles, and
//! all others when their turn comes. Every round picks a row or lowers a bound or makes one exact, so it ends.
//!
//! Source of the idea: stale bounds as in Minoux's lazy greedy (1978) and in Raff's k-means++ (IJCAI 2021).

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::{Request, Selection, rank};
use super::plain::Lower;
use crate::blocks;
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::quantise::{Quantised, TILE, Tiles};
use crate::simd::Simd;
use crate::{Control, Error};

/// Rows whose bounds one task brings up to date.
const BLOCK: usize = 2048;
/// Rows of the pool or the front that one task works on.
const PART: usize = 48;
/// Rows that the cutoff is estimated from.
const SAMPLE: usize = 8192;

type Rank = rank::Rank<f32>;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// At least the key over the first `covered` rows of the set; below every key once the row is in the set or excluded.
    bound: f32,
    covered: u32,
    /// The key over the first `exact` rows of the set.
    key: f32,
    exact: u32,
}

/// How large the pool and the front are; they decide the time, not the picks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) pool: usize,
    pub(super) front: usize,
}

impl Sizes {
    /// Of the sizes tried on 36 and 200 thousand rows the fastest, or as fast as any.
    pub(super) fn of(rows: usize, picks: usize) -> Self {
        let front = if picks <= 1000 {
            256
        } else if picks <= 5000 {
            512
        } else {
            1024
        };
        Self { pool: (rows / 16).next_power_of_two().clamp(1024, 1 << 16), front }
    }
}

struct Search<'a, C> {
    matrix: MatrixView<'a>,
    quantised: Quantised,
    control: &'a C,
    sizes: Sizes,
    count: usize,
    /// How many rows can be picked at all.
    open: usize,
    known: Vec<Known>,
    /// The given rows and the picks, in order, and the same as tiles.
    set: Vec<u32>,
    tiles: Tiles,
    selection: Selection,
    evaluations: AtomicU64,
}

/// Picks, and tells how many pairs of rows were compared, at any precision.
///
/// The first pick is `start` where there is one.
pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    start: Option<usize>,
    sizes: Sizes,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let unknown = Known { bound: f32::MAX, covered: 0, key: f32::INFINITY, exact: 0 };
    let mut search = Search {
        matrix,
        quantised: Quantised::new(matrix, &Part { control, done: 0, total: request.count() as u64 })?,
        control,
        sizes,
        count: request.count(),
        open: matrix.len() - request.given().len() - request.excluded().len(),
        known: blocks::filled(matrix.len(), unknown)?,
        set: Vec::new(),
        tiles: Tiles::default(),
        selection: Selection::default(),
        evaluations: AtomicU64::new(0),
    };
    request.given().iter().for_each(|&row| search.add(row as u32));
    request.excluded().iter().for_each(|&row| search.known[row].bound = f32::NEG_INFINITY);
    if let Some(row) = start.filter(|_| search.count > 0) {
        search.pick(Rank { key: f32::NAN, row: row as u32 })?;
    }
    while !search.is_done() {
        let cutoff = search.cutoff();
        let pool = search.fold(cutoff)?;
        search.drain(pool, cutoff)?;
    }
    Ok((search.selection, search.evaluations.into_inner()))
}

impl<C: Control> Search<'_, C> {
    fn picks(&self) -> u64 {
        self.selection.rows.len() as u64
    }

    fn is_done(&self) -> bool {
        self.selection.rows.len() == self.count
    }

    fn add(&mut self, row: u32) {
        self.set.push(row);
        self.tiles.push(&self.quantised, row as usize);
        self.known[row as usize].bound = f32::NEG_INFINITY;
    }

    fn pick(&mut self, best: Rank) -> Result<(), Error> {
        self.add(best.row);
        self.selection.push(best.row as usize, f64::from(best.key));
        self.control.tick(self.picks(), self.count as u64)
    }

    /// A rank that about as many rows are above as the pool has room for; at least one is.
    fn cutoff(&self) -> Rank {
        let free = |known: &&Known| known.bound > f32::NEG_INFINITY;
        let sample = |stride: usize| {
            let bounds = self.known.iter().step_by(stride).filter(free).map(|known| known.bound);
            bounds.collect::<Vec<f32>>()
        };
        let mut bounds = sample((self.known.len() / SAMPLE).max(1));
        if bounds.is_empty() {
            bounds = sample(1);
        }
        let left = self.open - self.selection.rows.len();
        let place = (self.sizes.pool * bounds.len() / left.max(1)).min(bounds.len() - 1);
        let (_, &mut key, _) = bounds.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
        if key == f32::MAX {
            // Nothing is known of most rows yet.
            return Rank { key, row: u32::MAX };
        }
        let above = self.known.par_iter().with_min_len(BLOCK).filter(|known| known.bound > key).count();
        let room = self.sizes.pool.saturating_sub(above);
        if room <= self.sizes.pool / 2 {
            return Rank { key, row: 0 };
        }
        // Many are equal: the lowest of those are above it too.
        let equal = self.known.iter().enumerate().filter(|(_, known)| known.bound == key);
        let last = equal.take(room).last().map_or(0, |(row, _)| row);
        Rank { key, row: last as u32 + 1 }
    }

    /// Brings the bounds above the cutoff up to date until they fall below it; gives those that do not fall.
    fn fold(&mut self, cutoff: Rank) -> Result<Vec<Rank>, Error> {
        let watch = Part { control: self.control, done: self.picks(), total: self.count as u64 };
        let Self { matrix, quantised, known, tiles, evaluations, .. } = self;
        let blocks = known.par_chunks_mut(BLOCK).enumerate().map(|(block, known)| {
            let fold = Fold { first: (block * BLOCK) as u32, known, cutoff };
            let (above, compared) = fold.run(matrix.simd, quantised, tiles);
            evaluations.fetch_add(compared, Relaxed);
            watch.tick(0, 0).map(|()| above)
        });
        let pools: Vec<Vec<Rank>> = blocks.collect::<Result<_, Error>>()?;
        Ok(pools.into_iter().flatten().collect())
    }

    /// Picks from a pool as long as its best beat the cutoff, and remembers what is known of the rest.
    fn drain(&mut self, mut pool: Vec<Rank>, cutoff: Rank) -> Result<(), Error> {
        while !pool.is_empty() {
            let size = self.sizes.front.min(pool.len());
            pool.select_nth_unstable_by(size - 1, |a, b| b.cmp(a));
            let (front, rest) = pool.split_at_mut(size);
            self.refine(front);
            let bar = rest.iter().copied().max().map_or(cutoff, |best| best.max(cutoff));
            let before = self.set.len();
            self.pick_from(front, bar)?;
            if self.is_done() {
                return Ok(());
            }
            if self.set.len() > before {
                self.lower(rest, before);
            }
            pool.retain(|rank| rank.key > f32::NEG_INFINITY);
            self.remember(&pool);
            pool.retain(|rank| *rank > cutoff);
        }
        Ok(())
    }

    /// Makes the keys of these rows exact. Their bounds cover the set.
    fn refine(&mut self, front: &mut [Rank]) {
        let (known, size) = (&self.known, self.set.len() as u32);
        let mut stale: Vec<&mut Rank> =
            front.iter_mut().filter(|rank| known[rank.row as usize].exact < size).collect();
        stale.sort_unstable_by_key(|rank| (known[rank.row as usize].exact, rank.row));
        stale.par_chunks_mut(PART).for_each(|part| self.refine_part(part));
        for rank in front {
            let known = &mut self.known[rank.row as usize];
            (known.key, known.exact) = (rank.key, size);
        }
    }

    fn refine_part(&self, part: &mut [&mut Rank]) {
        let rows: Vec<u32> = part.iter().map(|rank| rank.row).collect();
        let exact = |row: u32| &self.known[row as usize];
        let first = rows.iter().map(|&row| exact(row).exact).min().unwrap_or(0) as usize / TILE;
        let mut bounds: Vec<f32> = part.iter().map(|rank| rank.key).collect();
        let tiles = (&self.tiles, first);
        let near = self.quantised.could_be_nearest(self.matrix.simd, &rows, tiles, &mut bounds);
        let mut compared = rows.len() * (self.tiles.rows() - first * TILE);
        for (rank, near) in part.iter_mut().zip(near) {
            let row = self.matrix.rows.row(rank.row as usize);
            let mut key = exact(rank.row).key;
            for &place in &near {
                let other = self.matrix.rows.row(self.set[place as usize] as usize);
                key = key.min(metric::squared_distance(self.matrix.simd, row, other));
            }
            compared += near.len();
            rank.key = key;
        }
        self.evaluations.fetch_add(compared as u64, Relaxed);
    }

    /// Picks the best of the front while it beats the bar; picked ones get a key below all.
    fn pick_from(&mut self, front: &mut [Rank], bar: Rank) -> Result<(), Error> {
        let width = self.matrix.rows.width();
        let mut vectors: Vec<f32> = Vec::new();
        let mut keys: Vec<f32> = Vec::new();
        loop {
            let best = (0..front.len()).max_by_key(|&at| front[at]).filter(|&at| front[at] > bar);
            let Some(at) = best else { return Ok(()) };
            let best = front[at];
            front[at].key = f32::NEG_INFINITY;
            self.pick(best)?;
            if self.is_done() {
                return Ok(());
            }
            if vectors.is_empty() {
                vectors.reserve_exact(front.len() * width);
                front.iter().for_each(|rank| vectors.extend(self.matrix.rows.row(rank.row as usize)));
                keys.resize(front.len(), 0.0);
            }
            keys.iter_mut().zip(&*front).for_each(|(key, rank)| *key = rank.key);
            let (rows, pick) = (Rows::new(&vectors, width), self.matrix.rows.part(best.row as usize, 1));
            self.matrix.simd.run(Lower { rows, pick, keys: &mut keys });
            front.iter_mut().zip(&keys).for_each(|(rank, &key)| rank.key = key);
            self.evaluations.fetch_add(front.len() as u64, Relaxed);
            // The keys stay exact.
            let size = self.set.len() as u32;
            for rank in &*front {
                let known = &mut self.known[rank.row as usize];
                (known.key, known.exact) = (rank.key, size);
            }
        }
    }

    /// Lowers bounds that cover the first `before` rows of the set to cover all of it.
    fn lower(&mut self, pool: &mut [Rank], before: usize) {
        let (tiles, quantised, simd) = (&self.tiles, &self.quantised, self.matrix.simd);
        let first = before / TILE;
        let nearest: Vec<f32> = pool
            .par_chunks(PART)
            .flat_map_iter(|part| {
                let rows: Vec<u32> = part.iter().map(|rank| rank.row).collect();
                let mut nearest = vec![f32::INFINITY; rows.len()];
                let mut found = nearest.clone();
                for at in first..tiles.len() {
                    quantised.nearest(simd, &rows, tiles.tile(at), &mut found);
                    nearest
                        .iter_mut()
                        .zip(&found)
                        .for_each(|(nearest, found)| *nearest = nearest.min(*found));
                }
                nearest
            })
            .collect();
        let compared = pool.len() * (first..tiles.len()).map(|at| tiles.tile(at).rows()).sum::<usize>();
        self.evaluations.fetch_add(compared as u64, Relaxed);
        let slack = quantised.slack();
        for (rank, nearest) in pool.iter_mut().zip(nearest) {
            let known = &mut self.known[rank.row as usize];
            if known.exact as usize == before && nearest - slack >= known.key {
                known.exact = self.set.len() as u32;
            }
            rank.key = rank.key.min(nearest + slack);
        }
    }

    /// Keeps the bounds of a pool, which cover the set.
    fn remember(&mut self, pool: &[Rank]) {
        let size = self.set.len() as u32;
        for rank in pool {
            let known = &mut self.known[rank.row as usize];
            (known.bound, known.covered) = (rank.key, size);
        }
    }
}

/// A block of rows on its way below a cutoff.
struct Fold<'a> {
    first: u32,
    known: &'a mut [Known],
    cutoff: Rank,
}

impl Fold<'_> {
    /// Lowers all bounds above the cutoff, oldest tile first. Gives the rows that stay above it, and how many pairs
    /// were compared.
    fn run(self, simd: Simd, quantised: &Quantised, tiles: &Tiles) -> (Vec<Rank>, u64) {
        let Self { first, known, cutoff } = self;
        let (size, slack) = (tiles.rows() as u32, quantised.slack());
        let mut above = Vec::new();
        let mut waiting: Vec<(u32, u32)> = Vec::new();
        for (row, known) in (first..).zip(&*known) {
            let rank = Rank { key: known.bound, row };
            if rank > cutoff {
                // A bound of 0 cannot fall.
                if known.covered < size && known.bound > 0.0 {
                    waiting.push((known.covered / TILE as u32, row));
                } else {
                    above.push(rank);
                }
            }
        }
        waiting.sort_unstable_by_key(|&(tile, row)| (Reverse(tile), row));
        let mut active: Vec<u32> = Vec::with_capacity(waiting.len());
        let mut nearest = vec![0.0; waiting.len()];
        let mut compared = 0;
        let begin = waiting.last().map_or(tiles.len(), |&(tile, _)| tile as usize);
        for tile in begin..tiles.len() {
            while let Some((_, row)) = waiting.pop_if(|(next, _)| *next as usize <= tile) {
                active.push(row);
            }
            quantised.nearest(simd, &active, tiles.tile(tile), &mut nearest);
            compared += (active.len() * tiles.tile(tile).rows()) as u64;
            let covered = size.min(((tile + 1) * TILE) as u32);
            let mut kept = 0;
            for at in 0..active.len() {
                let row = active[at];
                let known = &mut known[(row - first) as usize];
                known.bound = known.bound.min(nearest[at] + slack);
                known.covered = covered;
                if (Rank { key: known.bound, row }) > cutoff {
                    active[kept] = row;
                    kept += 1;
                }
            }
            active.truncate(kept);
            if active.is_empty() && waiting.is_empty() {
                break;
            }
        }
        above.extend(active.into_iter().map(|row| Rank { key: known[(row - first) as usize].bound, row }));
        (above, compared)
    }
}
