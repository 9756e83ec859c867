//! The walk by halves: the rows of the first half are led, those of the second meet all that were kept of it at once,
//! then they are led among themselves.
//!
//! However long the order, most pairs are met where many rows meet many: in int16 on a few coordinates (`narrow`), in
//! parallel. Canonical arithmetic decides what is left, and the walk of the last few rows.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::narrow::Narrow;
use super::{Best, Led, Walk, pairs, recall};
use crate::control::Part;
use crate::quantise::{TILE, Tile};
use crate::{Control, Error, blocks};

/// Rows that are walked through one by one.
const FEW: usize = 32;
/// Rows that one task lets meet others.
const PANEL: usize = 8 * TILE;
/// Kept rows that stay in cache meanwhile.
const CHUNK: usize = 512;

pub(super) fn walk(walk: &Walk<'_>, control: &impl Control) -> Result<Led, Error> {
    let count = walk.order.len();
    let total = pairs(count);
    let narrow = Narrow::new(walk.matrix, walk.threshold, &Part { control, done: 0, total })?;
    let mut halves = Halves {
        walk,
        narrow: &narrow,
        control,
        best: blocks::filled(count, Best::none())?,
        evaluations: 0,
        done: 0,
        total,
    };
    halves.lead(0..count)?;
    let (recall, compared) = recall::of(walk, &narrow, &Part { control, done: total, total })?;
    Ok(Led::new(walk, &halves.best, recall, halves.evaluations + compared))
}

struct Halves<'a, C> {
    walk: &'a Walk<'a>,
    narrow: &'a Narrow,
    control: &'a C,
    /// By place in the order.
    best: Vec<Best>,
    evaluations: u64,
    done: u64,
    total: u64,
}

impl<C: Control> Halves<'_, C> {
    /// Finds the leaders of the rows at these places among themselves; those before are met already.
    fn lead(&mut self, places: Range<usize>) -> Result<(), Error> {
        if places.len() <= FEW {
            self.one_by_one(places.clone());
            self.done += pairs(places.len());
            return self.control.tick(self.done, self.total);
        }
        let middle = places.start + places.len() / 2;
        self.lead(places.start..middle)?;
        self.meet(places.start..middle, middle..places.end)?;
        self.lead(middle..places.end)
    }

    fn one_by_one(&mut self, places: Range<usize>) {
        let order = self.walk.order;
        for place in places.start.max(self.walk.always)..places.end {
            let row = order[place];
            let mut best = self.best[place];
            let before = order[places.start..place].iter().zip(&self.best[places.start..place]);
            for (&other, _) in before.filter(|(_, best)| best.is_none()) {
                if self.walk.seen.sees(row, other) {
                    best.meet(self.walk.similarity(row, other), other, self.walk.threshold);
                    self.evaluations += 1;
                }
            }
            self.best[place] = best;
        }
    }

    /// Shows what was kept at the earlier places to the rows at the later ones.
    fn meet(&mut self, earlier: Range<usize>, later: Range<usize>) -> Result<(), Error> {
        let order = self.walk.order;
        let met = earlier.len() as u64;
        let kept = earlier.filter(|&place| self.best[place].is_none()).map(|place| order[place] as u32);
        let kept = Kept::new(self.walk, kept.collect());
        let mut places: Vec<usize> = (later.start.max(self.walk.always)..later.end).collect();
        if !self.walk.seen.all() {
            // Rows of one cell look at much the same cells.
            places.par_sort_unstable_by_key(|&place| (self.walk.seen.own(order[place]), place));
        }
        let done = AtomicU64::new(self.done);
        let found: Result<Vec<_>, Error> = places
            .par_chunks(PANEL)
            .map(|places| {
                let mut panel = Panel::new(self.walk, self.narrow, places, &self.best);
                panel.meet(&kept);
                let pairs = met * places.len() as u64;
                self.control.tick(done.fetch_add(pairs, Relaxed) + pairs, self.total)?;
                Ok((panel.best, panel.evaluations))
            })
            .collect();
        for (places, (best, evaluations)) in places.chunks(PANEL).zip(found?) {
            places.iter().zip(best).for_each(|(&place, best)| self.best[place] = best);
            self.evaluations += evaluations;
        }
        self.done = done.into_inner();
        Ok(())
    }
}

/// Rows that were kept, by cell.
struct Kept {
    rows: Vec<u32>,
    /// The cells that hold some, ascending, each with where its rows begin; the end follows.
    cells: Vec<u32>,
    starts: Vec<usize>,
}

impl Kept {
    fn new(walk: &Walk<'_>, mut rows: Vec<u32>) -> Self {
        if !walk.seen.all() {
            rows.par_sort_unstable_by_key(|&row| (walk.seen.own(row as usize), row));
        }
        let (mut cells, mut starts) = (Vec::new(), Vec::new());
        for (at, &row) in rows.iter().enumerate() {
            let cell = walk.seen.own(row as usize);
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

/// Some rows that meet kept ones together.
struct Panel<'a> {
    walk: &'a Walk<'a>,
    narrow: &'a Narrow,
    rows: Vec<u32>,
    best: Vec<Best>,
    tiles: Vec<Tile>,
    found: [Vec<(f32, u32)>; TILE],
    evaluations: u64,
}

impl<'a> Panel<'a> {
    fn new(walk: &'a Walk<'a>, narrow: &'a Narrow, places: &[usize], best: &[Best]) -> Self {
        let rows: Vec<u32> = places.iter().map(|&place| walk.order[place] as u32).collect();
        let hold = |rows: &[u32]| {
            let mut tile = Tile::of(&narrow.quantised);
            tile.hold(&narrow.quantised, rows);
            tile
        };
        Self {
            walk,
            narrow,
            best: places.iter().map(|&place| best[place]).collect(),
            tiles: rows.chunks(TILE).map(hold).collect(),
            rows,
            found: Default::default(),
            evaluations: 0,
        }
    }

    fn meet(&mut self, kept: &Kept) {
        // The cells with kept rows, each with the places of the rows that look at it.
        let mut looks: Vec<(usize, usize)> = Vec::new();
        for (place, &row) in self.rows.iter().enumerate() {
            let cells = self.walk.seen.cells(row as usize);
            looks.extend(cells.iter().filter_map(|&cell| kept.find(cell)).map(|at| (at, place)));
        }
        looks.sort_unstable();
        for looks in looks.chunk_by(|a, b| a.0 == b.0) {
            for rows in kept.of(looks[0].0).chunks(CHUNK) {
                for looks in looks.chunk_by(|a, b| a.1 / TILE == b.1 / TILE) {
                    self.meet_rows(looks, rows);
                }
            }
        }
    }

    /// Shows kept rows to those that look, whose places lie in one tile.
    fn meet_rows(&mut self, looks: &[(usize, usize)], rows: &[u32]) {
        let tile = looks[0].1 / TILE;
        let mut bounds = [f32::NEG_INFINITY; TILE];
        for &(_, place) in looks {
            let least = f64::from(self.best[place].similarity).max(self.walk.threshold);
            bounds[place % TILE] = self.narrow.bound(least);
        }
        let simd = self.walk.matrix.simd;
        self.narrow.quantised.at_most(simd, rows, &self.tiles[tile], &bounds, &mut self.found);
        self.evaluations += (looks.len() * rows.len()) as u64;
        for &(_, place) in looks {
            let row = self.rows[place] as usize;
            for (_, other) in self.found[place % TILE].drain(..) {
                let similarity = self.walk.similarity(row, other as usize);
                self.best[place].meet(similarity, other as usize, self.walk.threshold);
                self.evaluations += 1;
            }
        }
    }
}
