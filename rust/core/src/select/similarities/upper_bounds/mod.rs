//! Upper bounds of the similarities of pairs of rows, smaller than the similarities and sooner there.

mod lists;
mod measured;
mod table;

use crate::Error;
use crate::control::{Control, FixedProgress};
use crate::matrix::MatrixView;
use lists::Lists;
use measured::Measured;
use table::Table;

/// Where at most one bound of so many lies above the floor of its client, only those are held.
const FEW: usize = 8;

/// For pairs of rows a whole number of units, of which the canonical dot product is not more.
pub(in crate::select) struct UpperBounds {
    unit: f64,
    held: Held,
}

enum Held {
    All(Table),
    Some(Lists),
}

impl UpperBounds {
    /// The bounds that may ever matter where no similarity does that is below what its client has: `cover`, at least 0.
    ///
    /// Rows^2 / 2 x dimensions multiply-adds in int16; 2 x rows^2 bytes or, where few lie above, 20 for each of them;
    /// and meanwhile 4 x rows x dimensions.
    pub(in crate::select) fn new(
        matrix: MatrixView<'_>,
        cover: &[f32],
        control: &impl Control,
    ) -> Result<Self, Error> {
        let watch = FixedProgress { control, done: 0, total: matrix.len() as u64 };
        let measured = Measured::new(matrix, &watch)?;
        let unit = measured.unit();
        let floors: Vec<u16> = cover.iter().map(|&value| floor(value, unit)).collect();
        let held = if floors.iter().any(|&floor| floor > 0) && few_are_above(&measured, &floors) {
            Held::Some(Lists::new(&measured, &floors, &watch)?)
        } else {
            Held::All(Table::new(&measured, control)?)
        };
        Ok(Self { unit, held })
    }

    /// How many units a value is, rounded down.
    pub(in crate::select) fn floor(&self, value: f32) -> u16 {
        floor(value, self.unit)
    }

    /// Not less than how far the similarities of `row` lie above the floors of all rows, in sum; no floor is lower than
    /// it was at first.
    pub(in crate::select) fn above(&self, row: usize, floors: &[u16]) -> f64 {
        let units = match &self.held {
            Held::All(table) => table.above(row, floors),
            Held::Some(lists) => lists.above(row, floors),
        };
        // More than what the roundings of differences to float32, and of their sum, may add.
        units as f64 * self.unit * (1.0 + 1e-6)
    }

    /// The rows whose similarity to `row` may lie above their floor, ascending; no floor is lower than it was at first.
    pub(in crate::select) fn reached(&self, row: usize, floors: &[u16]) -> Vec<u32> {
        match &self.held {
            Held::All(table) => table.reached(row, floors),
            Held::Some(lists) => lists.reached(row, floors),
        }
    }
}

fn floor(value: f32, unit: f64) -> u16 {
    // Less than what rounding may add.
    (f64::from(value) / unit * (1.0 - 1e-12)) as u16
}

/// Whether few bounds lie above the floors, as far as some rows spread over all tell.
fn few_are_above(measured: &Measured, floors: &[u16]) -> bool {
    let (above, all) =
        measured.sample(|client, bounds| bounds.iter().filter(|&&bound| bound > floors[client]).count());
    above * FEW <= all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched, metric};

    fn all(matrix: MatrixView<'_>) -> UpperBounds {
        UpperBounds::new(matrix, &vec![0.0; matrix.len()], &Unwatched).unwrap()
    }

    fn row(bounds: &UpperBounds, row: usize) -> Vec<u16> {
        match &bounds.held {
            Held::All(table) => table.row(row).to_vec(),
            Held::Some(_) => panic!("all are held"),
        }
    }

    /// That no bound is too low, and that bounds are not `most` too high.
    fn check(matrix: MatrixView<'_>, most: f64, expected: &mut Option<Vec<Vec<u16>>>) {
        for threads in THREADS {
            let bounds = with_threads(threads, || all(matrix));
            let rows: Vec<Vec<u16>> = (0..matrix.len()).map(|at| row(&bounds, at)).collect();
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
                let bounds = all(matrix.view());
                let floors = some_floors(&bounds, tied.rows(), seed);
                for at in 0..tied.rows() {
                    let row = row(&bounds, at);
                    let pairs = || row.iter().zip(&floors);
                    let units: f64 = pairs().map(|(&bound, &floor)| f64::from(bound.saturating_sub(floor))).sum();
                    let above = bounds.above(at, &floors);
                    prop_assert!(above >= units * bounds.unit && above <= units * bounds.unit * 1.00001);
                    let reached: Vec<u32> =
                        (0..).zip(pairs()).filter(|(_, (bound, floor))| bound > floor).map(|(at, _)| at).collect();
                    prop_assert_eq!(bounds.reached(at, &floors), reached);
                }
            }
        }

        #[test]
        fn lists_say_what_the_table_says_from_their_floors_on(tied in Tied::up_to(450), seed: u64, rise in 0u16..40) {
            let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
            let table = all(matrix.view());
            let mut floors = some_floors(&table, tied.rows(), seed);
            let measured = Measured::new(matrix.view(), &Unwatched).unwrap();
            for threads in THREADS {
                let lists = with_threads(threads, || Lists::new(&measured, &floors, &Unwatched)).unwrap();
                let lists = UpperBounds { unit: table.unit, held: Held::Some(lists) };
                for at in 0..tied.rows() {
                    prop_assert_eq!(lists.above(at, &floors), table.above(at, &floors));
                    prop_assert_eq!(lists.reached(at, &floors), table.reached(at, &floors));
                }
                floors.iter_mut().step_by(2).for_each(|floor| *floor += rise);
                for at in 0..tied.rows() {
                    prop_assert_eq!(lists.above(at, &floors), table.above(at, &floors));
                    prop_assert_eq!(lists.reached(at, &floors), table.reached(at, &floors));
                }
            }
        }
    }

    /// For each row a floor among its bounds.
    fn some_floors(bounds: &UpperBounds, rows: usize, seed: u64) -> Vec<u16> {
        let highest = (0..rows).flat_map(|at| row(bounds, at)).max().unwrap_or(0);
        let floor = |row| (crate::rng::keyed_hash(seed, row) % (u64::from(highest) + 1)) as u16;
        (0..rows as u64).map(floor).collect()
    }

    #[test]
    fn few_bounds_are_held_where_each_row_has_a_near_one_already() {
        let rows = 500;
        let matrix = Matrix::unit(real_rows(rows, 16, 3), 16, Simd::active().unwrap(), &Unwatched).unwrap();
        let cover = |rank: usize| -> Vec<f32> {
            let of = |x: usize| {
                let row = |at| matrix.view().rows.row(at);
                let mut all: Vec<f32> =
                    (0..rows).map(|y| metric::dot(matrix.view().simd, row(x), row(y)).max(0.0)).collect();
                all.sort_by(|a, b| b.total_cmp(a));
                all[rank]
            };
            (0..rows).map(of).collect()
        };
        for (rank, few) in [(10, true), (200, false)] {
            let bounds = UpperBounds::new(matrix.view(), &cover(rank), &Unwatched).unwrap();
            assert_eq!(matches!(bounds.held, Held::Some(_)), few, "{rank}");
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
        let bounds = all(matrix.view());
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
