//! What cells hide: some rows meet all others, and it is counted how many near ones they would have seen.

use rayon::prelude::*;

use super::Walk;
use super::narrow::{Narrow, spaced};
use crate::quantise::{TILE, Tile};
use crate::{Control, Error};

/// Rows that meet all others.
const SAMPLE: usize = 1024;
/// Rows met between two ticks.
const CHUNK: usize = 1 << 16;

/// The share of the near rows that a sample sees, and how many pairs were compared; the definition is [`plain`].
pub(super) fn of(walk: &Walk<'_>, narrow: &Narrow, control: &impl Control) -> Result<(f64, u64), Error> {
    if walk.seen.all() {
        return Ok((1.0, 0));
    }
    let all: Vec<u32> = walk.order.iter().map(|&row| row as u32).collect();
    let sample: Vec<u32> = spaced(all.len(), SAMPLE).into_iter().map(|place| all[place]).collect();
    let bounds = [narrow.bound(walk.threshold); TILE];
    let count = |rows: &[u32]| {
        let mut tile = Tile::of(&narrow.quantised);
        tile.hold(&narrow.quantised, rows);
        let mut counted = Counted { compared: (rows.len() * all.len()) as u64, ..Counted::default() };
        let mut found: [Vec<(f32, u32)>; TILE] = Default::default();
        for others in all.chunks(CHUNK) {
            narrow.quantised.at_most(walk.matrix.simd, others, &tile, &bounds, &mut found);
            for (&row, found) in rows.iter().zip(&mut found) {
                counted.compared += found.len() as u64;
                found.drain(..).for_each(|(_, other)| counted.count(walk, row as usize, other as usize));
            }
            control.tick(1, 1)?;
        }
        Ok(counted)
    };
    let counted = sample.par_chunks(TILE).map(count).try_reduce(Counted::default, |a, b| Ok(a.and(b)))?;
    Ok((counted.recall(), counted.compared))
}

/// The same share, in canonical arithmetic alone.
pub(super) fn plain(walk: &Walk<'_>) -> f64 {
    let mut counted = Counted::default();
    if !walk.seen.all() {
        for place in spaced(walk.order.len(), SAMPLE) {
            walk.order.iter().for_each(|&other| counted.count(walk, walk.order[place], other));
        }
    }
    counted.recall()
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    near: u64,
    seen: u64,
    compared: u64,
}

impl Counted {
    fn count(&mut self, walk: &Walk<'_>, row: usize, other: usize) {
        if row != other && f64::from(walk.similarity(row, other)) >= walk.threshold {
            self.near += 1;
            self.seen += u64::from(walk.seen.sees(row, other));
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            near: self.near + other.near,
            seen: self.seen + other.seen,
            compared: self.compared + other.compared,
        }
    }

    fn recall(self) -> f64 {
        if self.near == 0 { 1.0 } else { self.seen as f64 / self.near as f64 }
    }
}
