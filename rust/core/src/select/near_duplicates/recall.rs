//! Which share of near pairs the cells admit: a sample of rows is compared with all others.

use rayon::prelude::*;

use super::Search;
use super::projection_filter::{ProjectionFilter, spaced};
use crate::quantise::{TILE, Tile};
use crate::{Control, Error};

/// Rows that are compared with all others.
const SAMPLE: usize = 1024;
/// Rows compared between two ticks.
const CHUNK: usize = 1 << 16;

/// The share of near pairs that the cells admit, and how many pairs were compared; the definition is [`plain`].
pub(super) fn of(
    search: &Search<'_>,
    filter: &ProjectionFilter,
    control: &impl Control,
) -> Result<(f64, u64), Error> {
    if search.cells.admit_all() {
        return Ok((1.0, 0));
    }
    let all: Vec<u32> = search.order.iter().map(|&row| row as u32).collect();
    let sample: Vec<u32> = spaced(all.len(), SAMPLE).into_iter().map(|place| all[place]).collect();
    let bounds = [filter.bound(search.threshold); TILE];
    let count = |rows: &[u32]| {
        let mut tile = Tile::of(&filter.quantised);
        tile.hold(&filter.quantised, rows);
        let mut counted = PairCounts { compared: (rows.len() * all.len()) as u64, ..PairCounts::default() };
        let mut found: [Vec<(f32, u32)>; TILE] = Default::default();
        for others in all.chunks(CHUNK) {
            filter.quantised.at_most(search.matrix.simd, others, &tile, &bounds, &mut found);
            for (&row, found) in rows.iter().zip(&mut found) {
                counted.compared += found.len() as u64;
                found.drain(..).for_each(|(_, other)| counted.count(search, row as usize, other as usize));
            }
            control.tick(1, 1)?;
        }
        Ok(counted)
    };
    let counted = sample.par_chunks(TILE).map(count).try_reduce(PairCounts::default, |a, b| Ok(a.and(b)))?;
    Ok((counted.recall(), counted.compared))
}

/// The same share, in canonical arithmetic alone.
pub(super) fn plain(search: &Search<'_>) -> f64 {
    let mut counted = PairCounts::default();
    if !search.cells.admit_all() {
        for place in spaced(search.order.len(), SAMPLE) {
            search.order.iter().for_each(|&other| counted.count(search, search.order[place], other));
        }
    }
    counted.recall()
}

#[derive(Debug, Clone, Copy, Default)]
struct PairCounts {
    near: u64,
    admitted: u64,
    compared: u64,
}

impl PairCounts {
    fn count(&mut self, search: &Search<'_>, row: usize, other: usize) {
        if row != other && f64::from(search.similarity(row, other)) >= search.threshold {
            self.near += 1;
            self.admitted += u64::from(search.cells.admit(row, other));
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            near: self.near + other.near,
            admitted: self.admitted + other.admitted,
            compared: self.compared + other.compared,
        }
    }

    fn recall(self) -> f64 {
        if self.near == 0 { 1.0 } else { self.admitted as f64 / self.near as f64 }
    }
}
