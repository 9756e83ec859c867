//! Rows in int16, a filter for distances: cheap approximate values with a bound on their error.
//!
//! An element `x` becomes `round(S * x)`, with the scale `S` such that the longest row has length 32,700; dot
//! products are then whole numbers below 2^31, exact in any order. From them come squared distances that are
//! off by at most [`Quantised::slack`], so whatever matters can be left to canonical arithmetic.

mod compare;
mod scaling;
mod tile;

pub(crate) use scaling::{Scaling, longest};
pub(crate) use tile::{TILE, Tile, Tiles};

use rayon::prelude::*;

use crate::blocks;
use crate::matrix::{MatrixView, Metric};
use crate::metric::Rows;
use crate::pages::Pages;
use crate::simd::{LANES, Pair, Simd};
use crate::{Control, Error};
use compare::{AtLeast, Every, Near, Nearest, UpperBounds, Within};
use scaling::{Round, lengths_of, slack, squared_lengths};

/// Rows quantised in one go.
const BLOCK: usize = 256;
/// Rows of length 1 are not longer than this, whatever their rounding.
pub(crate) const UNIT: f32 = 1.001;
/// What the longest row is scaled to. Elements stay below 2^15, and dot products below 2^31 even with the
/// rounding of a million dimensions (500 in length): 33,200^2 < 2^31.
const LONGEST: f32 = 32_700.0;
/// The least length of the longest row at which rows are scaled.
const SHORTEST: f32 = 1e-15;

/// Products of whole numbers in a unit of upper bounds, which then are below 2^15: 2^16.
const UNIT_BITS: u32 = 16;

/// What is told of two rows: the smaller, the nearer they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Their squared distance.
    SquaredDistance,
    /// Their dot product with its sign changed.
    NegativeDot,
}

/// Rows of a matrix in int16, with what their distances need.
pub(crate) struct Quantised {
    pairs: Pages<Pair>,
    /// Pairs in a row, padded with zeros to whole lanes.
    steps: usize,
    /// What is added to a distance for each of the rows: canonical squared lengths, or zeros.
    lengths: Vec<f32>,
    scaling: Scaling,
    measure: Measure,
    /// What a whole-numbered dot product is multiplied with.
    factor: f32,
    slack: f32,
}

impl Quantised {
    /// Quantises all rows: 2 x rows x dimensions + 4 x rows bytes.
    pub(crate) fn new(
        matrix: MatrixView<'_>,
        measure: Measure,
        control: &impl Control,
    ) -> Result<Self, Error> {
        Self::with(matrix, Rows::new(&[], matrix.rows.width()), measure, control)
    }

    /// Quantises all rows and, numbered after them, other finite rows of the same width.
    pub(crate) fn with(
        matrix: MatrixView<'_>,
        others: Rows<'_>,
        measure: Measure,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let unit = matrix.metric == Metric::Cosine && others.is_empty();
        Self::scaled([matrix.rows, others], unit.then_some(UNIT), measure, matrix.simd, control)
    }

    /// Quantises finite rows by themselves, to the scale at which rows of length `longest` go; none is longer.
    pub(crate) fn within(
        rows: Rows<'_>,
        longest: f32,
        measure: Measure,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Self, Error> {
        Self::scaled([rows, Rows::new(&[], rows.width())], Some(longest), measure, simd, control)
    }

    fn scaled(
        [own, others]: [Rows<'_>; 2],
        longest: Option<f32>,
        measure: Measure,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let (width, count) = (own.width(), own.len() + others.len());
        let mut lengths = blocks::zeroed::<f32>(count)?;
        // Lengths are a part of squared distances alone.
        let needed = measure == Measure::SquaredDistance;
        let told = longest.is_some();
        let longest = match longest {
            Some(longest) => longest,
            None => {
                let (first, rest) = lengths.split_at_mut(own.len());
                squared_lengths(own, simd, first, control)?;
                squared_lengths(others, simd, rest, control)?;
                lengths.par_iter().copied().reduce(|| 0.0, f32::max).sqrt()
            }
        };
        // Shorter rows have no squared length that float32 can tell well: all become zeros, with a wide slack.
        let scale = if longest > SHORTEST { LONGEST / longest } else { 1.0 };
        let steps = width.next_multiple_of(LANES) / 2;
        let mut pairs = Pages::<Pair>::zeroed(count.saturating_mul(steps))?;
        let round = |rows: Rows<'_>, pairs: &mut [Pair], lengths: &mut [f32]| {
            pairs
                .par_chunks_mut(steps * BLOCK)
                .zip(lengths.par_chunks_mut(BLOCK))
                .enumerate()
                .map(|(block, (pairs, lengths))| {
                    let rows = rows.part(block * BLOCK, BLOCK);
                    let residual = simd.run(Round { rows: rows.data(), width, scale, pairs });
                    if told && needed {
                        // While the rows are in cache.
                        lengths_of(rows, simd, lengths);
                    }
                    control.tick(count as u64, count as u64).map(|()| residual)
                })
                .try_reduce(|| 0.0, |a: f32, b| Ok(a.max(b)))
        };
        let (first, rest) = pairs.split_at_mut(own.len() * steps);
        let (own_lengths, other_lengths) = lengths.split_at_mut(own.len());
        let residual = round(own, first, own_lengths)?.max(round(others, rest, other_lengths)?);
        let scaling = Scaling { scale, longest, residual };
        if !needed {
            lengths.fill(0.0);
        }
        let mut quantised = Self { pairs, steps, lengths, scaling, measure, factor: 0.0, slack: 0.0 };
        quantised.face(scaling);
        Ok(quantised)
    }

    /// Makes ready to be compared with tiles of rows that were scaled otherwise.
    pub(crate) fn face(&mut self, tiles: Scaling) {
        let factor = -1.0 / self.scaling.scale / tiles.scale;
        let slack = slack(self.steps * 2, self.scaling, tiles);
        // A squared distance holds the dot product twice.
        (self.factor, self.slack) = match self.measure {
            Measure::SquaredDistance => (2.0 * factor, slack),
            Measure::NegativeDot => (factor, slack / 2.0),
        };
    }

    /// How the rows were scaled.
    pub(crate) fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// Distances are off the canonical ones by at most this.
    pub(crate) fn slack(&self) -> f32 {
        self.slack
    }

    /// The approximate distance of each of `rows` to the nearest row of `tile`.
    pub(crate) fn nearest(&self, simd: Simd, rows: &[u32], tile: &Tile, nearest: &mut [f32]) {
        simd.run_tiles(Nearest { quantised: self, rows, tile, nearest });
    }

    /// The places in `tiles`, from tile `first` on, of the rows that could be the nearest of all to each of `rows`,
    /// ascending. None farther than the row's bound could, and bounds fall to what is known of the nearest.
    pub(crate) fn could_be_nearest(
        &self,
        simd: Simd,
        rows: &[u32],
        (tiles, first): (&Tiles, usize),
        bounds: &mut [f32],
    ) -> Vec<Vec<u32>> {
        let mut near = vec![Vec::new(); rows.len()];
        for at in first..tiles.len() {
            self.note_near(simd, rows, (tiles, at), bounds, &mut near);
        }
        near.into_iter().zip(bounds).map(|(near, bound)| self.still_near(near, *bound).collect()).collect()
    }

    /// One tile's part of [`Quantised::could_be_nearest`]: rows of tile `at` that could be the nearest to a row, as far
    /// as is known, are added to its list, as distance and place.
    pub(crate) fn note_near(
        &self,
        simd: Simd,
        rows: &[u32],
        (tiles, at): (&Tiles, usize),
        bounds: &mut [f32],
        near: &mut [Vec<(f32, u32)>],
    ) {
        let (tile, place) = (tiles.tile(at), (at * TILE) as u32);
        simd.run_tiles(Near { quantised: self, rows, tile, place, bounds, near });
    }

    /// The places of a list of [`Quantised::note_near`] that could still be the nearest when all tiles are compared.
    pub(crate) fn still_near(&self, near: Vec<(f32, u32)>, bound: f32) -> impl Iterator<Item = u32> {
        near.into_iter().filter(move |(distance, _)| distance - self.slack <= bound).map(|(_, place)| place)
    }

    /// The approximate distance of each of `rows` to each row of `tile`.
    pub(crate) fn every(&self, simd: Simd, rows: &[u32], tile: &Tile, distances: &mut [[f32; TILE]]) {
        simd.run_tiles(Every { quantised: self, rows, tile, distances });
    }

    /// The pairs of a row of `rows` and a place in `tile` whose approximate distance is at most the place's
    /// `bound`: the distance and the row go to the place's list.
    pub(crate) fn at_most(
        &self,
        simd: Simd,
        rows: &[u32],
        tile: &Tile,
        bounds: &[f32; TILE],
        found: &mut [Vec<(f32, u32)>; TILE],
    ) {
        simd.run_tiles(Within { quantised: self, rows, tile, bounds, found });
    }

    /// How far an approximate dot product, as a whole number, can be off; at most 2^30.
    pub(crate) fn dot_slack(&self) -> i32 {
        // `slack` and `-factor` are those of the dot product or of twice of it.
        (f64::from(self.slack) / -f64::from(self.factor) + 1.0).ceil().min(f64::from(1 << 30)) as i32
    }

    /// The pairs of one of the rows at `places` and one of `ids`, which `tile` holds, whose approximate dot product is
    /// at least the row's `least`: the product and the id go to the row's list.
    pub(crate) fn at_least(
        &self,
        simd: Simd,
        (rows, places): (&[u32], &[u32]),
        (tile, ids): (&Tile, &[u32]),
        least: &[i32],
        found: &mut [Vec<(i32, u32)>],
    ) {
        let rows: Vec<u32> = places.iter().map(|&place| rows[place as usize]).collect();
        simd.run_tiles(AtLeast { quantised: self, rows: &rows, places, tile, ids, least, found });
    }

    /// Upper bounds of the canonical dot products of `rows` with those of `tile`, and at least 0, in units of
    /// [`Quantised::upper_bound_unit`]: those of the first row at the beginning of `bounds`, those of each other row
    /// `stride` further on.
    pub(crate) fn upper_bounds(
        &self,
        simd: Simd,
        rows: &[u32],
        tile: &Tile,
        bounds: &mut [u16],
        stride: usize,
    ) {
        // Rounded up, and once more as two halves are rounded down.
        let half = (self.dot_slack() + (1 << UNIT_BITS)) / 2 + 1;
        simd.run_tiles(UpperBounds { quantised: self, rows, tile, half, bounds, stride });
    }

    /// The dot product that one unit of an upper bound is.
    pub(crate) fn upper_bound_unit(&self) -> f64 {
        let product = match self.measure {
            Measure::SquaredDistance => f64::from(self.factor) / 2.0,
            Measure::NegativeDot => f64::from(self.factor),
        };
        -product * f64::from(1u32 << UNIT_BITS)
    }

    fn row(&self, row: usize) -> &[Pair] {
        &self.pairs[row * self.steps..][..self.steps]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric;
    use crate::testing::{Tied, real_rows};
    use crate::{Matrix, Metric, Unwatched};

    /// Approximate distances of all rows to all rows, on one instruction set.
    fn approximate(matrix: MatrixView<'_>) -> (Vec<f32>, f32) {
        let quantised = Quantised::new(matrix, Measure::SquaredDistance, &Unwatched).unwrap();
        let rows: Vec<u32> = (0..matrix.len() as u32).collect();
        let mut found = vec![0.0; rows.len() * rows.len()];
        let mut tile = Tile::of(&quantised);
        for &column in &rows {
            let mut nearest = vec![0.0; rows.len()];
            tile.hold(&quantised, &[column]);
            quantised.nearest(matrix.simd, &rows, &tile, &mut nearest);
            nearest.iter().zip(&rows).for_each(|(distance, &row)| {
                found[row as usize * rows.len() + column as usize] = *distance;
            });
        }
        let mut tiles = Tiles::default();
        rows.iter().for_each(|&row| tiles.push(&quantised, row as usize));
        for at in 0..tiles.len() {
            let mut nearest = vec![0.0; rows.len()];
            quantised.nearest(matrix.simd, &rows, tiles.tile(at), &mut nearest);
            for (row, nearest) in nearest.into_iter().enumerate() {
                let there = &found[row * rows.len()..][..rows.len()][at * TILE..];
                assert_eq!(there.iter().take(TILE).copied().fold(f32::INFINITY, f32::min), nearest);
            }
        }
        let mut bounds = vec![f32::INFINITY; rows.len()];
        let near = quantised.could_be_nearest(matrix.simd, &rows, (&tiles, 0), &mut bounds);
        for (row, (near, bound)) in near.iter().zip(bounds).enumerate() {
            let distance = |other: usize| {
                metric::squared_distance(matrix.simd, matrix.rows.row(row), matrix.rows.row(other))
            };
            let least = (0..rows.len()).map(distance).fold(f32::INFINITY, f32::min);
            assert!(least <= bound);
            for other in (0..rows.len()).filter(|&other| distance(other) == least) {
                assert!(near.contains(&(other as u32)));
            }
        }
        (found, quantised.slack())
    }

    fn check(matrix: MatrixView<'_>, bits: &mut Option<Vec<u32>>) {
        let (found, slack) = approximate(matrix);
        for (at, distance) in found.iter().enumerate() {
            let (x, y) = (matrix.rows.row(at / matrix.len()), matrix.rows.row(at % matrix.len()));
            let canonical = metric::squared_distance(matrix.simd, x, y);
            assert!((distance - canonical).abs() <= slack, "{distance} for {canonical}, slack {slack}");
        }
        let found = found.into_iter().map(f32::to_bits).collect();
        assert_eq!(bits.get_or_insert_with(|| Vec::clone(&found)), &found, "{}", matrix.simd.name());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn distances_are_within_the_slack_on_every_instruction_set(
            rows in 1usize..70, width in 1usize..70, seed: u64, dominant in 0.0f32..100.0, size in -30i32..16,
        ) {
            let mut data = real_rows(rows, width, seed);
            // One coordinate can be nearly all of a row: its products then come near the limit of the sums.
            data.chunks_mut(width).for_each(|row| row[0] *= dominant);
            data.iter_mut().for_each(|x| *x *= 10f32.powi(size));
            let mut bits = None;
            for simd in Simd::available() {
                let matrix = Matrix::raw(&data[..], width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                check(matrix.view(), &mut bits);
            }
            // Of rows of length 1 it is known before they are looked at how long the longest may be.
            let mut bits = None;
            for simd in Simd::available() {
                let unit = Matrix::unit(data.clone(), width, simd, &Unwatched);
                if let Ok(matrix) = unit {
                    check(matrix.view(), &mut bits);
                }
            }
        }

        #[test]
        fn whole_numbers_ties_and_zero_rows_too(tied in Tied::up_to(40)) {
            let mut bits = None;
            for simd in Simd::available() {
                check(tied.matrix(Metric::SquaredEuclidean, simd).view(), &mut bits);
            }
        }
    }

    /// Rows by themselves, to a scale of their own, ready for tiles of others.
    fn sides(x: MatrixView<'_>, y: MatrixView<'_>, measure: Measure) -> (Quantised, Quantised) {
        let [x, y] = [x, y].map(|side| {
            let longest = 1.25 * longest(side.rows, side.simd, &Unwatched).unwrap();
            Quantised::within(side.rows, longest, measure, side.simd, &Unwatched).unwrap()
        });
        let mut facing = x;
        facing.face(y.scaling());
        (facing, y)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn rows_of_two_scales_are_within_the_slack(
            rows in 1usize..40, others in 1usize..=TILE, width in 1usize..70, seed: u64, lengths: bool,
            sizes in (-30i32..16, -30i32..16), share in 0usize..40,
        ) {
            let data = |rows, seed, size| {
                let mut data = real_rows(rows, width, seed);
                data.iter_mut().for_each(|x| *x *= 10f32.powi(size));
                data
            };
            let (x, y) = (data(rows, seed, sizes.0), data(others, !seed, sizes.1));
            let mut bits = None;
            for simd in Simd::available() {
                let x = Matrix::raw(&x[..], width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                let y = Matrix::raw(&y[..], width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                let (x, y) = (x.view(), y.view());
                let (quantised, columns) = sides(x, y, if lengths { Measure::SquaredDistance } else { Measure::NegativeDot });
                let mut tile = Tile::of(&columns);
                tile.hold(&columns, &(0..others as u32).collect::<Vec<_>>());
                let all: Vec<u32> = (0..rows as u32).collect();
                let mut found = vec![[0.0; TILE]; rows];
                quantised.every(simd, &all, &tile, &mut found);
                for (row, found) in found.iter().enumerate() {
                    for (other, &distance) in found.iter().enumerate().take(others) {
                        let (a, b) = (x.rows.row(row), y.rows.row(other));
                        let canonical = if lengths {
                            metric::squared_distance(simd, a, b)
                        } else {
                            -metric::dot(simd, a, b)
                        };
                        let off = (distance - canonical).abs();
                        prop_assert!(off <= quantised.slack(), "{off} of {canonical}, slack {}", quantised.slack());
                    }
                    prop_assert!(found[others..].iter().all(|&distance| distance == f32::INFINITY));
                }
                // A bound that is a distance itself is reached by it.
                let bounds: [f32; TILE] = std::array::from_fn(|other| found[share % rows][other]);
                let mut near = [const { Vec::new() }; TILE];
                quantised.at_most(simd, &all, &tile, &bounds, &mut near);
                for (other, near) in near.into_iter().enumerate() {
                    let at_most = |&row: &u32| other < others && found[row as usize][other] <= bounds[other];
                    let expected: Vec<(f32, u32)> =
                        all.iter().copied().filter(at_most).map(|row| (found[row as usize][other], row)).collect();
                    prop_assert_eq!(near, expected);
                }
                let found: Vec<u32> = found.as_flattened().iter().map(|distance| distance.to_bits()).collect();
                prop_assert_eq!(bits.get_or_insert_with(|| found.clone()), &found);
            }
        }
    }

    #[test]
    fn rows_of_one_coordinate_do_not_overflow() {
        let mut data = vec![0.0; 64 * 48];
        for row in 0..64 {
            data[row * 48 + row % 48] = if row < 32 { 1.0 } else { -1.0 };
        }
        let mut bits = None;
        for simd in Simd::available() {
            let matrix = Matrix::unit(data.clone(), 48, simd, &Unwatched).unwrap();
            check(matrix.view(), &mut bits);
        }
    }

    #[test]
    fn the_slack_is_small_for_unit_rows() {
        let matrix = Matrix::unit(real_rows(500, 384, 1), 384, Simd::active().unwrap(), &Unwatched).unwrap();
        let slack = Quantised::new(matrix.view(), Measure::SquaredDistance, &Unwatched).unwrap().slack();
        assert!(slack < 1.1e-3, "{slack}");
    }
}
