//! The same picks from few dot products: old keys as upper bounds, brought up to date only where they could
//! win.
//!
//! A key never rises, so a key computed earlier is an upper bound. Each round sets a cutoff, about the `rows`-th
//! largest bound, and updates the rows above it by the members that their bounds do not cover, oldest first and a tile
//! of members at a time, until they fall below the cutoff. The rows that do not fall have exact keys and are the
//! working set; its best is picked while it beats the cutoff, and so every bound outside, under the order of the
//! definition: (key descending, row ascending). Each pick updates the working set at once, and other rows when they are
//! refreshed. The best of a working set beats the cutoff, so a round either picks a row or lowers the bound of every
//! row above its cutoff.
//!
//! Source of the idea: stale bounds as in Minoux's lazy greedy (1978).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::super::{Candidates, Request, Selection, rank};
use super::MonotoneKey;
use super::plain::Update;
use crate::metric::{Dot, Rows, tile};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error, blocks};

/// Rows whose bounds one task brings up to date.
const BLOCK: usize = 256;
/// Members that update a row before its bound is compared with the cutoff again.
const TILE: usize = 32;
/// Rows that the cutoff is estimated from.
const SAMPLE: usize = 1024;

/// About how many rows the working set has.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct WorkingSet {
    pub(in super::super) rows: usize,
}

impl WorkingSet {
    /// Few rows of a working set stay above its cutoff, so it may be large; with a small one there are many rounds.
    pub(in super::super) fn of(rows: usize) -> Self {
        Self { rows: (rows / 10).next_power_of_two().clamp(256, 16_384) }
    }
}

type Rank = rank::Rank<f64>;

/// The bound of a row, and the members that it covers.
#[derive(Debug, Clone, Copy)]
struct RowBound<S> {
    /// The key after the first `covered` members: infinite before there is any, below every key once the row is one
    /// itself or is excluded.
    bound: f64,
    state: S,
    covered: u32,
}

/// A row of the working set; its key is exact.
#[derive(Debug, Clone, Copy)]
struct WorkingRow<S> {
    rank: Rank,
    state: S,
}

struct Search<'a, K: MonotoneKey, C> {
    keys: K,
    control: &'a C,
    working_set: WorkingSet,
    count: usize,
    candidates: Candidates<'a>,
    /// How many rows have a bound above the least.
    bounded: usize,
    known: Vec<RowBound<K::State>>,
    selection: Selection,
    evaluations: AtomicU64,
}

/// Picks, and counts the dot products that it took; the first pick is `start` where there is one.
pub(super) fn pick<K: MonotoneKey>(
    keys: K,
    request: &Request<'_>,
    start: Option<usize>,
    working_set: WorkingSet,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    if request.count() == 0 {
        return Ok((Selection::default(), 0));
    }
    blocks::check_countable(keys.rows().len())?;
    let mut known = blocks::reserved(keys.rows().len())?;
    known.extend((0..keys.rows().len()).map(|row| RowBound {
        bound: f64::INFINITY,
        state: keys.init(row),
        covered: 0,
    }));
    let count = request.count();
    let bounded = known.len() - request.excluded().len();
    let candidates = request.candidates()?;
    let selection = Selection::default();
    let evaluations = AtomicU64::new(0);
    let mut search =
        Search { keys, control, working_set, count, candidates, bounded, known, selection, evaluations };
    for &row in request.preselected() {
        search.add(row);
        control.tick(0, count as u64)?;
    }
    request.excluded().iter().for_each(|&row| search.known[row].bound = f64::NEG_INFINITY);
    if let Some(row) = start {
        let key = search.keys.initial_key(row);
        search.pick(Rank { key, row: row as u32 })?;
    }
    while !search.is_done() && search.bounded > 0 {
        let cutoff = search.cutoff();
        let working_set = search.refresh(cutoff)?;
        search.pick_above(working_set, cutoff)?;
    }
    Ok((search.selection, search.evaluations.into_inner()))
}

impl<K: MonotoneKey, C: Control> Search<'_, K, C> {
    fn is_done(&self) -> bool {
        self.candidates.is_done()
    }

    fn add(&mut self, row: usize) {
        self.keys.add(row);
        self.drop_row(row);
    }

    /// Gives a row that is no candidate any more the least bound.
    fn drop_row(&mut self, row: usize) {
        self.known[row].bound = f64::NEG_INFINITY;
        self.bounded -= 1;
    }

    fn pick(&mut self, best: Rank) -> Result<(), Error> {
        self.add(best.row as usize);
        self.candidates.pick(best.row as usize);
        self.selection.push(best.row as usize, best.key);
        self.control.tick(self.selection.rows.len() as u64, self.count as u64)
    }

    /// A rank that about as many rows are above as the working set has room for; at least one is.
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
            // There is one row, and it is above this.
            return Rank { key: f64::MIN, row: u32::MAX };
        }
        let place = (self.working_set.rows * ranks.len() / self.bounded).clamp(1, ranks.len() - 1);
        let (_, &mut cutoff, _) = ranks.select_nth_unstable_by(place, |a, b| b.cmp(a));
        if cutoff.key == f64::INFINITY {
            // Most rows have no bound yet: each of them is updated by the first members.
            return Rank { key: f64::INFINITY, row: u32::MAX };
        }
        cutoff
    }

    /// Brings the bounds above the cutoff up to date until they fall below it; returns those that stay above it.
    fn refresh(&mut self, cutoff: Rank) -> Result<Vec<WorkingRow<K::State>>, Error> {
        let Self { keys, control, candidates, known, evaluations, selection, .. } = self;
        let (done, total) = (selection.rows.len() as u64, self.count as u64);
        let blocks = known.par_chunks_mut(BLOCK).enumerate().map(|(at, known)| {
            let mut block = Block { keys, first: at * BLOCK, known, cutoff };
            let dropped = block.drop_inadmissible(candidates);
            let compared = block.run();
            evaluations.fetch_add(compared as u64, Relaxed);
            control.tick(done, total).map(|()| (block.above(), dropped))
        });
        let blocks: Vec<(Vec<_>, usize)> = blocks.collect::<Result<_, Error>>()?;
        self.bounded -= blocks.iter().map(|(_, dropped)| dropped).sum::<usize>();
        Ok(blocks.into_iter().flat_map(|(above, _)| above).collect())
    }

    /// Picks from a working set while its best beats the cutoff, and stores the bounds of the others.
    fn pick_above(&mut self, working_set: Vec<WorkingRow<K::State>>, cutoff: Rank) -> Result<(), Error> {
        if working_set.is_empty() {
            return Ok(());
        }
        let width = self.keys.rows().width();
        let mut vectors = blocks::reserved::<f32>(working_set.len() * width)?;
        working_set.iter().for_each(|one| vectors.extend(self.keys.rows().row(one.rank.row as usize)));
        let (mut ranks, mut states): (Vec<Rank>, Vec<K::State>) =
            working_set.iter().map(|one| (one.rank, one.state)).unzip();
        loop {
            let best = (0..ranks.len()).max_by_key(|&at| ranks[at]).filter(|&at| ranks[at] > cutoff);
            let Some(at) = best else { break };
            let best = ranks[at];
            ranks[at].key = f64::NEG_INFINITY;
            if !self.candidates.contains(best.row as usize) {
                self.drop_row(best.row as usize);
                continue;
            }
            self.pick(best)?;
            if self.is_done() {
                return Ok(());
            }
            let members = self.keys.members();
            let member = members.part(members.len() - 1, 1);
            let rows = Rows::new(&vectors, width);
            self.keys.simd().run(Update { rows, member, states: &mut states, update: K::update });
            self.evaluations.fetch_add(rows.len() as u64, Relaxed);
            for (rank, &state) in ranks.iter_mut().zip(&states) {
                if rank.key > f64::NEG_INFINITY {
                    rank.key = self.keys.key(rank.row as usize, state);
                }
            }
        }
        let covered = self.keys.members().len() as u32;
        for (rank, &state) in ranks.iter().zip(&states) {
            self.known[rank.row as usize] = RowBound { bound: rank.key, state, covered };
        }
        Ok(())
    }
}

/// A block of rows whose bounds are brought up to date until they fall below a cutoff.
struct Block<'a, K: MonotoneKey> {
    keys: &'a K,
    first: usize,
    known: &'a mut [RowBound<K::State>],
    cutoff: Rank,
}

impl<K: MonotoneKey> Block<'_, K> {
    fn rank(&self, at: usize) -> Rank {
        Rank { key: self.known[at].bound, row: (self.first + at) as u32 }
    }

    /// Drops the rows above the cutoff that are no candidates any more, and returns how many.
    fn drop_inadmissible(&mut self, candidates: &Candidates<'_>) -> usize {
        let mut dropped = 0;
        for at in (0..self.known.len()).filter(|_| candidates.is_limited()) {
            if self.rank(at) > self.cutoff && !candidates.contains(self.first + at) {
                self.known[at].bound = f64::NEG_INFINITY;
                dropped += 1;
            }
        }
        dropped
    }

    /// The rows above the cutoff.
    fn above(&self) -> Vec<WorkingRow<K::State>> {
        let rows = (0..self.known.len()).filter(|&at| self.rank(at) > self.cutoff);
        rows.map(|at| WorkingRow { rank: self.rank(at), state: self.known[at].state }).collect()
    }

    /// Lowers all bounds above the cutoff, oldest members first; returns how many pairs were compared.
    fn run(&mut self) -> usize {
        let members = self.keys.members();
        let next = |known: &RowBound<K::State>| known.covered as usize / TILE;
        let mut waiting: Vec<usize> = (0..self.known.len())
            .filter(|&at| self.rank(at) > self.cutoff && (self.known[at].covered as usize) < members.len())
            .collect();
        waiting.sort_unstable_by_key(|&at| std::cmp::Reverse(self.known[at].covered));
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
            let covered = (first + members.len()) as u32;
            let update = UpdateTile::<K> { rows, members, first, active: &active, known: self.known };
            self.keys.simd().run(update);
            for &at in &active {
                let bound = self.keys.key(self.first + at, self.known[at].state);
                let known = &mut self.known[at];
                compared += (covered - known.covered) as usize;
                (known.bound, known.covered) = (bound, covered);
            }
            active.retain(|&at| self.rank(at) > self.cutoff);
        }
        compared
    }
}

/// Updates some rows of a block by a tile of members.
struct UpdateTile<'a, K: MonotoneKey> {
    rows: Rows<'a>,
    members: Rows<'a>,
    /// How many members come before the tile.
    first: usize,
    active: &'a [usize],
    known: &'a mut [RowBound<K::State>],
}

impl<K: MonotoneKey> Kernel for UpdateTile<'_, K> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, members, first, active, known } = self;
        let (mut left, mut right) = ([&[][..]; R], [&[][..]; C]);
        for group in (0..active.len()).step_by(R) {
            // At the edge the last row is repeated and its extra values are ignored.
            let mut covered = members.len();
            for (i, row) in left.iter_mut().enumerate() {
                let at = active[(group + i).min(active.len() - 1)];
                *row = rows.row(at);
                // Bounds that stopped inside the tile cover the first of its members.
                covered = covered.min((known[at].covered as usize).saturating_sub(first));
            }
            for c in (covered..members.len()).step_by(C) {
                for (j, row) in right.iter_mut().enumerate() {
                    *row = members.row((c + j).min(members.len() - 1));
                }
                let values = tile::<Dot, V, R, C>(left, right);
                for (i, line) in values.iter().enumerate().take(active.len() - group) {
                    let known = &mut known[active[group + i]];
                    for (j, &value) in line.iter().enumerate().take(members.len() - c) {
                        if first + c + j >= known.covered as usize {
                            known.state = K::update(known.state, value);
                        }
                    }
                }
            }
        }
    }
}
