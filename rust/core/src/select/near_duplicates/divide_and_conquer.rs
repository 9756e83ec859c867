//! The same representatives by divide and conquer: those among the rows of the first half are found, the rows of the
//! second are compared with all of them at once, then among themselves.
//!
//! However long the order, most pairs are compared where many rows are compared with many: in int16 on a few
//! coordinates (`projection_filter`), in parallel. Canonical arithmetic decides the pairs that the filter leaves, and
//! runs of few rows.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::projection_filter::ProjectionFilter;
use super::{NearDuplicates, Nearest, Search, pairs, recall};
use crate::control::FixedProgress;
use crate::quantise::{TILE, Tile};
use crate::{Control, Error, blocks};

/// Rows that are compared one by one.
const FEW: usize = 32;
/// Rows that one task compares with representatives.
const PANEL: usize = 8 * TILE;
/// Representatives that stay in cache meanwhile.
const CHUNK: usize = 512;

pub(super) fn find(search: &Search<'_>, control: &impl Control) -> Result<NearDuplicates, Error> {
    let count = search.order.len();
    let total = pairs(count);
    let watch = FixedProgress { control, done: 0, total };
    let filter = ProjectionFilter::new(search.matrix, search.threshold, &watch)?;
    let mut recursion = Recursion {
        search,
        filter: &filter,
        control,
        nearest: blocks::filled(count, Nearest::none())?,
        evaluations: 0,
        done: 0,
        total,
    };
    recursion.run(0..count)?;
    let (recall, compared) = recall::of(search, &filter, &FixedProgress { done: total, ..watch })?;
    Ok(NearDuplicates::new(search, &recursion.nearest, recall, recursion.evaluations + compared))
}

struct Recursion<'a, C> {
    search: &'a Search<'a>,
    filter: &'a ProjectionFilter,
    control: &'a C,
    /// By place in the order.
    nearest: Vec<Nearest>,
    evaluations: u64,
    done: u64,
    total: u64,
}

impl<C: Control> Recursion<'_, C> {
    /// Finds the representatives of the rows at these places among themselves; those before are compared already.
    fn run(&mut self, places: Range<usize>) -> Result<(), Error> {
        if places.len() <= FEW {
            self.one_by_one(places.clone());
            self.done += pairs(places.len());
            return self.control.tick(self.done, self.total);
        }
        let middle = places.start + places.len() / 2;
        self.run(places.start..middle)?;
        self.compare(places.start..middle, middle..places.end)?;
        self.run(middle..places.end)
    }

    fn one_by_one(&mut self, places: Range<usize>) {
        let order = self.search.order;
        for place in places.start.max(self.search.protected_prefix)..places.end {
            let row = order[place];
            let mut nearest = self.nearest[place];
            let before = order[places.start..place].iter().zip(&self.nearest[places.start..place]);
            for (&other, _) in before.filter(|(_, nearest)| nearest.is_none()) {
                if self.search.cells.admit(row, other) {
                    nearest.update(self.search.similarity(row, other), other, self.search.threshold);
                    self.evaluations += 1;
                }
            }
            self.nearest[place] = nearest;
        }
    }

    /// Compares the rows at the later places with the representatives at the earlier ones.
    fn compare(&mut self, earlier: Range<usize>, later: Range<usize>) -> Result<(), Error> {
        let order = self.search.order;
        let compared_with = earlier.len() as u64;
        let representatives = earlier.filter(|&place| self.nearest[place].is_none());
        let representatives =
            RowsByCell::new(self.search, representatives.map(|place| order[place] as u32).collect());
        let mut places: Vec<usize> = (later.start.max(self.search.protected_prefix)..later.end).collect();
        if !self.search.cells.admit_all() {
            // Rows of one cell probe much the same cells.
            places.par_sort_unstable_by_key(|&place| (self.search.cells.own(order[place]), place));
        }
        let done = AtomicU64::new(self.done);
        let found: Result<Vec<_>, Error> = places
            .par_chunks(PANEL)
            .map(|places| {
                let mut panel = Panel::new(self.search, self.filter, places, &self.nearest);
                panel.compare(&representatives);
                let pairs = compared_with * places.len() as u64;
                self.control.tick(done.fetch_add(pairs, Relaxed) + pairs, self.total)?;
                Ok((panel.nearest, panel.evaluations))
            })
            .collect();
        for (places, (nearest, evaluations)) in places.chunks(PANEL).zip(found?) {
            places.iter().zip(nearest).for_each(|(&place, nearest)| self.nearest[place] = nearest);
            self.evaluations += evaluations;
        }
        self.done = done.into_inner();
        Ok(())
    }
}

/// Representatives, by cell.
struct RowsByCell {
    rows: Vec<u32>,
    /// The cells that hold some, ascending, each with where its rows begin; the end follows.
    cells: Vec<u32>,
    starts: Vec<usize>,
}

impl RowsByCell {
    fn new(search: &Search<'_>, mut rows: Vec<u32>) -> Self {
        if !search.cells.admit_all() {
            rows.par_sort_unstable_by_key(|&row| (search.cells.own(row as usize), row));
        }
        let (mut cells, mut starts) = (Vec::new(), Vec::new());
        for (at, &row) in rows.iter().enumerate() {
            let cell = search.cells.own(row as usize);
            if cells.last() != Some(&cell) {
                cells.push(cell);
                starts.push(at);
            }
        }
        starts.push(rows.len());
        Self { rows, cells, starts }
    }

    /// Which of the cells that hold rows this is.
    fn find(&self, cell: u32) -> Option<usize> {
        self.cells.binary_search(&cell).ok()
    }

    fn of(&self, at: usize) -> &[u32] {
        &self.rows[self.starts[at]..self.starts[at + 1]]
    }
}

/// Some rows that are compared with representatives together.
struct Panel<'a> {
    search: &'a Search<'a>,
    filter: &'a ProjectionFilter,
    rows: Vec<u32>,
    nearest: Vec<Nearest>,
    tiles: Vec<Tile>,
    found: [Vec<(f32, u32)>; TILE],
    evaluations: u64,
}

impl<'a> Panel<'a> {
    fn new(
        search: &'a Search<'a>,
        filter: &'a ProjectionFilter,
        places: &[usize],
        nearest: &[Nearest],
    ) -> Self {
        let rows: Vec<u32> = places.iter().map(|&place| search.order[place] as u32).collect();
        let tile = |rows: &[u32]| {
            let mut tile = Tile::of(&filter.quantised);
            tile.hold(&filter.quantised, rows);
            tile
        };
        Self {
            search,
            filter,
            nearest: places.iter().map(|&place| nearest[place]).collect(),
            tiles: rows.chunks(TILE).map(tile).collect(),
            rows,
            found: Default::default(),
            evaluations: 0,
        }
    }

    fn compare(&mut self, representatives: &RowsByCell) {
        // The cells with representatives, each with the places of the rows that probe it.
        let mut probes: Vec<(usize, usize)> = Vec::new();
        for (place, &row) in self.rows.iter().enumerate() {
            let cells = self.search.cells.of(row as usize);
            probes.extend(cells.iter().filter_map(|&cell| representatives.find(cell)).map(|at| (at, place)));
        }
        probes.sort_unstable();
        for probes in probes.chunk_by(|a, b| a.0 == b.0) {
            for rows in representatives.of(probes[0].0).chunks(CHUNK) {
                for probes in probes.chunk_by(|a, b| a.1 / TILE == b.1 / TILE) {
                    self.compare_tile(probes, rows);
                }
            }
        }
    }

    /// Compares the rows that probe, whose places lie in one tile, with representatives.
    fn compare_tile(&mut self, probes: &[(usize, usize)], representatives: &[u32]) {
        let tile = probes[0].1 / TILE;
        let mut bounds = [f32::NEG_INFINITY; TILE];
        for &(_, place) in probes {
            let least = f64::from(self.nearest[place].similarity).max(self.search.threshold);
            bounds[place % TILE] = self.filter.bound(least);
        }
        let simd = self.search.matrix.simd;
        self.filter.quantised.at_most(simd, representatives, &self.tiles[tile], &bounds, &mut self.found);
        self.evaluations += (probes.len() * representatives.len()) as u64;
        for &(_, place) in probes {
            let row = self.rows[place] as usize;
            for (_, other) in self.found[place % TILE].drain(..) {
                let similarity = self.search.similarity(row, other as usize);
                self.nearest[place].update(similarity, other as usize, self.search.threshold);
                self.evaluations += 1;
            }
        }
    }
}
