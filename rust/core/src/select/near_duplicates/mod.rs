//! Near duplicates by the leader algorithm (Hartigan 1975, "Clustering Algorithms", 3.2): in a given order, each row is
//! a representative or a near duplicate of one before it. Abbas et al. 2023 (SemDeDup) use it within k-means cells.

mod candidate_cells;
mod divide_and_conquer;
mod plain;
mod projection_filter;
mod recall;

use super::selection::check_distinct;
use super::similarities::Cells;
use crate::control::FixedProgress;
use crate::matrix::{MatrixView, Metric};
use crate::{Control, Error};
use candidate_cells::CandidateCells;

/// The representative of each row of the order, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NearDuplicates {
    /// The row itself where it is a representative; else the representative before it that is nearest to it, the lowest
    /// of equal ones.
    pub representatives: Vec<usize>,
    /// The canonical similarity to that row, NaN where the row is a representative.
    pub similarities: Vec<f32>,
    /// Of the pairs at least as similar as the threshold that a sample of rows forms with all others, the share that is
    /// compared with cells; 1 without cells.
    pub recall: f64,
    /// How many pairs of rows were compared, at any precision; the same on every machine.
    pub evaluations: u64,
}

/// Goes through `order` and makes a row a representative where its canonical similarity to every representative before
/// it is below `threshold`; any other row is a near duplicate of the nearest representative. The first
/// `protected_prefix` rows are representatives in any case.
///
/// With cells a row is compared only with the rows whose own cell is among the `probe` cells nearest to it. Cost: at
/// most order x representatives x dimensions multiply-adds in int16, as a rule on a fraction of the dimensions: those
/// of largest variance already show that nearly all pairs are too far apart. With cells, rows x centroids x dimensions,
/// and then the pairs of rows that they admit. Memory: 2 x dimensions bytes a row, and 4 more for each dimension of the
/// filter.
///
/// # Errors
/// [`Error::Argument`] where the threshold is not finite, the metric is not [`Metric::Cosine`], or `protected_prefix`
/// is more than the order holds; [`Error::NoSuchRow`] and [`Error::RepeatedRow`] for `order`; [`Error::Shape`] and
/// [`Error::Argument`] for centroids; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn near_duplicates(
    matrix: MatrixView<'_>,
    order: &[usize],
    protected_prefix: usize,
    threshold: f64,
    cells: Option<Cells<'_>>,
    control: &impl Control,
) -> Result<NearDuplicates, Error> {
    let search = Search::new(matrix, (order, protected_prefix), threshold, cells, control)?;
    divide_and_conquer::find(&search, control)
}

/// The definition of [`near_duplicates`], to which it is equal but for the evaluations: each row is compared with all
/// representatives before it that the cells admit.
///
/// # Errors
/// As [`near_duplicates`].
pub fn near_duplicates_plain(
    matrix: MatrixView<'_>,
    order: &[usize],
    protected_prefix: usize,
    threshold: f64,
    cells: Option<Cells<'_>>,
    control: &impl Control,
) -> Result<NearDuplicates, Error> {
    plain::find(&Search::new(matrix, (order, protected_prefix), threshold, cells, control)?, control)
}

/// Checked arguments.
struct Search<'a> {
    matrix: MatrixView<'a>,
    order: &'a [usize],
    /// How many of them, the first, are representatives in any case.
    protected_prefix: usize,
    threshold: f64,
    cells: CandidateCells,
}

impl<'a> Search<'a> {
    fn new(
        matrix: MatrixView<'a>,
        (order, protected_prefix): (&'a [usize], usize),
        threshold: f64,
        cells: Option<Cells<'_>>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        if !threshold.is_finite() {
            return Err(Error::Argument { what: format!("the threshold must be finite, not {threshold}") });
        }
        if matrix.metric != Metric::Cosine {
            return Err(Error::Argument { what: "near duplicates are found by cosine similarity".into() });
        }
        if protected_prefix > order.len() {
            let what = format!("{protected_prefix} rows are protected, and the order holds {}", order.len());
            return Err(Error::Argument { what });
        }
        check_distinct(matrix.len(), order)?;
        let watch = FixedProgress { control, done: 0, total: pairs(order.len()) };
        let cells = CandidateCells::new(matrix, cells, &watch)?;
        Ok(Self { matrix, order, protected_prefix, threshold, cells })
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

/// The nearest representative before a row, of those compared so far.
#[derive(Debug, Clone, Copy)]
struct Nearest {
    similarity: f32,
    /// [`Nearest::NONE`] where none is near enough.
    representative: u32,
}

impl Nearest {
    const NONE: u32 = u32::MAX;

    fn none() -> Self {
        Self { similarity: f32::NEG_INFINITY, representative: Self::NONE }
    }

    /// Whether none is near enough, so that the row is a representative itself, once all are compared.
    fn is_none(self) -> bool {
        self.representative == Self::NONE
    }

    /// Takes another representative where it is near enough, and nearer or as near and lower.
    fn update(&mut self, similarity: f32, other: usize, threshold: f64) {
        let nearer = similarity > self.similarity
            || (similarity == self.similarity && (other as u32) < self.representative);
        if nearer && f64::from(similarity) >= threshold {
            *self = Self { similarity, representative: other as u32 };
        }
    }
}

impl NearDuplicates {
    fn new(search: &Search<'_>, nearest: &[Nearest], recall: f64, evaluations: u64) -> Self {
        let representative = |(nearest, &row): (&Nearest, &usize)| {
            if nearest.is_none() { row } else { nearest.representative as usize }
        };
        let similarity = |nearest: &Nearest| if nearest.is_none() { f32::NAN } else { nearest.similarity };
        Self {
            representatives: nearest.iter().zip(search.order).map(representative).collect(),
            similarities: nearest.iter().map(similarity).collect(),
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

    fn bits(found: &NearDuplicates) -> (Vec<usize>, Vec<u32>, u64) {
        let similarities = found.similarities.iter().map(|value| value.to_bits()).collect();
        (found.representatives.clone(), similarities, found.recall.to_bits())
    }

    /// That rows of length 1 have the representatives of the definition, and as many evaluations on every machine.
    fn check(
        (data, width): (&[f32], usize),
        (order, protected_prefix): (&[usize], usize),
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
            let plain =
                near_duplicates_plain(view, order, protected_prefix, threshold, cells, &Unwatched).unwrap();
            let plain = &*expected.get_or_insert_with(|| (bits(&plain), None));
            let mut evaluations = plain.1;
            for threads in THREADS {
                let found = with_threads(threads, || {
                    near_duplicates(view, order, protected_prefix, threshold, cells, &Unwatched)
                })
                .unwrap();
                assert_eq!(bits(&found), plain.0, "{} threads, {}", threads, simd.name());
                assert_eq!(*evaluations.get_or_insert(found.evaluations), found.evaluations);
            }
            expected = Some((plain.0.clone(), evaluations));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn whole_numbers_with_ties(
            tied in Tied::up_to(90), shuffle in any::<prop::sample::Index>(), threshold in 0.0f64..1.0, count in 0usize..4,
            probe in 1usize..3, protected_prefix in any::<prop::sample::Index>(),
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
            check((&data, width), (&order, protected_prefix.index(order.len() + 1)), Some(threshold), cells);
        }

        #[test]
        fn real_rows_and_near_copies(
            centres in 1usize..200, rows in 1usize..900, width in 1usize..90, seed: u64, near in 0.0f32..0.5,
            fixed: bool, threshold in 0.3f64..1.0, count in 0usize..7, probe in 1usize..4, protected_prefix in 0usize..60,
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
            check((&data, width), (&order, protected_prefix.min(rows)), fixed.then_some(threshold), cells);
        }
    }

    #[test]
    fn a_row_is_a_duplicate_of_the_nearest_representative_before_it() {
        // Directions in the plane, in degrees.
        let rows = |degrees: &[f32]| -> Vec<f32> {
            degrees.iter().map(|x| x.to_radians()).flat_map(|x| [x.cos(), x.sin()]).collect()
        };
        let found = |degrees: &[f32], order: &[usize], protected_prefix| {
            let matrix = Matrix::unit(rows(degrees), 2, Simd::active().unwrap(), &Unwatched).unwrap();
            near_duplicates(
                matrix.view(),
                order,
                protected_prefix,
                20f64.to_radians().cos(),
                None,
                &Unwatched,
            )
            .unwrap()
        };
        // The third row lies within 20 degrees of both before, the fourth of the third only, which is a duplicate.
        assert_eq!(found(&[0.0, 30.0, 16.0, -21.0], &[0, 1, 2, 3], 0).representatives, [0, 1, 1, 3]);
        // Rows that come first in the order are representatives first, and in any case where they are protected.
        assert_eq!(found(&[0.0, 30.0, 16.0, -21.0], &[2, 0, 1, 3], 0).representatives, [2, 2, 2, 3]);
        assert_eq!(found(&[0.0, 30.0, 16.0, -21.0], &[2, 0, 1, 3], 2).representatives, [2, 0, 2, 3]);
        // Of representatives that are as near the lowest counts, whichever came first.
        let alike = found(&[5.0, 5.0, 5.0, 5.0], &[3, 1, 2, 0], 2);
        assert_eq!(alike.representatives, [3, 1, 1, 1]);
        assert!(alike.similarities[1].is_nan() && alike.similarities[2] > 0.999);
    }

    #[test]
    fn a_similarity_at_the_threshold_is_near() {
        // Similarities of these rows are exact: 1, and 0.5 to the last.
        let data = [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.5; 4]].concat();
        for simd in Simd::available() {
            let matrix = Matrix::unit(data.clone(), 4, simd, &Unwatched).unwrap();
            let found = |threshold| {
                near_duplicates(matrix.view(), &[0, 1, 2], 0, threshold, None, &Unwatched)
                    .unwrap()
                    .representatives
            };
            assert_eq!(found(1.0), [0, 0, 2]);
            assert_eq!(found(0.5), [0, 0, 0]);
            assert_eq!(found(0.5f64.next_up()), [0, 0, 2]);
        }
    }

    #[test]
    fn few_dimensions_are_compared_where_rows_lie_apart() {
        let (rows, width) = (4000, 384);
        let data: Vec<f32> = real_rows(rows, width, 5).iter().map(|value| value - 0.1).collect();
        let matrix = Matrix::unit(data, width, Simd::active().unwrap(), &Unwatched).unwrap();
        let axes = projection_filter::axes(matrix.view().rows, 0.95).len();
        assert!(axes <= 96, "{axes} of {width}");
        let order: Vec<usize> = (0..rows).collect();
        let found = near_duplicates(matrix.view(), &order, 0, 0.95, None, &Unwatched).unwrap();
        assert_eq!(found.representatives, order);
        let pairs = (rows * (rows - 1) / 2) as u64;
        assert!(found.evaluations < pairs + pairs / 50, "{} of {pairs}", found.evaluations);
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
        let found = |probe: Option<usize>| {
            let cells = probe.map(|probe| Cells { centroids: &centres, probe });
            near_duplicates(matrix.view(), &order, 0, 0.97, cells, &Unwatched).unwrap()
        };
        let (all, some) = (found(None), found(Some(2)));
        assert!(some.evaluations < all.evaluations / 3, "{} of {}", some.evaluations, all.evaluations);
        assert_eq!(all.recall, 1.0);
        assert!(some.recall > 0.9 && some.recall <= 1.0, "{}", some.recall);
        let representatives =
            |found: &NearDuplicates| found.representatives.iter().zip(&order).filter(|(a, b)| a == b).count();
        assert!(representatives(&all) < rows && representatives(&some) >= representatives(&all));
    }

    #[test]
    fn bad_arguments_are_refused() {
        let simd = Simd::active().unwrap();
        let matrix = Matrix::unit(vec![1.0, 2.0, 3.0], 1, simd, &Unwatched).unwrap();
        let refused = |order: &[usize], threshold| {
            near_duplicates(matrix.view(), order, 0, threshold, None, &Unwatched).unwrap_err()
        };
        let error = near_duplicates(matrix.view(), &[1], 2, 0.5, None, &Unwatched).unwrap_err();
        assert!(error.to_string().contains("2 rows are protected, and the order holds 1"));
        for threshold in [f64::NAN, f64::INFINITY] {
            assert!(refused(&[0], threshold).to_string().contains("must be finite"));
        }
        assert_eq!(refused(&[0, 3], 0.5), Error::NoSuchRow { row: 3, n: 3 });
        assert_eq!(refused(&[2, 0, 2], 0.5), Error::RepeatedRow { row: 2 });
        let raw = Matrix::raw(vec![1.0], 1, Metric::Dot, simd, &Unwatched).unwrap();
        let error = near_duplicates(raw.view(), &[0], 0, 0.5, None, &Unwatched).unwrap_err();
        assert!(error.to_string().contains("cosine"));
        let none = Matrix::unit(Vec::new(), 3, simd, &Unwatched).unwrap();
        let found = near_duplicates(none.view(), &[], 0, 0.5, None, &Unwatched).unwrap();
        assert_eq!(found, NearDuplicates { recall: 1.0, ..NearDuplicates::default() });
    }
}
