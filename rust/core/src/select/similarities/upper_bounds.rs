//! Upper bounds of the similarities of all pairs of rows, half as large as the similarities and sooner there.

use rayon::prelude::*;

use super::mirror::mirror;
use crate::Error;
use crate::blocks;
use crate::control::{Control, FixedProgress};
use crate::matrix::MatrixView;
use crate::pages::Pages;
use crate::quantise::{Measure, Quantised, TILE, Tile};
use crate::simd::{Kernel, Lanes, Simd};

/// Rows of the table that one task fills: their vectors stay in cache meanwhile.
const PANEL: usize = 192;
/// Bounds compared with floors in one go.
const GROUP: usize = 32;
/// Rows whose differences a sum of 32 bits holds: 2^16 of 2^16.
const SUMMED: usize = 1 << 15;

/// For each pair of rows a whole number of units, of which the canonical dot product is not more.
pub(in crate::select) struct UpperBounds {
    simd: Simd,
    rows: usize,
    /// From one row of the table to the next.
    stride: usize,
    /// Row-major and symmetric; at least 0.
    bounds: Pages<u16>,
    unit: f64,
}

impl UpperBounds {
    /// Computes the bounds: rows^2 / 2 x dimensions multiply-adds in int16, 2 x rows^2 bytes, and meanwhile 4 x rows x
    /// dimensions.
    pub(in crate::select) fn new(matrix: MatrixView<'_>, control: &impl Control) -> Result<Self, Error> {
        let (rows, simd) = (matrix.len(), matrix.simd);
        let watch = FixedProgress { control, done: 0, total: rows as u64 };
        let quantised = Quantised::new(matrix, Measure::NegativeDot, &watch)?;
        let numbers: Vec<u32> = (0..rows as u32).collect();
        let tile = |numbers| {
            let mut tile = Tile::of(&quantised);
            tile.hold(&quantised, numbers);
            tile
        };
        let tiles: Vec<Tile> = numbers.par_chunks(TILE).map(tile).collect();
        let stride = rows.next_multiple_of(TILE);
        let mut bounds = Pages::zeroed(rows.saturating_mul(stride))?;
        if rows > 0 {
            blocks::fill(&mut bounds, stride, PANEL, control, |first, panel| {
                let end = first + panel.len() / stride;
                for (at, tile) in tiles.iter().enumerate().skip(first / TILE) {
                    // The table is symmetric: no row is compared with the tiles before its own.
                    let some = &numbers[first..end.min((at + 1) * TILE)];
                    quantised.upper_bounds(simd, some, tile, &mut panel[at * TILE..], stride);
                }
                Ok(())
            })?;
            mirror(&mut bounds, stride, 0);
        }
        Ok(Self { simd, rows, stride, bounds, unit: quantised.upper_bound_unit() })
    }

    /// How many units a value is, rounded down.
    pub(in crate::select) fn floor(&self, value: f32) -> u16 {
        // Less than what rounding may add.
        (f64::from(value) / self.unit * (1.0 - 1e-12)) as u16
    }

    fn row(&self, row: usize) -> &[u16] {
        &self.bounds[row * self.stride..][..self.rows]
    }

    /// Not less than how far the similarities of `row` lie above the floors of all rows, in sum.
    pub(in crate::select) fn above(&self, row: usize, floors: &[u16]) -> f64 {
        let units = self.simd.run(Above { bounds: self.row(row), floors });
        // More than what the roundings of differences to float32, and of their sum, may add.
        units as f64 * self.unit * (1.0 + 1e-6)
    }

    /// The rows whose similarity to `row` may lie above their floor, ascending.
    pub(in crate::select) fn reached(&self, row: usize, floors: &[u16]) -> Vec<u32> {
        self.simd.run(Reached { bounds: self.row(row), floors })
    }
}

struct Above<'a> {
    bounds: &'a [u16],
    floors: &'a [u16],
}

impl Kernel for Above<'_> {
    type Output = u64;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> u64 {
        let mut total = 0;
        for (bounds, floors) in self.bounds.chunks(SUMMED).zip(self.floors.chunks(SUMMED)) {
            let mut sums = [0u32; GROUP];
            let (bounds, bounds_tail) = bounds.as_chunks::<GROUP>();
            let (floors, floors_tail) = floors.as_chunks::<GROUP>();
            for (bounds, floors) in bounds.iter().zip(floors) {
                for l in 0..GROUP {
                    sums[l] += u32::from(bounds[l].saturating_sub(floors[l]));
                }
            }
            for (l, (bound, floor)) in bounds_tail.iter().zip(floors_tail).enumerate() {
                sums[l] += u32::from(bound.saturating_sub(*floor));
            }
            for sum in sums {
                total += u64::from(sum);
            }
        }
        total
    }
}

struct Reached<'a> {
    bounds: &'a [u16],
    floors: &'a [u16],
}

impl Kernel for Reached<'_> {
    type Output = Vec<u32>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<u32> {
        let mut reached = Vec::new();
        for (group, (bounds, floors)) in self.bounds.chunks(GROUP).zip(self.floors.chunks(GROUP)).enumerate()
        {
            let mut most = 0;
            for (bound, floor) in bounds.iter().zip(floors) {
                most |= bound.saturating_sub(*floor);
            }
            if most == 0 {
                continue;
            }
            for (l, (bound, floor)) in bounds.iter().zip(floors).enumerate() {
                if bound > floor {
                    reached.push((group * GROUP + l) as u32);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched, metric};

    /// That no bound is too low, and that bounds are not `most` too high.
    fn check(matrix: MatrixView<'_>, most: f64, expected: &mut Option<Vec<Vec<u16>>>) {
        for threads in THREADS {
            let bounds = with_threads(threads, || UpperBounds::new(matrix, &Unwatched)).unwrap();
            let rows: Vec<Vec<u16>> = (0..matrix.len()).map(|row| bounds.row(row).to_vec()).collect();
            for (x, row) in rows.iter().enumerate() {
                for (y, &bound) in row.iter().enumerate() {
                    let dot = metric::dot(matrix.simd, matrix.rows.row(x), matrix.rows.row(y));
                    let over = f64::from(bound) * bounds.unit - f64::from(dot);
                    assert!(over >= 0.0, "{bound} of {} for {dot}", bounds.unit);
                    assert!(dot < 0.0 || over <= most, "{over} over {dot}");
                }
            }
            assert_eq!(expected.get_or_insert_with(|| rows.clone()), &rows, "{}", matrix.simd.name());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_similarity_is_above_its_bound(
            rows in 1usize..80, width in 1usize..70, seed: u64, dominant in 0.0f32..100.0, size in -30i32..16,
        ) {
            let mut data = real_rows(rows, width, seed);
            // One coordinate can be nearly all of a row: its products then come near the limit of the sums.
            data.chunks_mut(width).for_each(|row| row[0] *= dominant);
            data.iter_mut().for_each(|x| *x *= 10f32.powi(size));
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = Matrix::raw(&data[..], width, Metric::Dot, simd, &Unwatched).unwrap();
                check(matrix.view(), f64::INFINITY, &mut expected);
            }
        }

        #[test]
        fn sums_and_rows_reached_are_those_of_the_bounds(tied in Tied::up_to(80), seed: u64) {
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                let bounds = UpperBounds::new(matrix.view(), &Unwatched).unwrap();
                let highest = (0..tied.rows()).flat_map(|row| bounds.row(row)).max().copied().unwrap_or(0);
                let floors: Vec<u16> = (0..tied.rows() as u64)
                    .map(|row| (crate::rng::keyed_hash(seed, row) % (u64::from(highest) + 1)) as u16)
                    .collect();
                for row in 0..tied.rows() {
                    let pairs = || bounds.row(row).iter().zip(&floors);
                    let units: f64 = pairs().map(|(&bound, &floor)| f64::from(bound.saturating_sub(floor))).sum();
                    let above = bounds.above(row, &floors);
                    prop_assert!(above >= units * bounds.unit && above <= units * bounds.unit * 1.00001);
                    let reached: Vec<u32> =
                        (0..).zip(pairs()).filter(|(_, (bound, floor))| bound > floor).map(|(at, _)| at).collect();
                    prop_assert_eq!(bounds.reached(row, &floors), reached);
                }
            }
        }
    }

    #[test]
    fn bounds_of_unit_rows_are_close_and_the_same_on_every_machine() {
        let mut expected = None;
        for simd in Simd::available() {
            // More rows than a panel, and not whole tiles.
            let matrix = Matrix::unit(real_rows(421, 384, 3), 384, simd, &Unwatched).unwrap();
            check(matrix.view(), 1.3e-3, &mut expected);
        }
    }

    #[test]
    fn floors_are_never_above_the_value() {
        let matrix = Matrix::unit(real_rows(40, 16, 3), 16, Simd::active().unwrap(), &Unwatched).unwrap();
        let bounds = UpperBounds::new(matrix.view(), &Unwatched).unwrap();
        for units in 0..16_000 {
            let value = (f64::from(units) * bounds.unit) as f32;
            for value in [value.next_down(), value, value.next_up()].map(|value| value.max(0.0)) {
                let floor = f64::from(bounds.floor(value));
                assert!(
                    floor * bounds.unit <= f64::from(value)
                        && (floor + 1.01) * bounds.unit > f64::from(value)
                );
            }
        }
    }
}
