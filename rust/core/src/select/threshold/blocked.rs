//! A block of rows at a time: int16 against all picked before it, then one by one against those picked of the block.
//!
//! In int16 a row is dismissed as soon as one picked row is too near beyond doubt. For the others the tiles that could
//! hold the nearest picked row are noted, and canonical arithmetic finds it among them; it is the gain of a row that is
//! picked, and decides where int16 was in doubt.

use rayon::prelude::*;

use super::{Filter, Filtered};
use crate::blocks;
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::quantise::{Quantised, Scaling, TILE, Tiles};
use crate::{Control, Error};

/// Rows that are compared with the picks before the first of them is picked itself.
pub(super) const BLOCK: usize = 480;
/// Rows of a block that one task works on.
const PART: usize = 48;

/// The distance of a row that int16 shows to be too near: less than any.
const TOO_NEAR: f32 = f32::NEG_INFINITY;

/// The rows that others must not be too near to.
struct Members<'a> {
    matrix: MatrixView<'a>,
    filter: &'a Filter<'a>,
    /// The preselected rows and the picks, and the same as tiles.
    set: Vec<u32>,
    tiles: Tiles,
    /// How the tiles were scaled; none while they are empty.
    scaling: Option<Scaling>,
}

pub(super) fn filter(
    matrix: MatrixView<'_>,
    filter: &Filter<'_>,
    block: usize,
    control: &impl Control,
) -> Result<Filtered, Error> {
    let mut filtered = Filtered::default();
    let mut candidates = filter.request.candidates()?;
    if filter.request.count() == 0 {
        return Ok(filtered);
    }
    let width = matrix.rows.width();
    let watch = FixedProgress { control, done: 0, total: filter.request.count() as u64 };
    let longest = filter.metric.longest(matrix.rows, &watch)?;
    let mut members = Members { matrix, filter, set: Vec::new(), tiles: Tiles::default(), scaling: None };
    for rows in filter.request.preselected().chunks(block) {
        let vectors = matrix.take(rows)?;
        let quantised = filter.metric.quantised(Rows::new(&vectors, width), longest, &watch)?;
        rows.iter().enumerate().for_each(|(at, &row)| members.add(&quantised, at, row));
    }
    for entries in filter.entries.chunks(block) {
        let rows: Vec<usize> = entries.iter().map(|&(_, row)| row).collect();
        let vectors = matrix.take(&rows)?;
        let vectors = Rows::new(&vectors, width);
        let watch = FixedProgress { control, done: filtered.selection.rows.len() as u64, ..watch };
        let mut quantised = filter.metric.quantised(vectors, longest, &watch)?;
        let (nearest, compared) = members.nearest(vectors, &mut quantised, &watch)?;
        let mut block_picks = BlockPicks::new(block, width)?;
        filtered.evaluations += compared;
        let mut joined = Vec::new();
        for (at, (&entry, nearest)) in entries.iter().zip(nearest).enumerate() {
            if !candidates.contains(entry.1) {
                continue;
            }
            let mut distance = nearest;
            if distance > TOO_NEAR {
                distance = distance.min(block_picks.nearest(filter, vectors.row(at)));
                filtered.evaluations += block_picks.count as u64;
            }
            if f64::from(distance) <= filter.limit {
                filtered.too_near += 1;
                continue;
            }
            filtered.push(filter, entry, distance);
            candidates.pick(entry.1);
            block_picks.push(vectors.row(at));
            joined.push(at);
            if filtered.is_full(filter) {
                return Ok(filtered);
            }
        }
        joined.into_iter().for_each(|at| members.add(&quantised, at, rows[at]));
    }
    Ok(filtered.finished(filter))
}

/// The picks of a block.
struct BlockPicks {
    vectors: Vec<f32>,
    width: usize,
    count: usize,
    distances: Vec<f32>,
}

impl BlockPicks {
    fn new(block: usize, width: usize) -> Result<Self, Error> {
        Ok(Self {
            vectors: blocks::reserved(block * width)?,
            width,
            count: 0,
            distances: blocks::zeroed(block)?,
        })
    }

    fn push(&mut self, row: &[f32]) {
        self.vectors.extend_from_slice(row);
        self.count += 1;
    }

    /// The distance of a row to the nearest.
    fn nearest(&mut self, filter: &Filter<'_>, row: &[f32]) -> f32 {
        let distances = &mut self.distances[..self.count];
        filter.metric.to_each(row, Rows::new(&self.vectors, self.width), distances);
        distances.iter().copied().fold(f32::INFINITY, f32::min)
    }
}

impl Members<'_> {
    fn add(&mut self, quantised: &Quantised, at: usize, row: usize) {
        self.tiles.push(quantised, at);
        self.set.push(row as u32);
        let scaling = quantised.scaling();
        self.scaling = Some(self.scaling.map_or(scaling, |before| before.joined(scaling)));
    }

    /// The distance of each row to the nearest, or [`TOO_NEAR`]; and how many pairs were compared.
    fn nearest(
        &self,
        vectors: Rows<'_>,
        quantised: &mut Quantised,
        control: &impl Control,
    ) -> Result<(Vec<f32>, u64), Error> {
        let mut nearest = blocks::filled(vectors.len(), f32::INFINITY)?;
        let Some(scaling) = self.scaling else { return Ok((nearest, 0)) };
        quantised.face(scaling);
        let quantised: &_ = quantised;
        let compared = nearest
            .par_chunks_mut(PART)
            .enumerate()
            .map(|(part, nearest)| {
                let compared = self.nearest_of(vectors, quantised, part * PART, nearest);
                control.tick(0, 0).map(|()| compared)
            })
            .try_reduce(|| 0, |a, b| Ok(a + b))?;
        Ok((nearest, compared))
    }

    /// Lowers the distances of the rows from `first` on, infinite before, in the same way; gives how many pairs were
    /// compared.
    fn nearest_of(&self, vectors: Rows<'_>, quantised: &Quantised, first: usize, nearest: &mut [f32]) -> u64 {
        let slack = quantised.slack();
        let count = nearest.len();
        let mut active: Vec<u32> = (first as u32..).take(count).collect();
        let mut found = vec![0.0; count];
        // The nearest member is no farther from a row than this, and in which tiles it could be.
        let mut bounds = vec![f32::INFINITY; count];
        let mut near: Vec<Vec<(f32, usize)>> = vec![Vec::new(); count];
        let mut compared = 0;
        for at in 0..self.tiles.len() {
            let tile = self.tiles.tile(at);
            quantised.nearest(self.matrix.simd, &active, tile, &mut found);
            compared += (active.len() * tile.rows()) as u64;
            let mut undecided = 0;
            for place in 0..active.len() {
                let (row, least) = (active[place], found[place]);
                let own = row as usize - first;
                if f64::from(least) + f64::from(slack) <= self.filter.limit {
                    nearest[own] = TOO_NEAR;
                    continue;
                }
                if least - slack <= bounds[own] {
                    bounds[own] = bounds[own].min(least + slack);
                    near[own].push((least, at));
                }
                active[undecided] = row;
                undecided += 1;
            }
            active.truncate(undecided);
            if active.is_empty() {
                break;
            }
        }
        for row in active {
            let own = row as usize - first;
            for &(least, at) in &near[own] {
                if least - slack > bounds[own] {
                    continue;
                }
                let rows = &self.set[at * TILE..][..self.tiles.tile(at).rows()];
                compared += rows.len() as u64;
                for &other in rows {
                    let other = self.matrix.rows.row(other as usize);
                    nearest[own] =
                        nearest[own].min(self.filter.metric.between(vectors.row(row as usize), other));
                }
            }
        }
        compared
    }
}
