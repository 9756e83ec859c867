//! Rows in int16 and in tiles, of which any two can be compared.

use std::ops::Range;

use rayon::prelude::*;

use crate::Error;
use crate::control::Control;
use crate::matrix::MatrixView;
use crate::quantise::{Measure, Quantised, TILE, Tile};
use crate::simd::Simd;

/// Rows that one task compares with all after them: their vectors stay in cache meanwhile.
pub(super) const PANEL: usize = 192;

/// What bounds are computed from.
pub(super) struct Measured {
    pub(super) simd: Simd,
    quantised: Quantised,
    tiles: Vec<Tile>,
    /// The numbers of all rows.
    numbers: Vec<u32>,
}

impl Measured {
    /// 4 x rows x dimensions bytes.
    pub(super) fn new(matrix: MatrixView<'_>, control: &impl Control) -> Result<Self, Error> {
        let quantised = Quantised::new(matrix, Measure::NegativeDot, control)?;
        let numbers: Vec<u32> = (0..matrix.len() as u32).collect();
        let tiles = numbers.par_chunks(TILE).map(|some| Tile::holding(&quantised, some)).collect();
        Ok(Self { simd: matrix.simd, quantised, tiles, numbers })
    }

    pub(super) fn rows(&self) -> usize {
        self.numbers.len()
    }

    /// Rows, filled up to whole tiles.
    pub(super) fn padded(&self) -> usize {
        self.tiles.len() * TILE
    }

    /// The similarity that one unit of a bound is.
    pub(super) fn unit(&self) -> f64 {
        self.quantised.upper_bound_unit()
    }

    /// For each tile of which a row is not before all of `rows`: the place of its first row, and those of `rows` that
    /// are not behind it. Bounds are symmetric, so these are all that differ.
    pub(super) fn upper_triangle(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let places = (rows.start / TILE * TILE..self.padded()).step_by(TILE);
        places.map(move |place| (place, rows.start..rows.end.min(place + TILE)))
    }

    /// The bounds of rows with those of the tile at a place: 32 for each row, at least 0, `stride` after one another.
    pub(super) fn bounds(&self, rows: Range<usize>, place: usize, bounds: &mut [u16], stride: usize) {
        let (rows, tile) = (&self.numbers[rows], &self.tiles[place / TILE]);
        self.quantised.upper_bounds(self.simd, rows, tile, bounds, stride);
    }

    /// Sums over all rows what `count` makes of the bounds of each with up to 32 rows spread over all; and how many bounds
    /// these are.
    pub(super) fn sample(&self, count: impl Fn(usize, &[u16]) -> usize) -> (usize, usize) {
        let rows = self.rows();
        let some: Vec<u32> = self.numbers.iter().copied().step_by(rows.div_ceil(TILE).max(1)).collect();
        let tile = Tile::holding(&self.quantised, &some);
        let mut bounds = vec![0; rows * TILE];
        self.quantised.upper_bounds(self.simd, &self.numbers, &tile, &mut bounds, TILE);
        let counts =
            bounds.chunks_exact(TILE).enumerate().map(|(row, bounds)| count(row, &bounds[..some.len()]));
        (counts.sum(), rows * some.len())
    }
}
