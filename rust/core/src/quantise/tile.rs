//! Rows laid out so that another row is compared with many of them at once.

use super::Quantised;
use crate::simd::{LANES, Pair};

/// Rows of one tile.
pub(crate) const TILE: usize = 2 * LANES;

/// Up to 32 rows, laid out so that another row is compared with them all at once.
pub(crate) struct Tile {
    /// Of each step, the pairs of all rows.
    pub(super) pairs: Vec<[[Pair; LANES]; 2]>,
    /// What the rows add to a distance, infinite where there is no row.
    pub(super) lengths: [[f32; LANES]; 2],
    rows: usize,
}

impl Tile {
    /// A tile without rows for rows of `quantised`.
    pub(crate) fn of(quantised: &Quantised) -> Self {
        let pairs = vec![[[[0; 2]; LANES]; 2]; quantised.steps];
        Self { pairs, lengths: [[f32::INFINITY; LANES]; 2], rows: 0 }
    }

    /// A tile of these rows of `quantised`, at most 32.
    pub(crate) fn holding(quantised: &Quantised, rows: &[u32]) -> Self {
        let mut tile = Self::of(quantised);
        tile.hold(quantised, rows);
        tile
    }

    /// Adds a row of `quantised` where there is room for one.
    fn push(&mut self, quantised: &Quantised, row: usize) {
        for (to, &pair) in self.pairs.iter_mut().zip(quantised.row(row)) {
            to.as_flattened_mut()[self.rows] = pair;
        }
        self.lengths.as_flattened_mut()[self.rows] = quantised.lengths[row];
        self.rows += 1;
    }

    /// Holds these rows of `quantised`, at most 32, instead of those before.
    pub(crate) fn hold(&mut self, quantised: &Quantised, rows: &[u32]) {
        self.lengths = [[f32::INFINITY; LANES]; 2];
        self.rows = rows.len();
        for (length, &row) in self.lengths.as_flattened_mut().iter_mut().zip(rows) {
            *length = quantised.lengths[row as usize];
        }
        // A few steps of all rows at a time: whole rows would write to lines so far apart that no cache keeps them.
        for (block, steps) in self.pairs.chunks_mut(LANES).enumerate() {
            for (place, &row) in rows.iter().enumerate() {
                let source = &quantised.row(row as usize)[block * LANES..];
                for (step, &pair) in steps.iter_mut().zip(source) {
                    step[place / LANES][place % LANES] = pair;
                }
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

/// Any number of rows in tiles, to which more can be added.
#[derive(Default)]
pub(crate) struct Tiles {
    tiles: Vec<Tile>,
    rows: usize,
}

impl Tiles {
    /// Adds a row of `quantised`, the same as of all rows before.
    pub(crate) fn push(&mut self, quantised: &Quantised, row: usize) {
        if self.rows.is_multiple_of(TILE) {
            self.tiles.push(Tile::of(quantised));
        }
        if let Some(tile) = self.tiles.last_mut() {
            tile.push(quantised, row);
        }
        self.rows += 1;
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The tile of rows `TILE * at..`.
    pub(crate) fn tile(&self, at: usize) -> &Tile {
        &self.tiles[at]
    }

    /// How many tiles there are.
    pub(crate) fn len(&self) -> usize {
        self.tiles.len()
    }
}
