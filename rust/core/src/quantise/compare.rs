//! What is computed when rows are compared with a tile.

use super::{Quantised, TILE, Tile};
use crate::simd::{LANES, Lanes, Pair, Sums, TileKernel};

/// The dot product of every row `x` with every row of a tile.
#[inline(always)]
fn products<S: Sums, const R: usize>(xs: [&[Pair]; R], tile: &[[[Pair; LANES]; 2]]) -> [[S; 2]; R] {
    let mut sums = [[S::zero(); 2]; R];
    let mut rows = xs;
    for r in 0..R {
        // Said once here, so that no step checks it.
        rows[r] = &xs[r][..tile.len()];
    }
    for (step, pairs) in tile.iter().enumerate() {
        for r in 0..R {
            let x = rows[r][step];
            sums[r] = [sums[r][0].plus_products(x, &pairs[0]), sums[r][1].plus_products(x, &pairs[1])];
        }
    }
    sums
}

/// Calls `sink(place, products)` for every one of `rows`, by groups of `R`, with its dot products with the rows of
/// the tile.
#[inline(always)]
fn for_each_row<S: Sums, const R: usize>(
    quantised: &Quantised,
    rows: &[u32],
    tile: &Tile,
    mut sink: impl FnMut(usize, [S; 2]),
) {
    for first in (0..rows.len()).step_by(R) {
        // At the end the last row is taken again and its extra products are left out.
        let mut group = [&[][..]; R];
        for r in 0..R {
            group[r] = quantised.row(rows[(first + r).min(rows.len() - 1)] as usize);
        }
        let sums = products::<S, R>(group, &tile.pairs);
        for (r, &sums) in sums.iter().enumerate().take(rows.len() - first) {
            sink(first + r, sums);
        }
    }
}

/// The approximate distances of a row to those of the tile: `|x|^2 + |c|^2 - 2 <x, c>`, or `-<x, c>`.
#[inline(always)]
fn distances_of<S: Sums>(quantised: &Quantised, row: u32, tile: &Tile, products: [S; 2]) -> [S::Floats; 2] {
    let (one, factor) = (S::Floats::all(1.0), S::Floats::all(quantised.factor));
    let length = S::Floats::all(quantised.lengths[row as usize]);
    let mut values = [S::Floats::zero(); 2];
    for half in 0..2 {
        // Lanes only add products, so the first sum is one with 1.
        let lengths = S::Floats::load(&tile.lengths[half]).plus_product(length, one);
        values[half] = lengths.plus_product(products[half].floats(), factor);
    }
    values
}

/// Gives the values of all rows of a tile.
#[inline(always)]
fn store<V: Lanes>(values: [V; 2], to: &mut [f32; TILE]) {
    let halves = to.as_chunks_mut::<LANES>().0;
    values[0].store(&mut halves[0]);
    values[1].store(&mut halves[1]);
}

/// The least approximate distance of each row to those of a tile.
pub(super) struct Nearest<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    pub(super) tile: &'a Tile,
    pub(super) nearest: &'a mut [f32],
}

impl TileKernel for Nearest<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, tile, nearest } = self;
        for_each_row::<S, R>(quantised, rows, tile, |place, products| {
            let values = distances_of(quantised, rows[place], tile, products);
            nearest[place] = values[0].lesser(values[1]).least();
        });
    }
}

/// Which rows of a tile could be the nearest of all to each row.
pub(super) struct Near<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    pub(super) tile: &'a Tile,
    /// The place of the tile's first row.
    pub(super) place: u32,
    pub(super) bounds: &'a mut [f32],
    pub(super) near: &'a mut [Vec<(f32, u32)>],
}

impl TileKernel for Near<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, tile, place, bounds, near } = self;
        let slack = quantised.slack;
        for_each_row::<S, R>(quantised, rows, tile, |at, products| {
            let values = distances_of(quantised, rows[at], tile, products);
            let least = values[0].lesser(values[1]).least();
            if least - slack > bounds[at] {
                return;
            }
            bounds[at] = bounds[at].min(least + slack);
            let mut all = [0.0; TILE];
            store(values, &mut all);
            for (&distance, place) in all.iter().zip(place..) {
                if distance - slack <= bounds[at] {
                    near[at].push((distance, place));
                }
            }
        });
    }
}

/// All approximate squared distances.
pub(super) struct Every<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    pub(super) tile: &'a Tile,
    pub(super) distances: &'a mut [[f32; TILE]],
}

impl TileKernel for Every<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, tile, distances } = self;
        for_each_row::<S, R>(quantised, rows, tile, |place, products| {
            store(distances_of(quantised, rows[place], tile, products), &mut distances[place]);
        });
    }
}

/// Which rows are near enough to each row of a tile.
pub(super) struct Within<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    pub(super) tile: &'a Tile,
    pub(super) bounds: &'a [f32; TILE],
    pub(super) found: &'a mut [Vec<(f32, u32)>; TILE],
}

impl TileKernel for Within<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, tile, bounds, found } = self;
        let halves = bounds.as_chunks::<LANES>().0;
        let [low, high] = [S::Floats::load(&halves[0]), S::Floats::load(&halves[1])];
        let there = (1u64 << tile.rows()) - 1;
        for_each_row::<S, R>(quantised, rows, tile, |place, products| {
            let values = distances_of(quantised, rows[place], tile, products);
            let mut bits =
                u64::from(low.not_below(values[0])) | u64::from(high.not_below(values[1])) << LANES;
            bits &= there;
            if bits == 0 {
                return;
            }
            let mut all = [0.0; TILE];
            store(values, &mut all);
            while bits != 0 {
                let lane = bits.trailing_zeros() as usize;
                found[lane].push((all[lane], rows[place]));
                bits &= bits - 1;
            }
        });
    }
}

/// Which rows of a tile have a dot product of at least so much with each row.
pub(super) struct AtLeast<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    /// Where the rows' bounds and lists are.
    pub(super) places: &'a [u32],
    pub(super) tile: &'a Tile,
    pub(super) ids: &'a [u32],
    pub(super) least: &'a [i32],
    pub(super) found: &'a mut [Vec<(i32, u32)>],
}

impl TileKernel for AtLeast<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, places, tile, ids, least, found } = self;
        let there = (1u64 << tile.rows().min(ids.len())) - 1;
        for_each_row::<S, R>(quantised, rows, tile, |at, products| {
            let place = places[at] as usize;
            let [low, high] = [products[0].at_least(least[place]), products[1].at_least(least[place])];
            let mut bits = (u64::from(low) | u64::from(high) << LANES) & there;
            if bits == 0 {
                return;
            }
            let mut sums = [[0; LANES]; 2];
            products[0].store(&mut sums[0]);
            products[1].store(&mut sums[1]);
            while bits != 0 {
                let lane = bits.trailing_zeros() as usize;
                found[place].push((sums.as_flattened()[lane], ids[lane]));
                bits &= bits - 1;
            }
        });
    }
}

/// Upper bounds of the dot products of rows with those of a tile.
pub(super) struct UpperBounds<'a> {
    pub(super) quantised: &'a Quantised,
    pub(super) rows: &'a [u32],
    pub(super) tile: &'a Tile,
    /// Half of what is added to a product before it is divided.
    pub(super) half: i32,
    /// Those of the first row, and of each other row so much further on.
    pub(super) bounds: &'a mut [u16],
    pub(super) stride: usize,
}

impl TileKernel for UpperBounds<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Sums, const R: usize>(self) {
        let Self { quantised, rows, tile, half, bounds, stride } = self;
        for_each_row::<S, R>(quantised, rows, tile, |place, products| {
            let to = bounds[place * stride..].as_chunks_mut::<LANES>().0;
            // Halves, since the sum of a product and what is added might overflow.
            products[0].above(half, &mut to[0]);
            products[1].above(half, &mut to[1]);
        });
    }
}
