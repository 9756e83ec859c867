//! A block of rows at a time: int16 against all kept before it, then one by one against those kept of the block.
//!
//! In int16 a row leaves as soon as one kept row is too near beyond doubt. For the others the tiles that could hold
//! the nearest kept row are noted, and canonical arithmetic finds it among them; it is the gain of a row that is
//! kept, and decides where int16 was in doubt.

use rayon::prelude::*;

use super::{Filtered, Walk};
use crate::blocks;
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::quantise::{Quantised, Scaling, TILE, Tiles};
use crate::{Control, Error};

/// Rows that meet the kept ones before the first of them is kept itself.
pub(super) const BLOCK: usize = 480;
/// Rows of a block that one task works on.
const PART: usize = 48;

/// What a row is that int16 shows to be too near: nearer than all rows.
const TOO_NEAR: f32 = f32::NEG_INFINITY;

struct Kept<'a> {
    matrix: MatrixView<'a>,
    walk: &'a Walk<'a>,
    /// The rows given and kept, and the same as tiles.
    set: Vec<u32>,
    tiles: Tiles,
    /// How the tiles were scaled; none while they are empty.
    scaling: Option<Scaling>,
}

pub(super) fn filter(
    matrix: MatrixView<'_>,
    walk: &Walk<'_>,
    block: usize,
    control: &impl Control,
) -> Result<Filtered, Error> {
    let mut filtered = Filtered::default();
    let mut admission = walk.request.admission()?;
    if walk.request.count() == 0 {
        return Ok(filtered);
    }
    let width = matrix.rows.width();
    let watch = Part { control, done: 0, total: walk.request.count() as u64 };
    let longest = walk.near.longest(matrix.rows, &watch)?;
    let mut kept = Kept { matrix, walk, set: Vec::new(), tiles: Tiles::default(), scaling: None };
    for rows in walk.request.given().chunks(block) {
        let vectors = matrix.take(rows)?;
        let quantised = walk.near.quantised(Rows::new(&vectors, width), longest, &watch)?;
        rows.iter().enumerate().for_each(|(at, &row)| kept.add(&quantised, at, row));
    }
    for entries in walk.open.chunks(block) {
        let rows: Vec<usize> = entries.iter().map(|&(_, row)| row).collect();
        let vectors = matrix.take(&rows)?;
        let vectors = Rows::new(&vectors, width);
        let watch = Part { control, done: filtered.selection.rows.len() as u64, ..watch };
        let mut quantised = walk.near.quantised(vectors, longest, &watch)?;
        let (nearest, compared) = kept.nearest(vectors, &mut quantised, &watch)?;
        let mut fresh = Fresh::new(block, width)?;
        filtered.evaluations += compared;
        let mut joined = Vec::new();
        for (at, (&entry, nearest)) in entries.iter().zip(nearest).enumerate() {
            // What the limits refuse is passed over.
            if !admission.is_open(entry.1) {
                continue;
            }
            let mut far = nearest;
            if far > TOO_NEAR {
                far = far.min(fresh.nearest(walk, vectors.row(at)));
                filtered.evaluations += fresh.count as u64;
            }
            if f64::from(far) <= walk.limit {
                filtered.too_near += 1;
                continue;
            }
            filtered.keep(walk, entry, far);
            admission.take(entry.1);
            fresh.push(vectors.row(at));
            joined.push(at);
            if filtered.is_full(walk) {
                return Ok(filtered);
            }
        }
        joined.into_iter().for_each(|at| kept.add(&quantised, at, rows[at]));
    }
    Ok(filtered.finished(walk))
}

/// The rows kept of a block.
struct Fresh {
    vectors: Vec<f32>,
    width: usize,
    count: usize,
    far: Vec<f32>,
}

impl Fresh {
    fn new(block: usize, width: usize) -> Result<Self, Error> {
        Ok(Self { vectors: blocks::reserved(block * width)?, width, count: 0, far: blocks::zeroed(block)? })
    }

    fn push(&mut self, row: &[f32]) {
        self.vectors.extend_from_slice(row);
        self.count += 1;
    }

    /// How far the nearest is from a row.
    fn nearest(&mut self, walk: &Walk<'_>, row: &[f32]) -> f32 {
        let far = &mut self.far[..self.count];
        walk.near.all(row, Rows::new(&self.vectors, self.width), far);
        far.iter().copied().fold(f32::INFINITY, f32::min)
    }
}

impl Kept<'_> {
    fn add(&mut self, quantised: &Quantised, at: usize, row: usize) {
        self.tiles.push(quantised, at);
        self.set.push(row as u32);
        let scaling = quantised.scaling();
        self.scaling = Some(self.scaling.map_or(scaling, |before| before.joined(scaling)));
    }

    /// How far the nearest is from each row, or [`TOO_NEAR`]; and how many pairs were compared.
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

    /// The same for the rows from `first` on, which are infinitely far before; gives how many pairs were compared.
    fn nearest_of(&self, vectors: Rows<'_>, quantised: &Quantised, first: usize, nearest: &mut [f32]) -> u64 {
        let slack = quantised.slack();
        let count = nearest.len();
        let mut active: Vec<u32> = (first as u32..).take(count).collect();
        let mut found = vec![0.0; count];
        // No kept row is farther from a row than this, and in which tiles the nearest could be.
        let mut bounds = vec![f32::INFINITY; count];
        let mut near: Vec<Vec<(f32, usize)>> = vec![Vec::new(); count];
        let mut compared = 0;
        for at in 0..self.tiles.len() {
            let tile = self.tiles.tile(at);
            quantised.nearest(self.matrix.simd, &active, tile, &mut found);
            compared += (active.len() * tile.rows()) as u64;
            let mut left = 0;
            for place in 0..active.len() {
                let (row, least) = (active[place], found[place]);
                let own = row as usize - first;
                if f64::from(least) + f64::from(slack) <= self.walk.limit {
                    nearest[own] = TOO_NEAR;
                    continue;
                }
                if least - slack <= bounds[own] {
                    bounds[own] = bounds[own].min(least + slack);
                    near[own].push((least, at));
                }
                active[left] = row;
                left += 1;
            }
            active.truncate(left);
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
                    nearest[own] = nearest[own].min(self.walk.near.between(vectors.row(row as usize), other));
                }
            }
        }
        compared
    }
}
