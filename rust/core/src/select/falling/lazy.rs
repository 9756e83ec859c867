//! The same picks from few dot products: old keys as upper bounds, brought up to date only where they could
//! win.
//!
//! A key only falls, so what it was bounds what it is. Each round sets a cutoff, about the `rows`-th largest
//! bound, and folds into the rows above it the members they have not met yet, oldest first and a tile of
//! members at a time, until they fall below the cutoff. The rows that do not fall have exact keys and are the
//! pool; its best is picked while it beats the cutoff, and so every bound outside, under the order of the
//! definition: (key descending, row ascending). Each pick is folded into the pool at once, and into other
//! rows when their turn comes. The best of a pool beats the cutoff, so a round either picks a row or lowers
//! the bound of every row above its cutoff.
//!
//! Source of the idea: stale bounds as in Minoux's lazy greedy (1978).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::{Admission, Request, Selection, rank};
use super::Falling;
use super::plain::Fold;
use crate::metric::{Dot, Rows, tile};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error, blocks};

/// Rows whose bounds one task brings up to date.
const BLOCK: usize = 256;
/// Members that a row meets before its bound is compared with the cutoff again.
const TILE: usize = 32;
/// Rows that the cutoff is estimated from.
const SAMPLE: usize = 1024;

/// How many rows the pool has about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Pool {
    pub(in super::super) rows: usize,
}

impl Pool {
    /// Few rows of a pool survive its cutoff, so it may be large; with a small one there are many rounds.
    pub(in super::super) fn of(rows: usize) -> Self {
        Self { rows: (rows / 10).next_power_of_two().clamp(256, 16_384) }
    }
}

type Rank = rank::Rank<f64>;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
struct Known<S> {
    /// The key after the first `met` members: infinite before it met any, below every key once it is one or is excluded.
    bound: f64,
    state: S,
    met: u32,
}

/// A row of the pool; its key is exact.
#[derive(Debug, Clone, Copy)]
struct Candidate<S> {
    rank: Rank,
    state: S,
}

struct Search<'a, K: Falling, C> {
    keys: K,
    control: &'a C,
    pool: Pool,
    count: usize,
    admission: Admission<'a>,
    /// How many rows have a bound.
    open: usize,
    known: Vec<Known<K::State>>,
    selection: Selection,
    evaluations: AtomicU64,
}

/// Picks, and tells how many dot products that took; the first pick is `start` where there is one.
pub(super) fn pick<K: Falling>(
    keys: K,
    request: &Request<'_>,
    start: Option<usize>,
    pool: Pool,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    if request.count() == 0 {
        return Ok((Selection::default(), 0));
    }
    blocks::check_countable(keys.rows().len())?;
    let mut known = blocks::reserved(keys.rows().len())?;
    known.extend((0..keys.rows().len()).map(|row| Known {
        bound: f64::INFINITY,
        state: keys.fresh(row),
        met: 0,
    }));
    let count = request.count();
    let open = known.len() - request.excluded().len();
    let admission = request.admission()?;
    let selection = Selection::default();
    let evaluations = AtomicU64::new(0);
    let mut search = Search { keys, control, pool, count, admission, open, known, selection, evaluations };
    for &row in request.given() {
        search.join(row);
        control.tick(0, count as u64)?;
    }
    request.excluded().iter().for_each(|&row| search.known[row].bound = f64::NEG_INFINITY);
    if let Some(row) = start {
        let key = search.keys.alone(row);
        search.pick(Rank { key, row: row as u32 })?;
    }
    while !search.is_done() && search.open > 0 {
        let cutoff = search.cutoff();
        let pool = search.fold(cutoff)?;
        search.drain(pool, cutoff)?;
    }
    Ok((search.selection, search.evaluations.into_inner()))
}

impl<K: Falling, C: Control> Search<'_, K, C> {
    fn is_done(&self) -> bool {
        self.admission.is_done()
    }

    fn join(&mut self, row: usize) {
        self.keys.join(row);
        self.close(row);
    }

    /// Takes a row out of all that may be picked.
    fn close(&mut self, row: usize) {
        self.known[row].bound = f64::NEG_INFINITY;
        self.open -= 1;
    }

    fn pick(&mut self, best: Rank) -> Result<(), Error> {
        self.join(best.row as usize);
        self.admission.take(best.row as usize);
        self.selection.push(best.row as usize, best.key);
        self.control.tick(self.selection.rows.len() as u64, self.count as u64)
    }

    /// A rank that about as many rows are above as the pool has room for; at least one is.
    fn cutoff(&self) -> Rank {
        let sample = |stride: usize| {
            let rows = self.known.iter().zip(0u32..).step_by(stride);
            let free = rows.filter(|(known, _)| known.bound > f64::NEG_INFINITY);
            free.map(|(known, row)| Rank { key: known.bound, row }).collect::<Vec<Rank>>()
        };
        let stride = (self.known.len() / SAMPLE).max(1);
        let mut ranks = sample(stride);
        if ranks.len() < 2 {
            ranks = sample(1);
        }
        if ranks.len() < 2 {
            // One row is left, and it is above this.
            return Rank { key: f64::MIN, row: u32::MAX };
        }
        let place = (self.pool.rows * ranks.len() / self.open).clamp(1, ranks.len() - 1);
        let (_, &mut cutoff, _) = ranks.select_nth_unstable_by(place, |a, b| b.cmp(a));
        if cutoff.key == f64::INFINITY {
            // Nothing is known of most rows yet: each of them meets the first members.
            return Rank { key: f64::INFINITY, row: u32::MAX };
        }
        cutoff
    }

    /// Brings the bounds above the cutoff up to date until they fall below it; gives those that do not fall.
    fn fold(&mut self, cutoff: Rank) -> Result<Vec<Candidate<K::State>>, Error> {
        let Self { keys, control, admission, known, evaluations, selection, .. } = self;
        let (done, total) = (selection.rows.len() as u64, self.count as u64);
        let blocks = known.par_chunks_mut(BLOCK).enumerate().map(|(block, known)| {
            let mut fold = Block { keys, first: block * BLOCK, known, cutoff };
            let refused = fold.refuse(admission);
            let compared = fold.run();
            evaluations.fetch_add(compared as u64, Relaxed);
            control.tick(done, total).map(|()| (fold.above(), refused))
        });
        let pools: Vec<(Vec<_>, usize)> = blocks.collect::<Result<_, Error>>()?;
        self.open -= pools.iter().map(|(_, refused)| refused).sum::<usize>();
        Ok(pools.into_iter().flat_map(|(above, _)| above).collect())
    }

    /// Picks from a pool as long as its best beat the cutoff, and remembers what is known of the rest.
    fn drain(&mut self, pool: Vec<Candidate<K::State>>, cutoff: Rank) -> Result<(), Error> {
        if pool.is_empty() {
            return Ok(());
        }
        let width = self.keys.rows().width();
        let mut vectors = blocks::reserved::<f32>(pool.len() * width)?;
        pool.iter().for_each(|one| vectors.extend(self.keys.rows().row(one.rank.row as usize)));
        let (mut ranks, mut states): (Vec<Rank>, Vec<K::State>) =
            pool.iter().map(|one| (one.rank, one.state)).unzip();
        loop {
            let best = (0..ranks.len()).max_by_key(|&at| ranks[at]).filter(|&at| ranks[at] > cutoff);
            let Some(at) = best else { break };
            let best = ranks[at];
            ranks[at].key = f64::NEG_INFINITY;
            if !self.admission.is_open(best.row as usize) {
                self.close(best.row as usize);
                continue;
            }
            self.pick(best)?;
            if self.is_done() {
                return Ok(());
            }
            let members = self.keys.members();
            let member = members.part(members.len() - 1, 1);
            let rows = Rows::new(&vectors, width);
            self.keys.simd().run(Fold { rows, member, states: &mut states, folded: K::folded });
            self.evaluations.fetch_add(rows.len() as u64, Relaxed);
            for (rank, &state) in ranks.iter_mut().zip(&states) {
                if rank.key > f64::NEG_INFINITY {
                    rank.key = self.keys.key(rank.row as usize, state);
                }
            }
        }
        let met = self.keys.members().len() as u32;
        for (rank, &state) in ranks.iter().zip(&states) {
            self.known[rank.row as usize] = Known { bound: rank.key, state, met };
        }
        Ok(())
    }
}

/// A block of rows on its way below a cutoff.
struct Block<'a, K: Falling> {
    keys: &'a K,
    first: usize,
    known: &'a mut [Known<K::State>],
    cutoff: Rank,
}

impl<K: Falling> Block<'_, K> {
    fn rank(&self, at: usize) -> Rank {
        Rank { key: self.known[at].bound, row: (self.first + at) as u32 }
    }

    /// Closes the rows above the cutoff that the limits refuse, and tells how many.
    fn refuse(&mut self, admission: &Admission<'_>) -> usize {
        let mut refused = 0;
        for at in (0..self.known.len()).filter(|_| admission.is_limited()) {
            if self.rank(at) > self.cutoff && !admission.is_open(self.first + at) {
                self.known[at].bound = f64::NEG_INFINITY;
                refused += 1;
            }
        }
        refused
    }

    /// The rows above the cutoff.
    fn above(&self) -> Vec<Candidate<K::State>> {
        let rows = (0..self.known.len()).filter(|&at| self.rank(at) > self.cutoff);
        rows.map(|at| Candidate { rank: self.rank(at), state: self.known[at].state }).collect()
    }

    /// Lowers all bounds above the cutoff, oldest members first; tells how many pairs were compared.
    fn run(&mut self) -> usize {
        let members = self.keys.members();
        let next = |known: &Known<K::State>| known.met as usize / TILE;
        let mut waiting: Vec<usize> = (0..self.known.len())
            .filter(|&at| self.rank(at) > self.cutoff && (self.known[at].met as usize) < members.len())
            .collect();
        waiting.sort_unstable_by_key(|&at| std::cmp::Reverse(self.known[at].met));
        let mut active: Vec<usize> = Vec::with_capacity(waiting.len());
        let mut compared = 0;
        let oldest = waiting.last().map_or(members.len(), |&at| next(&self.known[at]));
        for tile in oldest..members.len().div_ceil(TILE) {
            while waiting.last().is_some_and(|&at| next(&self.known[at]) <= tile) {
                active.extend(waiting.pop());
            }
            if active.is_empty() {
                continue;
            }
            let first = tile * TILE;
            let members = members.part(first, TILE);
            let rows = self.keys.rows().part(self.first, self.known.len());
            let met = (first + members.len()) as u32;
            let meet = Meet::<K> { rows, members, first, active: &active, known: self.known };
            self.keys.simd().run(meet);
            for &at in &active {
                let bound = self.keys.key(self.first + at, self.known[at].state);
                let known = &mut self.known[at];
                compared += (met - known.met) as usize;
                (known.bound, known.met) = (bound, met);
            }
            active.retain(|&at| self.rank(at) > self.cutoff);
        }
        compared
    }
}

/// Folds a tile of members into some rows of a block.
struct Meet<'a, K: Falling> {
    rows: Rows<'a>,
    members: Rows<'a>,
    /// How many members joined before the tile.
    first: usize,
    active: &'a [usize],
    known: &'a mut [Known<K::State>],
}

impl<K: Falling> Kernel for Meet<'_, K> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, members, first, active, known } = self;
        let (mut left, mut right) = ([&[][..]; R], [&[][..]; C]);
        for group in (0..active.len()).step_by(R) {
            // At the edge the last row is taken again and its extra values are left out.
            let mut met = members.len();
            for (i, row) in left.iter_mut().enumerate() {
                let at = active[(group + i).min(active.len() - 1)];
                *row = rows.row(at);
                // Rows that stopped inside the tile have met the first of its members.
                met = met.min((known[at].met as usize).saturating_sub(first));
            }
            for c in (met..members.len()).step_by(C) {
                for (j, row) in right.iter_mut().enumerate() {
                    *row = members.row((c + j).min(members.len() - 1));
                }
                let values = tile::<Dot, V, R, C>(left, right);
                for (i, line) in values.iter().enumerate().take(active.len() - group) {
                    let known = &mut known[active[group + i]];
                    for (j, &value) in line.iter().enumerate().take(members.len() - c) {
                        if first + c + j >= known.met as usize {
                            known.state = K::folded(known.state, value);
                        }
                    }
                }
            }
        }
    }
}
