//! Maximal marginal relevance: relevant rows that do not resemble those picked before (Carbonell and Goldstein
//! 1998).

use super::nearest_key::{self, NearestKey, Sizes};
use super::{Counted, Request, Selection};
use crate::matrix::{MatrixView, Metric};
use crate::metric::Dot;
use crate::quantise::Measure;
use crate::{Control, Error};

/// Picks the row of largest `lambda * relevance(i) - (1 - lambda) * max over s in S of <x_i, x_s>`, with
/// canonical dot products.
///
/// `relevance` is one number a row, higher for a more relevant one. Both terms and their difference are
/// float64, each rounded once, so that a key never rises when a similarity does. While the set is empty the
/// second term is 0 and the row of highest relevance is picked, at `lambda = 0` too. A pick's gain is its key
/// when it was picked. Preselected rows count as picked before.
///
/// Cost: at most (picks + preselected) x rows x dimensions multiply-adds in int16, a tenth to a half of that as a rule,
/// and the memory of [`super::k_center()`].
///
/// # Errors
/// [`Error::Argument`] for [`Metric::SquaredEuclidean`], which is no similarity, and for `lambda` outside 0
/// to 1; [`Error::Shape`] and [`Error::NotFinite`] for `relevance`; [`Error::OutOfMemory`]; or what `control`
/// stops with.
pub fn mmr(
    matrix: MatrixView<'_>,
    relevance: &[f32],
    lambda: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Counted, Error> {
    let keys = Marginal::new(matrix, relevance, lambda)?;
    let start = keys.start(request)?;
    let sizes = Sizes::of(matrix.len(), request.count());
    let found = nearest_key::lazy(matrix, &keys, request, start, sizes, control)?;
    Ok(Counted { selection: keys.with_first_gain(found.selection, start), ..found })
}

/// The definition of [`mmr`], to which it is equal: every pick is compared with every row.
///
/// # Errors
/// As [`mmr`].
pub fn mmr_plain(
    matrix: MatrixView<'_>,
    relevance: &[f32],
    lambda: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let keys = Marginal::new(matrix, relevance, lambda)?;
    let start = keys.start(request)?;
    let selection = nearest_key::plain(matrix, &keys, request, start, control)?;
    Ok(keys.with_first_gain(selection, start))
}

struct Marginal<'a> {
    relevance: &'a [f32],
    lambda: f64,
}

impl<'a> Marginal<'a> {
    fn new(matrix: MatrixView<'_>, relevance: &'a [f32], lambda: f64) -> Result<Self, Error> {
        if matrix.metric == Metric::SquaredEuclidean {
            return Err(Error::Argument {
                what: "maximal marginal relevance needs a similarity: cosine or dot, not sqeuclidean".into(),
            });
        }
        if !(0.0..=1.0).contains(&lambda) {
            return Err(Error::Argument { what: format!("lambda must be from 0 to 1, not {lambda}") });
        }
        if relevance.len() != matrix.len() {
            let (expected, got) = (matrix.len(), relevance.len());
            return Err(Error::Shape { what: "the number of relevances", expected, got });
        }
        if let Some(row) = relevance.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { row });
        }
        Ok(Self { relevance, lambda })
    }

    /// The first pick, where nothing is preselected: the row of highest relevance, the lowest of equal ones.
    fn start(&self, request: &Request<'_>) -> Result<Option<usize>, Error> {
        if !request.preselected().is_empty() || request.count() == 0 {
            return Ok(None);
        }
        let candidates = request.candidates()?;
        // `max_by` gives the last of equal ones, and the rows come from the end; adding +0 makes -0 equal to it.
        let rows = (0..self.relevance.len()).rev().filter(|&row| candidates.contains(row));
        let relevance = |row: usize| self.relevance[row] + 0.0;
        Ok(rows.max_by(|&a, &b| relevance(a).total_cmp(&relevance(b))))
    }

    /// The first pick goes by relevance alone; its gain is its key all the same.
    fn with_first_gain(&self, mut selection: Selection, start: Option<usize>) -> Selection {
        if let (Some(row), Some(gain)) = (start, selection.gains.first_mut()) {
            *gain = self.key(row as u32, 0.0);
        }
        selection
    }
}

impl NearestKey for Marginal<'_> {
    type Step = Dot;
    const MEASURE: Measure = Measure::NegativeDot;
    const LEAST: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn distance(sum: f32) -> f32 {
        -sum
    }

    fn key(&self, row: u32, distance: f32) -> f64 {
        let relevance = self.lambda * f64::from(self.relevance[row as usize]);
        relevance + (1.0 - self.lambda) * f64::from(distance) + 0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Unwatched};

    /// The definition, with exact similarities.
    fn by_hand(tied: &Tied, relevance: &[f32], lambda: f64, case: &RequestCase) -> (Vec<usize>, Vec<f64>) {
        let mut set = case.preselected.clone();
        let (mut picks, mut gains) = (Vec::new(), Vec::new());
        while !case.candidates(&set).is_empty() {
            let key = |row: usize| {
                let nearest = set.iter().map(|&s| tied.dot(row, s)).reduce(f64::max);
                lambda * f64::from(relevance[row]) - (1.0 - lambda) * nearest.unwrap_or(0.0) + 0.0
            };
            let order = |row: usize| if set.is_empty() { f64::from(relevance[row]) + 0.0 } else { key(row) };
            let candidates = case.candidates(&set).into_iter();
            let pick = candidates.max_by(|&a, &b| order(a).total_cmp(&order(b)).then(b.cmp(&a))).unwrap();
            gains.push(key(pick));
            set.push(pick);
            picks.push(pick);
        }
        (picks, gains)
    }

    /// Every way to find the picks: the definition, and working sets of several sizes.
    fn all_ways(
        matrix: MatrixView<'_>,
        relevance: &[f32],
        lambda: f64,
        request: &Request<'_>,
    ) -> Vec<Selection> {
        let keys = Marginal::new(matrix, relevance, lambda).unwrap();
        let start = keys.start(request).unwrap();
        let sizes = [(1, 1, 1, 1), (3, 2, 4, 2), (40, 64, 1, 1), (64, 7, 16, 3)];
        let lazy = sizes.map(|(working_set, front, regions, near)| {
            let sizes = Sizes { working_set, front, regions: regions.min(matrix.len()), near };
            let found = nearest_key::lazy(matrix, &keys, request, start, sizes, &Unwatched).unwrap();
            keys.with_first_gain(found.selection, start)
        });
        let public = mmr(matrix, relevance, lambda, request, &Unwatched).unwrap().selection;
        let plain = mmr_plain(matrix, relevance, lambda, request, &Unwatched).unwrap();
        lazy.into_iter().chain([public, plain]).collect()
    }

    fn bits(selection: &Selection) -> (Vec<usize>, Vec<u64>) {
        (selection.rows.clone(), selection.gains.iter().map(|gain| gain.to_bits()).collect())
    }

    fn cases() -> impl Strategy<Value = (Tied, Vec<f32>, RequestCase)> {
        Tied::up_to(40).prop_flat_map(|tied| {
            let relevance = prop::collection::vec((-3i8..=3).prop_map(f32::from), tied.rows());
            (Just(tied.clone()), relevance, request_cases(tied.rows()))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]
        #[test]
        fn picks_by_the_formula((tied, relevance, case) in cases(), lambda in 0usize..4) {
            let lambda = [0.0, 0.5, 0.75, 1.0][lambda];
            let (rows, gains) = by_hand(&tied, &relevance, lambda, &case);
            let expected = bits(&Selection { rows, gains });
            let request = case.request(tied.rows());
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    let ways = with_threads(threads, || all_ways(matrix.view(), &relevance, lambda, &request));
                    for found in ways {
                        prop_assert_eq!(&bits(&found), &expected);
                    }
                }
            }
        }

        #[test]
        fn real_rows_are_picked_as_the_definition_picks_them(
            clusters in 1usize..30, rows in 1usize..700, width in 1usize..50, seed: u64, lambda in 0.0f64..=1.0,
        ) {
            let (centres, noise) = (real_rows(clusters, width, seed), real_rows(rows, width, !seed));
            let data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                // Every fifth row repeats its centre.
                let row = at / width;
                centres[row % clusters * width + at % width] + if row % 5 == 0 { 0.0 } else { noise / 10.0 }
            }).collect();
            let relevance = real_rows(rows, 1, seed ^ 1);
            let request = Request::new(rows, rows.min(2 * clusters + 40), &[]).unwrap();
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap();
                for found in with_threads(2, || all_ways(matrix.view(), &relevance, lambda, &request)) {
                    prop_assert_eq!(&bits(&found), expected.get_or_insert_with(|| bits(&found)));
                }
            }
        }
    }

    fn unit(rows: usize) -> Matrix<Vec<f32>> {
        Matrix::unit(real_rows(rows, 37, 3), 37, Simd::active().unwrap(), &Unwatched).unwrap()
    }

    #[test]
    fn keys_never_rise_and_few_are_computed() {
        let rows = 5000;
        let (matrix, relevance) = (unit(rows), real_rows(rows, 1, 4));
        let request = Request::new(rows, 400, &[]).unwrap();
        let Counted { selection: found, evaluations } =
            mmr(matrix.view(), &relevance, 0.3, &request, &Unwatched).unwrap();
        assert!(found.gains[1..].windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(evaluations < (rows * 400 / 2) as u64, "{evaluations}");
        let plain = mmr_plain(matrix.view(), &relevance, 0.3, &request, &Unwatched).unwrap();
        assert_eq!(found.rows, plain.rows);
    }

    #[test]
    fn the_weight_goes_from_diversity_to_relevance() {
        let (matrix, relevance) = (unit(300), real_rows(300, 1, 5));
        let request = Request::new(300, 40, &[]).unwrap();
        let found = mmr(matrix.view(), &relevance, 1.0, &request, &Unwatched).unwrap().selection;
        assert_eq!(found.rows, crate::topk::top_k(&relevance, 40, matrix.view().simd).unwrap());
        let found = mmr(matrix.view(), &relevance, 0.0, &request, &Unwatched).unwrap().selection;
        assert_eq!(found.rows[0], crate::topk::top_k(&relevance, 1, matrix.view().simd).unwrap()[0]);
        assert_eq!(found.gains[0], 0.0);
    }

    #[test]
    fn numbers_as_large_as_they_may_be_stay_finite() {
        let most = (crate::matrix::MAX_SQUARED_LENGTH / 2.0).sqrt();
        let tied = Tied { data: vec![most, most, -most, -most, most, -most, 0.0, -0.0], width: 2 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let relevance = [f32::MAX, f32::MIN, 0.0, -0.0];
        let request = Request::new(4, 4, &[]).unwrap();
        let ways = all_ways(matrix.view(), &relevance, 0.5, &request);
        for found in &ways {
            assert_eq!(bits(found), bits(&ways[0]));
            assert!(found.gains.iter().all(|gain| gain.is_finite()));
        }
        assert_eq!(ways[0].rows, [0, 2, 3, 1]);
    }

    #[test]
    fn bad_arguments_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = |metric, relevance: &[f32], lambda| {
            mmr(tied.matrix(metric, simd).view(), relevance, lambda, &request, &Unwatched).unwrap_err()
        };
        assert!(refused(Metric::SquaredEuclidean, &[0.0; 3], 0.5).to_string().contains("not sqeuclidean"));
        for lambda in [-0.1, 1.1, f64::NAN] {
            assert!(refused(Metric::Dot, &[0.0; 3], lambda).to_string().contains("from 0 to 1"));
        }
        assert!(matches!(refused(Metric::Dot, &[0.0; 2], 0.5), Error::Shape { expected: 3, got: 2, .. }));
        assert_eq!(refused(Metric::Dot, &[0.0, f32::NAN, 0.0], 0.5), Error::NotFinite { row: 1 });
    }
}
