//! The same picks from few distances: upper bounds instead of keys, brought up to date only where they could
//! win.
//!
//! A key never rises as the set grows, so a key computed earlier is an upper bound. Three nested sets of rows have ever
//! tighter bounds:
//!
//! 1. All rows have a bound and the number of members that it covers. Those above a cutoff (about the `working_set`-th
//!    largest bound) are compared with the members that their bounds do not cover, in int16, tile by tile, until they
//!    fall below the cutoff; where many rows are picked, first with those in regions near their own.
//! 2. Those that do not fall are the working set. Its bounds cover all members.
//! 3. The front, the largest of the working set, has exact keys: the int16 values tell which members could be the
//!    nearest, and canonical arithmetic decides.
//!
//! The best of the front is picked while it beats every bound outside, under the order of the definition: (key
//! descending, row ascending). New picks lower the keys of the front at once, the bounds of the working set in tiles,
//! and all others when they are refreshed. Every round picks a row or lowers a bound or makes one exact, so it ends.
//!
//! Source of the idea: stale bounds as in Minoux's lazy greedy (1978) and in Raff's k-means++ (IJCAI 2021).

mod bounds;
mod refresh;
mod regions;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::{Candidates, Request, Selection};
use super::NearestKey;
use super::plain::Lower;
use crate::blocks;
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::quantise::{Quantised, TILE, Tiles};
use crate::{Control, Error};
use bounds::{Rank, RowBound, WorkingRow, rank};
use refresh::{Refresh, Shared};
use regions::Regions;

/// Fewest rows that are worth another task, where little is done with each.
const BLOCK: usize = 2048;
/// Rows of the working set or the front that one task works on.
const PART: usize = 48;
/// Rows that the cutoff is estimated from.
const SAMPLE: usize = 4096;
/// From so many picks of so many rows on there are regions: before, finding them takes longer than they save.
const MANY_PICKS: usize = 4000;
const MANY_ROWS: usize = 100_000;
const REGIONS: usize = 128;
const NEAR: usize = 6;

/// How large the working set and the front are, and how many regions there are; they decide the time, not the picks.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Sizes {
    pub(in super::super) working_set: usize,
    pub(in super::super) front: usize,
    pub(in super::super) regions: usize,
    /// How many regions are near one, itself among them.
    pub(in super::super) near: usize,
}

impl Sizes {
    /// Of the sizes tried on 10, 36 and 200 thousand rows with 1,000 to 10,000 picks, the fastest, or as fast as any.
    pub(in super::super) fn of(rows: usize, picks: usize) -> Self {
        let front = if picks <= 1000 { 64 } else { 128 };
        let regions = if picks < MANY_PICKS || rows < MANY_ROWS { 1 } else { REGIONS };
        Self { working_set: (rows / 8).next_power_of_two().clamp(2048, 1 << 16), front, regions, near: NEAR }
    }
}

struct Search<'a, N, C> {
    matrix: MatrixView<'a>,
    quantised: Quantised,
    keys: &'a N,
    control: &'a C,
    sizes: Sizes,
    count: usize,
    candidates: Candidates<'a>,
    /// How many rows have a bound above the least.
    bounded: usize,
    regions: Regions,
    /// By the places of the rows in their regions.
    known: Vec<RowBound>,
    /// The members: preselected rows and picks, in order, and the same as tiles.
    set: Vec<u32>,
    tiles: Tiles,
    selection: Selection,
    evaluations: AtomicU64,
}

/// Picks, and counts the pairs of rows that were compared, at any precision.
///
/// The first pick is `start` where there is one.
pub(super) fn pick<N: NearestKey>(
    matrix: MatrixView<'_>,
    keys: &N,
    request: &Request<'_>,
    start: Option<usize>,
    sizes: Sizes,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let watch = FixedProgress { control, done: 0, total: request.count() as u64 };
    let (regions, quantised, compared) = if sizes.regions > 1 {
        Regions::several(matrix, N::MEASURE, (sizes.regions, sizes.near), &watch)?
    } else {
        (Regions::one(matrix.len()), Quantised::new(matrix, N::MEASURE, &watch)?, 0)
    };
    let mut search = Search {
        matrix,
        quantised,
        keys,
        control,
        sizes,
        count: request.count(),
        candidates: request.candidates()?,
        bounded: matrix.len() - request.excluded().len(),
        regions,
        known: blocks::filled(matrix.len(), RowBound::INITIAL)?,
        set: Vec::new(),
        tiles: Tiles::default(),
        selection: Selection::default(),
        evaluations: AtomicU64::new(compared),
    };
    request.preselected().iter().for_each(|&row| search.add(row as u32));
    request.excluded().iter().for_each(|&row| search.of(row as u32).bound = f32::NEG_INFINITY);
    if let Some(row) = start.filter(|_| search.count > 0) {
        search.pick(Rank { key: f64::NAN, row: row as u32 })?;
    }
    while !search.is_done() && search.bounded > 0 {
        let cutoff = search.cutoff();
        let working_set = search.refresh(cutoff)?;
        search.pick_above(working_set, cutoff)?;
    }
    Ok((search.selection, search.evaluations.into_inner()))
}

impl<N: NearestKey, C: Control> Search<'_, N, C> {
    fn picks(&self) -> u64 {
        self.selection.rows.len() as u64
    }

    fn is_done(&self) -> bool {
        self.candidates.is_done()
    }

    /// The bound of a row.
    fn of(&mut self, row: u32) -> &mut RowBound {
        &mut self.known[self.regions.place(row)]
    }

    fn add(&mut self, row: u32) {
        self.regions.add(&self.quantised, row, self.set.len() as u32);
        self.set.push(row);
        self.tiles.push(&self.quantised, row as usize);
        self.of(row).bound = f32::NEG_INFINITY;
        self.bounded -= 1;
    }

    /// Gives a row that is no candidate any more the least bound.
    fn drop_row(&mut self, row: u32) {
        self.of(row).bound = f32::NEG_INFINITY;
        self.bounded -= 1;
    }

    fn pick(&mut self, best: Rank) -> Result<(), Error> {
        self.add(best.row);
        self.candidates.pick(best.row as usize);
        self.selection.push(best.row as usize, best.key);
        self.control.tick(self.picks(), self.count as u64)
    }

    /// A rank that about as many rows are above as the working set has room for; at least one is.
    fn cutoff(&self) -> Rank {
        let key = |place: usize| rank(self.keys, self.regions.row(place), self.known[place].bound).key;
        let places = 0..self.known.len();
        let sample = |stride: usize| {
            let bounded = places.clone().step_by(stride).filter(|&place| self.known[place].is_candidate());
            bounded.map(key).collect::<Vec<f64>>()
        };
        let mut keys = sample((self.known.len() / SAMPLE).max(1));
        if keys.is_empty() {
            keys = sample(1);
        }
        let place = (self.sizes.working_set * keys.len() / self.bounded.max(1)).min(keys.len() - 1);
        let (_, &mut middle, _) = keys.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
        if middle == f64::from(f32::MAX) {
            // Most rows have no bound yet.
            return Rank { key: middle, row: u32::MAX };
        }
        let above =
            places.clone().into_par_iter().with_min_len(BLOCK).filter(|&place| key(place) > middle).count();
        let room = self.sizes.working_set.saturating_sub(above);
        if room <= self.sizes.working_set / 2 {
            return Rank { key: middle, row: 0 };
        }
        // Many are equal: the lowest of those are above it too.
        let equal = (0..self.known.len() as u32).filter(|&row| key(self.regions.place(row)) == middle);
        let last = equal.take(room).last().unwrap_or(0);
        Rank { key: middle, row: last + 1 }
    }

    /// Brings the bounds above the cutoff up to date until they fall below it; returns those that stay above it.
    fn refresh(&mut self, cutoff: Rank) -> Result<Vec<WorkingRow>, Error> {
        let watch = FixedProgress { control: self.control, done: self.picks(), total: self.count as u64 };
        let Self { matrix, quantised, keys, candidates, regions, tiles, evaluations, .. } = self;
        let at = &Shared { simd: matrix.simd, quantised, keys: *keys, candidates, regions, tiles };
        let mut rest = &mut self.known[..];
        let mut refreshes = Vec::new();
        for (region, places) in regions.parts() {
            let (known, after) = rest.split_at_mut(places.len());
            refreshes.push(Refresh {
                at,
                region,
                first: places.start,
                known,
                cutoff,
                compared: 0,
                inadmissible: 0,
            });
            rest = after;
        }
        let parts = refreshes.into_par_iter().map(|mut refresh| {
            let above = refresh.run();
            evaluations.fetch_add(refresh.compared, Relaxed);
            watch.tick(0, 0).map(|()| (above, refresh.inadmissible))
        });
        let parts: Vec<(Vec<WorkingRow>, usize)> = parts.collect::<Result<_, Error>>()?;
        self.bounded -= parts.iter().map(|(_, inadmissible)| inadmissible).sum::<usize>();
        Ok(parts.into_iter().flat_map(|(above, _)| above).collect())
    }

    /// Picks from a working set while its best beats the cutoff, and stores the bounds of the others.
    fn pick_above(&mut self, mut working_set: Vec<WorkingRow>, cutoff: Rank) -> Result<(), Error> {
        while !working_set.is_empty() {
            let size = self.sizes.front.min(working_set.len());
            working_set.select_nth_unstable_by(size - 1, |a, b| b.rank.cmp(&a.rank));
            let (front, rest) = working_set.split_at_mut(size);
            self.refine(front);
            let bar = rest.iter().map(|one| one.rank).max().map_or(cutoff, |best| best.max(cutoff));
            let before = self.set.len();
            self.pick_from(front, bar)?;
            if self.is_done() {
                return Ok(());
            }
            if self.set.len() > before {
                self.lower(rest, before);
            }
            working_set.retain(|one| one.is_candidate());
            self.store_bounds(&working_set);
            self.drop_inadmissible(&mut working_set);
            working_set.retain(|one| one.rank > cutoff);
        }
        Ok(())
    }

    /// Makes the keys of these rows exact. Their bounds cover all members.
    fn refine(&mut self, front: &mut [WorkingRow]) {
        let size = self.set.len() as u32;
        let exact = |one: &WorkingRow| self.known[self.regions.place(one.row())].exact;
        let mut stale: Vec<&mut WorkingRow> = front.iter_mut().filter(|one| exact(one) < size).collect();
        stale.sort_unstable_by_key(|one| (exact(one), one.row()));
        stale.par_chunks_mut(PART).for_each(|part| self.refine_part(part));
        self.note_exact(front);
    }

    fn refine_part(&self, part: &mut [&mut WorkingRow]) {
        let rows: Vec<u32> = part.iter().map(|one| one.row()).collect();
        let known = |row: u32| &self.known[self.regions.place(row)];
        let first = rows.iter().map(|&row| known(row).exact).min().unwrap_or(0) as usize / TILE;
        let mut bounds: Vec<f32> = part.iter().map(|one| one.bound).collect();
        let tiles = (&self.tiles, first);
        let near = self.quantised.could_be_nearest(self.matrix.simd, &rows, tiles, &mut bounds);
        let mut compared = rows.len() * (self.tiles.rows() - first * TILE);
        for (one, near) in part.iter_mut().zip(near) {
            let row = self.matrix.rows.row(one.row() as usize);
            let mut nearest = known(one.row()).nearest;
            for &place in &near {
                let other = self.matrix.rows.row(self.set[place as usize] as usize);
                nearest = nearest.min(N::distance(metric::of::<N::Step>(self.matrix.simd, row, other)));
            }
            compared += near.len();
            one.set(self.keys, nearest);
        }
        self.evaluations.fetch_add(compared as u64, Relaxed);
    }

    /// Notes that the bounds of these rows are their distances to the nearest member.
    fn note_exact(&mut self, front: &[WorkingRow]) {
        let size = self.set.len() as u32;
        for one in front {
            let known = self.of(one.row());
            (known.nearest, known.exact) = (one.bound, size);
        }
    }

    /// Picks the best of the front while it beats the bar.
    fn pick_from(&mut self, front: &mut [WorkingRow], bar: Rank) -> Result<(), Error> {
        let width = self.matrix.rows.width();
        let mut vectors: Vec<f32> = Vec::new();
        let mut nearest: Vec<f32> = Vec::new();
        loop {
            let best = (0..front.len()).max_by_key(|&at| front[at].rank).filter(|&at| front[at].rank > bar);
            let Some(at) = best else { return Ok(()) };
            let best = front[at].rank;
            front[at].close();
            if !self.candidates.contains(best.row as usize) {
                self.drop_row(best.row);
                continue;
            }
            self.pick(best)?;
            if self.is_done() {
                return Ok(());
            }
            if vectors.is_empty() {
                vectors.reserve_exact(front.len() * width);
                front.iter().for_each(|one| vectors.extend(self.matrix.rows.row(one.row() as usize)));
                nearest.resize(front.len(), 0.0);
            }
            nearest.iter_mut().zip(&*front).for_each(|(nearest, one)| *nearest = one.bound);
            let (rows, pick) = (Rows::new(&vectors, width), self.matrix.rows.part(best.row as usize, 1));
            self.matrix.simd.run(Lower::<N>::new(rows, pick, &mut nearest));
            front.iter_mut().zip(&nearest).for_each(|(one, &nearest)| one.set(self.keys, nearest));
            self.evaluations.fetch_add(front.len() as u64, Relaxed);
            self.note_exact(front);
        }
    }

    /// Lowers bounds that cover the first `before` members to cover all of them.
    fn lower(&mut self, working_set: &mut [WorkingRow], before: usize) {
        let (tiles, quantised, simd) = (&self.tiles, &self.quantised, self.matrix.simd);
        let first = before / TILE;
        let nearest: Vec<f32> = working_set
            .par_chunks(PART)
            .flat_map_iter(|part| {
                let rows: Vec<u32> = part.iter().map(|one| one.row()).collect();
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
        let compared =
            working_set.len() * (first..tiles.len()).map(|at| tiles.tile(at).rows()).sum::<usize>();
        self.evaluations.fetch_add(compared as u64, Relaxed);
        let (slack, size) = (quantised.slack(), self.set.len() as u32);
        for (one, nearest) in working_set.iter_mut().zip(nearest) {
            let known = &mut self.known[self.regions.place(one.row())];
            if known.exact as usize == before && nearest - slack >= known.nearest {
                known.exact = size;
            }
            one.set(self.keys, one.bound.min(nearest + slack));
        }
    }

    /// Drops what is no candidate any more from a working set.
    fn drop_inadmissible(&mut self, working_set: &mut Vec<WorkingRow>) {
        if self.candidates.is_limited() {
            let (admissible, dropped) =
                working_set.iter().partition(|one| self.candidates.contains(one.row() as usize));
            *working_set = admissible;
            let dropped: Vec<WorkingRow> = dropped;
            dropped.iter().for_each(|one| self.drop_row(one.row()));
        }
    }

    /// Stores the bounds of a working set, which cover all members.
    fn store_bounds(&mut self, working_set: &[WorkingRow]) {
        let size = self.set.len() as u32;
        for one in working_set {
            let known = self.of(one.row());
            (known.bound, known.covered) = (one.bound, size);
        }
    }
}
