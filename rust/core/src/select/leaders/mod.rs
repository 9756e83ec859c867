//! The leader rule (Hartigan 1975, "Clustering Algorithms", 3.2): rows in a given order, of which each is kept or
//! repeats one kept before. Abbas et al. 2023 (SemDeDup) find near copies by it within k-means cells.

mod halves;
mod narrow;
mod plain;
mod recall;
mod seen;

use super::similarities::Cells;
use crate::control::Part;
use crate::matrix::{MatrixView, Metric};
use crate::{Control, Error, blocks};
use seen::Seen;

/// What each row of the order is, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Led {
    /// The row itself where it is kept; else the row kept before that is nearest to it, the lowest of equal ones.
    pub leaders: Vec<usize>,
    /// The canonical similarity to that row, NaN where the row is kept.
    pub similarities: Vec<f32>,
    /// Of the pairs at least as similar as the threshold that some rows form with all others, the share that the
    /// cells show; 1 without cells.
    pub recall: f64,
    /// How many pairs of rows were compared, at any precision; the same on every machine.
    pub evaluations: u64,
}

/// Walks through `order` and keeps a row where its canonical similarity to every row kept before is below `threshold`;
/// any other row repeats the kept row that is nearest to it. The first `always` rows are kept come what may.
///
/// With cells a row is compared only with the rows whose own cell is among the `probe` cells nearest to it. Cost: at
/// most order x kept x dimensions multiply-adds in int16, as a rule on a fraction of the dimensions: those that spread
/// most already show that nearly all pairs are too far apart. With cells, rows x centroids x dimensions, and then the
/// pairs of rows that are shown. Memory: 2 x dimensions bytes a row, and 4 more for each dimension looked at.
///
/// # Errors
/// [`Error::Argument`] where the threshold is not finite, the metric is not [`Metric::Cosine`], or `always` is more than
/// the order holds;
/// [`Error::NoSuchRow`] and [`Error::GivenTwice`] for `order`; [`Error::Shape`] and [`Error::Argument`] for centroids;
/// [`Error::OutOfMemory`]; or what `control` stops with.
pub fn leaders(
    matrix: MatrixView<'_>,
    order: &[usize],
    always: usize,
    threshold: f64,
    cells: Option<Cells<'_>>,
    control: &impl Control,
) -> Result<Led, Error> {
    halves::walk(&Walk::new(matrix, (order, always), threshold, cells, control)?, control)
}

/// The definition of [`leaders`], to which it is equal but for the evaluations: each row is compared with all kept
/// before that it sees.
///
/// # Errors
/// As [`leaders`].
pub fn leaders_plain(
    matrix: MatrixView<'_>,
    order: &[usize],
    always: usize,
    threshold: f64,
    cells: Option<Cells<'_>>,
    control: &impl Control,
) -> Result<Led, Error> {
    plain::walk(&Walk::new(matrix, (order, always), threshold, cells, control)?, control)
}

/// A checked wish.
struct Walk<'a> {
    matrix: MatrixView<'a>,
    order: &'a [usize],
    /// How many of them are kept come what may.
    always: usize,
    threshold: f64,
    seen: Seen,
}

impl<'a> Walk<'a> {
    fn new(
        matrix: MatrixView<'a>,
        (order, always): (&'a [usize], usize),
        threshold: f64,
        cells: Option<Cells<'_>>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        if !threshold.is_finite() {
            return Err(Error::Argument { what: format!("the threshold must be finite, not {threshold}") });
        }
        if matrix.metric != Metric::Cosine {
            return Err(Error::Argument { what: "near copies are found by cosine similarity".into() });
        }
        if always > order.len() {
            let what = format!("{always} rows are always kept, and the order holds {}", order.len());
            return Err(Error::Argument { what });
        }
        let n = matrix.len();
        let mut met = blocks::filled(n, false)?;
        for &row in order {
            match met.get_mut(row) {
                None => return Err(Error::NoSuchRow { row, n }),
                Some(true) => return Err(Error::GivenTwice { row }),
                Some(met) => *met = true,
            }
        }
        let watch = Part { control, done: 0, total: pairs(order.len()) };
        Ok(Self { matrix, order, always, threshold, seen: Seen::new(matrix, cells, &watch)? })
    }

    /// The canonical similarity of two rows; never -0.
    fn similarity(&self, row: usize, other: usize) -> f32 {
        let rows = self.matrix.rows;
        crate::metric::dot(self.matrix.simd, rows.row(row), rows.row(other)) + 0.0
    }
}

/// About how many pairs so many rows form: what progress is counted in.
fn pairs(count: usize) -> u64 {
    (count as u64).saturating_mul(count as u64) / 2
}

/// The nearest row kept before, as far as is known.
#[derive(Debug, Clone, Copy)]
struct Best {
    similarity: f32,
    /// [`Best::NONE`] where there is none that is near enough.
    leader: u32,
}

impl Best {
    const NONE: u32 = u32::MAX;

    fn none() -> Self {
        Self { similarity: f32::NEG_INFINITY, leader: Self::NONE }
    }

    fn is_none(self) -> bool {
        self.leader == Self::NONE
    }

    /// Takes another kept row where it is near enough, and nearer or as near and lower.
    fn meet(&mut self, similarity: f32, other: usize, threshold: f64) {
        let nearer =
            similarity > self.similarity || (similarity == self.similarity && (other as u32) < self.leader);
        if nearer && f64::from(similarity) >= threshold {
            *self = Self { similarity, leader: other as u32 };
        }
    }
}

impl Led {
    fn new(walk: &Walk<'_>, best: &[Best], recall: f64, evaluations: u64) -> Self {
        let leader = |(best, &row): (&Best, &usize)| if best.is_none() { row } else { best.leader as usize };
        let similarity = |best: &Best| if best.is_none() { f32::NAN } else { best.similarity };
        Self {
            leaders: best.iter().zip(walk.order).map(leader).collect(),
            similarities: best.iter().map(similarity).collect(),
            recall,
            evaluations,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Unwatched};

    fn bits(led: &Led) -> (Vec<usize>, Vec<u32>, u64) {
        let similarities = led.similarities.iter().map(|value| value.to_bits()).collect();
        (led.leaders.clone(), similarities, led.recall.to_bits())
    }

    /// That rows of length 1 have the leaders of the definition, and as many evaluations on every machine.
    fn check(
        (data, width): (&[f32], usize),
        (order, always): (&[usize], usize),
        threshold: Option<f64>,
        cells: Option<Cells<'_>>,
    ) {
        let mut expected = None;
        for simd in Simd::available() {
            let matrix = Matrix::unit(data.to_vec(), width, simd, &Unwatched).unwrap();
            let view = matrix.view();
            // Without a threshold, the similarity of two rows: the canonical bits decide.
            let between =
                || f64::from(crate::metric::dot(simd, view.rows.row(0), view.rows.row(view.len() / 2)));
            let threshold = threshold.unwrap_or_else(between);
            let plain = leaders_plain(view, order, always, threshold, cells, &Unwatched).unwrap();
            let plain = &*expected.get_or_insert_with(|| (bits(&plain), None));
            let mut evaluations = plain.1;
            for threads in THREADS {
                let led =
                    with_threads(threads, || leaders(view, order, always, threshold, cells, &Unwatched))
                        .unwrap();
                assert_eq!(bits(&led), plain.0, "{} threads, {}", threads, simd.name());
                assert_eq!(*evaluations.get_or_insert(led.evaluations), led.evaluations);
            }
            expected = Some((plain.0.clone(), evaluations));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn whole_numbers_with_ties(
            tied in Tied::up_to(90), shuffle in any::<prop::sample::Index>(), threshold in 0.0f64..1.0, count in 0usize..4,
            probe in 1usize..3, always in any::<prop::sample::Index>(),
        ) {
            // A first value above 0, so that no row is zero.
            let width = tied.width + 1;
            let row = |row| std::iter::once(1.0).chain(tied.row(row).iter().copied());
            let data: Vec<f32> = (0..tied.rows()).flat_map(row).collect();
            // Some of the rows, from the middle on.
            let mut order: Vec<usize> = (0..tied.rows()).collect();
            order.rotate_left(shuffle.index(tied.rows().max(1)).min(tied.rows()));
            order.truncate(tied.rows() - tied.rows() / 5);
            let centroids = real_rows(count, width, 3);
            let cells = (count > 0).then_some(Cells { centroids: &centroids, probe });
            check((&data, width), (&order, always.index(order.len() + 1)), Some(threshold), cells);
        }

        #[test]
        fn real_rows_and_near_copies(
            centres in 1usize..200, rows in 1usize..900, width in 1usize..90, seed: u64, near in 0.0f32..0.5,
            given: bool, threshold in 0.3f64..1.0, count in 0usize..7, probe in 1usize..4, always in 0usize..60,
        ) {
            let (middles, noise) = (real_rows(centres, width, seed), real_rows(rows, width, !seed));
            let data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                let row = at / width;
                // Every fifth row repeats its centre; no row is zero.
                middles[row % centres * width + at % width] + if row % 5 == 0 { 1e-3 } else { near * noise }
            }).collect();
            let order: Vec<usize> = (0..rows).rev().collect();
            let centroids = real_rows(count, width, 3);
            let cells = (count > 0).then_some(Cells { centroids: &centroids, probe });
            check((&data, width), (&order, always.min(rows)), given.then_some(threshold), cells);
        }
    }

    #[test]
    fn a_row_repeats_the_nearest_of_those_kept_before() {
        // Directions in the plane, in degrees.
        let rows = |degrees: &[f32]| -> Vec<f32> {
            degrees.iter().map(|x| x.to_radians()).flat_map(|x| [x.cos(), x.sin()]).collect()
        };
        let led = |degrees: &[f32], order: &[usize], always| {
            let matrix = Matrix::unit(rows(degrees), 2, Simd::active().unwrap(), &Unwatched).unwrap();
            leaders(matrix.view(), order, always, 20f64.to_radians().cos(), None, &Unwatched).unwrap()
        };
        // The third row lies within 20 degrees of both before, the fourth of the third only, which is not kept.
        assert_eq!(led(&[0.0, 30.0, 16.0, -21.0], &[0, 1, 2, 3], 0).leaders, [0, 1, 1, 3]);
        // Rows that come first in the order are kept first, and always where that is asked for.
        assert_eq!(led(&[0.0, 30.0, 16.0, -21.0], &[2, 0, 1, 3], 0).leaders, [2, 2, 2, 3]);
        assert_eq!(led(&[0.0, 30.0, 16.0, -21.0], &[2, 0, 1, 3], 2).leaders, [2, 0, 2, 3]);
        // Of rows that are as near the lowest leads, whichever came first.
        let alike = led(&[5.0, 5.0, 5.0, 5.0], &[3, 1, 2, 0], 2);
        assert_eq!(alike.leaders, [3, 1, 1, 1]);
        assert!(alike.similarities[1].is_nan() && alike.similarities[2] > 0.999);
    }

    #[test]
    fn few_values_are_looked_at_where_rows_lie_apart() {
        let (rows, width) = (4000, 384);
        let data: Vec<f32> = real_rows(rows, width, 5).iter().map(|value| value - 0.1).collect();
        let matrix = Matrix::unit(data, width, Simd::active().unwrap(), &Unwatched).unwrap();
        let axes = narrow::axes(matrix.view().rows, 0.95).len();
        assert!(axes <= 96, "{axes} of {width}");
        let order: Vec<usize> = (0..rows).collect();
        let led = leaders(matrix.view(), &order, 0, 0.95, None, &Unwatched).unwrap();
        assert_eq!(led.leaders, order);
        let pairs = (rows * (rows - 1) / 2) as u64;
        assert!(led.evaluations < pairs + pairs / 50, "{} of {pairs}", led.evaluations);
    }

    #[test]
    fn cells_spare_most_pairs() {
        let (rows, width, count) = (12_000, 24, 60);
        let centres = real_rows(count, width, 8);
        let noise = real_rows(rows, width, 9);
        let data: Vec<f32> = (0..rows * width)
            .map(|at| centres[at / width % count * width + at % width] + 0.4 * noise[at])
            .collect();
        let matrix = Matrix::unit(data, width, Simd::active().unwrap(), &Unwatched).unwrap();
        let order: Vec<usize> = (0..rows).collect();
        let led = |probe: Option<usize>| {
            let cells = probe.map(|probe| Cells { centroids: &centres, probe });
            leaders(matrix.view(), &order, 0, 0.97, cells, &Unwatched).unwrap()
        };
        let (all, some) = (led(None), led(Some(2)));
        assert!(some.evaluations < all.evaluations / 3, "{} of {}", some.evaluations, all.evaluations);
        assert_eq!(all.recall, 1.0);
        assert!(some.recall > 0.9 && some.recall <= 1.0, "{}", some.recall);
        let kept = |led: &Led| led.leaders.iter().zip(&order).filter(|(a, b)| a == b).count();
        assert!(kept(&all) < rows && kept(&some) >= kept(&all));
    }

    #[test]
    fn bad_wishes_are_refused() {
        let simd = Simd::active().unwrap();
        let matrix = Matrix::unit(vec![1.0, 2.0, 3.0], 1, simd, &Unwatched).unwrap();
        let refused = |order: &[usize], threshold| {
            leaders(matrix.view(), order, 0, threshold, None, &Unwatched).unwrap_err()
        };
        let error = leaders(matrix.view(), &[1], 2, 0.5, None, &Unwatched).unwrap_err();
        assert!(error.to_string().contains("2 rows are always kept, and the order holds 1"));
        for threshold in [f64::NAN, f64::INFINITY] {
            assert!(refused(&[0], threshold).to_string().contains("must be finite"));
        }
        assert_eq!(refused(&[0, 3], 0.5), Error::NoSuchRow { row: 3, n: 3 });
        assert_eq!(refused(&[2, 0, 2], 0.5), Error::GivenTwice { row: 2 });
        let raw = Matrix::raw(vec![1.0], 1, Metric::Dot, simd, &Unwatched).unwrap();
        let error = leaders(raw.view(), &[0], 0, 0.5, None, &Unwatched).unwrap_err();
        assert!(error.to_string().contains("cosine"));
        let none = Matrix::unit(Vec::new(), 3, simd, &Unwatched).unwrap();
        let led = leaders(none.view(), &[], 0, 0.5, None, &Unwatched).unwrap();
        assert_eq!(led, Led { recall: 1.0, ..Led::default() });
    }
}
