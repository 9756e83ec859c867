//! The threshold filter: rows in a given order, without those too near to one picked before (Liu et al. 2024, DEITA;
//! Abbas et al. 2023, SemDeDup).

mod blocked;
mod plain;

use super::distance_metric::DistanceMetric;
use super::selection::check_distinct;
use super::{Request, Selection};
use crate::matrix::MatrixView;
use crate::{Control, Error, blocks};

/// What the filter picked, and how much of the order it examined.
#[derive(Debug, Clone, Default)]
pub struct Filtered {
    /// The rows picked, in order. The gain of each is its canonical similarity (squared distance for
    /// [`crate::Metric::SquaredEuclidean`]) to the nearest row preselected or picked before it, NaN where there is
    /// none.
    pub selection: Selection,
    /// How many entries of the order were examined, up to the last one picked.
    pub examined: u64,
    /// How many of those rows were too near to one preselected or picked before.
    pub too_near: u64,
    /// How many pairs of rows were compared, at any precision; the same on every machine.
    pub evaluations: u64,
}

/// Goes through `order` and picks a row where its canonical similarity to every row preselected or picked before is
/// below `threshold` (its squared distance above it, for [`crate::Metric::SquaredEuclidean`]), until as many are picked
/// as are requested, or the order ends.
///
/// Preselected and excluded rows are passed over. Cost: at most (rows examined) x (preselected + picks) x dimensions
/// multiply-adds in int16; a row that is too near is compared only with those up to the first that shows it. Beside the
/// matrix 2 x dimensions bytes for each row preselected or picked.
///
/// # Errors
/// [`Error::Argument`] where the threshold is not finite; [`Error::NoSuchRow`] and [`Error::RepeatedRow`] for `order`;
/// [`Error::OutOfMemory`]; or what `control` stops with.
pub fn threshold_filter(
    matrix: MatrixView<'_>,
    order: &[usize],
    threshold: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Filtered, Error> {
    blocked::filter(matrix, &Filter::new(matrix, order, threshold, request)?, blocked::BLOCK, control)
}

/// The definition of [`threshold_filter`], to which it is equal: each row is compared with all picked before.
///
/// # Errors
/// As [`threshold_filter`].
pub fn threshold_filter_plain(
    matrix: MatrixView<'_>,
    order: &[usize],
    threshold: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Filtered, Error> {
    plain::filter(matrix, &Filter::new(matrix, order, threshold, request)?, control)
}

/// Checked arguments.
struct Filter<'a> {
    metric: DistanceMetric,
    /// A row that is no farther than this from one picked is too near.
    limit: f64,
    request: Request<'a>,
    /// The entries of the order that are candidates at first, each with its place there and its row.
    entries: Vec<(usize, usize)>,
    /// How long the order is.
    length: usize,
}

impl<'a> Filter<'a> {
    fn new(
        matrix: MatrixView<'_>,
        order: &[usize],
        threshold: f64,
        request: &Request<'a>,
    ) -> Result<Self, Error> {
        if !threshold.is_finite() {
            return Err(Error::Argument { what: format!("the threshold must be finite, not {threshold}") });
        }
        check_distinct(matrix.len(), order)?;
        let candidates = request.candidates()?;
        let mut entries = blocks::reserved(order.len())?;
        entries.extend(order.iter().copied().enumerate().filter(|&(_, row)| candidates.contains(row)));
        let metric = DistanceMetric::of(matrix);
        let limit = metric.distance(threshold);
        Ok(Self { metric, limit, request: *request, entries, length: order.len() })
    }
}

impl Filtered {
    /// Picks a row at this distance from the nearest before it, infinite where there is none.
    fn push(&mut self, filter: &Filter<'_>, (place, row): (usize, usize), distance: f32) {
        let gain = if distance == f32::INFINITY { f32::NAN } else { filter.metric.value(distance) };
        self.selection.push(row, f64::from(gain));
        self.examined = place as u64 + 1;
    }

    /// Whether there are as many picks as are requested.
    fn is_full(&self, filter: &Filter<'_>) -> bool {
        self.selection.rows.len() >= filter.request.count()
    }

    /// The answer at the end of the order, unless it was full before.
    fn finished(self, filter: &Filter<'_>) -> Self {
        if self.is_full(filter) { self } else { Self { examined: filter.length as u64, ..self } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// The definition, with exact numbers.
    fn by_hand(
        tied: &Tied,
        metric: Metric,
        order: &[usize],
        threshold: f64,
        case: &RequestCase,
    ) -> (Vec<usize>, Vec<f64>, u64, u64) {
        let mut set = case.preselected.clone();
        let (mut rows, mut gains, mut examined, mut too_near) = (Vec::new(), Vec::new(), 0, 0);
        let most = case.request(tied.rows()).count();
        for &row in order {
            if rows.len() == most {
                break;
            }
            examined += 1;
            if !case.candidates(&set).contains(&row) {
                continue;
            }
            let nearest = if metric == Metric::SquaredEuclidean {
                set.iter().map(|&s| tied.squared_distance(row, s)).reduce(f64::min)
            } else {
                set.iter().map(|&s| tied.dot(row, s)).reduce(f64::max)
            };
            let near =
                |nearest| if metric == Metric::Dot { nearest >= threshold } else { nearest <= threshold };
            if nearest.is_some_and(near) {
                too_near += 1;
                continue;
            }
            set.push(row);
            rows.push(row);
            // Adding +0 turns -0 into +0.
            gains.push(nearest.unwrap_or(f64::NAN) + 0.0);
        }
        (rows, gains, examined, too_near)
    }

    fn bits(rows: &[usize], gains: &[f64]) -> (Vec<usize>, Vec<u64>) {
        (rows.to_vec(), gains.iter().map(|gain| gain.to_bits()).collect())
    }

    /// Every way to filter: the definition, and blocks of several sizes. The last is the public one.
    fn all_ways(
        matrix: MatrixView<'_>,
        order: &[usize],
        threshold: f64,
        request: &Request<'_>,
    ) -> Vec<Filtered> {
        let filter = Filter::new(matrix, order, threshold, request).unwrap();
        let blocked = [1, 7, 60].map(|block| blocked::filter(matrix, &filter, block, &Unwatched).unwrap());
        let plain = threshold_filter_plain(matrix, order, threshold, request, &Unwatched).unwrap();
        let public = threshold_filter(matrix, order, threshold, request, &Unwatched).unwrap();
        blocked.into_iter().chain([plain, public]).collect()
    }

    fn cases() -> impl Strategy<Value = (Tied, RequestCase, Vec<usize>)> {
        Tied::up_to(70).prop_flat_map(|tied| {
            let rows: Vec<usize> = (0..tied.rows()).collect();
            let order = prop::sample::subsequence(rows.clone(), 0..=rows.len()).prop_shuffle();
            (Just(tied.clone()), request_cases(tied.rows()), order)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn picks_what_the_definition_picks((tied, case, order) in cases(), threshold in -3i8..20, distance: bool) {
            let metric = if distance { Metric::SquaredEuclidean } else { Metric::Dot };
            let threshold = f64::from(threshold);
            let (rows, gains, examined, too_near) = by_hand(&tied, metric, &order, threshold, &case);
            let request = case.request(tied.rows());
            for simd in Simd::available() {
                let matrix = tied.matrix(metric, simd);
                for threads in THREADS {
                    for found in with_threads(threads, || all_ways(matrix.view(), &order, threshold, &request)) {
                        prop_assert_eq!(
                            bits(&found.selection.rows, &found.selection.gains), bits(&rows, &gains)
                        );
                        prop_assert_eq!((found.examined, found.too_near), (examined, too_near));
                    }
                }
            }
        }

        #[test]
        fn real_rows_and_near_copies(
            centres in 1usize..60, rows in 1usize..400, width in 1usize..50, seed: u64, near in 0.0f32..0.3,
            share in 0.0f64..1.0,
        ) {
            let (middles, noise) = (real_rows(centres, width, seed), real_rows(rows, width, !seed));
            let data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                let row = at / width;
                // Every fifth row repeats its centre.
                middles[row % centres * width + at % width] + if row % 5 == 0 { 0.0 } else { near * noise }
            }).collect();
            let order: Vec<usize> = (0..rows).rev().collect();
            let request = Request::new(rows, rows, &[]).unwrap();
            let mut expected = None;
            for (distance, simd) in Simd::available().into_iter().flat_map(|simd| [(false, simd), (true, simd)]) {
                let matrix = if distance {
                    Matrix::raw(data.clone(), width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap()
                } else {
                    Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap()
                };
                // A threshold that is the similarity of two rows: the canonical bits decide.
                let x = |row| matrix.view().rows.row(row);
                let between = DistanceMetric::of(matrix.view()).between(x(0), x(((rows - 1) as f64 * share) as usize));
                let threshold = f64::from(DistanceMetric::of(matrix.view()).value(between));
                let ways = with_threads(2, || all_ways(matrix.view(), &order, threshold, &request));
                let found: Vec<_> =
                    ways.iter().map(|found| bits(&found.selection.rows, &found.selection.gains)).collect();
                prop_assert!(found.iter().all(|other| *other == found[0]));
                let expected = expected.get_or_insert([None, None]);
                let counted = (found[0].clone(), ways[4].evaluations);
                prop_assert_eq!(&counted, expected[usize::from(distance)].get_or_insert(counted.clone()));
            }
        }
    }

    #[test]
    fn few_pairs_are_compared_where_copies_lie_close() {
        let (rows, width) = (6000, 24);
        let middles = real_rows(300, width, 8);
        let data: Vec<f32> = (0..rows * width)
            .map(|at| middles[at / width % 300 * width + at % width] + at as f32 * 1e-9)
            .collect();
        let matrix = Matrix::unit(data, width, Simd::active().unwrap(), &Unwatched).unwrap();
        let order: Vec<usize> = (0..rows).collect();
        let request = Request::new(rows, 400, &[]).unwrap();
        let found = threshold_filter(matrix.view(), &order, 0.999, &request, &Unwatched).unwrap();
        assert!(found.selection.rows.len() <= 300);
        assert_eq!(found.examined, rows as u64);
        assert_eq!(found.too_near, (rows - found.selection.rows.len()) as u64);
        let all =
            threshold_filter_plain(matrix.view(), &order, 0.999, &request, &Unwatched).unwrap().evaluations;
        assert!(found.evaluations < all * 3 / 4, "{} of {all}", found.evaluations);
    }

    #[test]
    fn bad_arguments_are_refused() {
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = |order: &[usize], threshold| {
            threshold_filter(matrix.view(), order, threshold, &request, &Unwatched).unwrap_err()
        };
        for threshold in [f64::NAN, f64::INFINITY] {
            assert!(refused(&[0], threshold).to_string().contains("must be finite"));
        }
        assert_eq!(refused(&[0, 3], 0.0), Error::NoSuchRow { row: 3, n: 3 });
        assert_eq!(refused(&[2, 0, 2], 0.0), Error::RepeatedRow { row: 2 });
    }
}
