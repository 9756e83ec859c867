//! Farthest-first traversal: each pick is the row farthest from all rows picked before (Gonzalez 1985).

use super::nearest_key::{self, NearestKey, Sizes};
use super::positive::check_positive;
use super::{Counted, Request, Selection};
use crate::matrix::{MatrixView, Metric};
use crate::metric::SquaredDistance;
use crate::quantise::Measure;
use crate::{Control, Error};

/// The options of a search beside the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct KCenterOptions<'a> {
    /// What the squared distance of each row is multiplied with, above 0; 1 without.
    pub weights: Option<&'a [f32]>,
    /// The first pick, where nothing is preselected; the lowest row that can be picked without.
    pub start: Option<usize>,
}

/// Picks rows farthest-first by canonical squared distance (of rows of length 1 for cosine), times the row's weight.
///
/// The gain of a pick is that product, with its distance to the nearest row of the set when it was picked, NaN for a
/// first pick with nothing preselected. Copies of a member have key 0, and when there are no others the lowest
/// unpicked row follows.
///
/// Cost: about a quarter of (picks + preselected) x rows x dimensions multiply-adds in int16 on real embeddings, a
/// tenth where many rows are picked of very many; 2 x dimensions + 24 bytes a row beside the matrix, and from 4,000
/// picks of 100,000 rows on 8 more, and 12 x dimensions a pick.
///
/// # Errors
/// [`Error::Argument`] for [`Metric::Dot`], which is no distance, and for `start` together with preselected rows,
/// among those excluded or beyond the limits; [`Error::NoSuchRow`] for `start`; [`Error::Shape`], [`Error::NotFinite`]
/// and [`Error::NotPositive`] for `weights`; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn k_center(
    matrix: MatrixView<'_>,
    options: KCenterOptions<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Counted, Error> {
    let start = first_pick(matrix, options, request)?;
    let sizes = Sizes::of(matrix.len(), request.count());
    nearest_key::lazy(matrix, &Farthest { weights: options.weights }, request, start, sizes, control)
}

/// The definition of [`k_center`], to which it is equal: every pick is compared with every row, in canonical
/// arithmetic.
///
/// # Errors
/// As [`k_center`].
pub fn k_center_plain(
    matrix: MatrixView<'_>,
    options: KCenterOptions<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let start = first_pick(matrix, options, request)?;
    nearest_key::plain(matrix, &Farthest { weights: options.weights }, request, start, control)
}

/// Keys that are squared distances, times weights.
pub(super) struct Farthest<'a> {
    weights: Option<&'a [f32]>,
}

impl NearestKey for Farthest<'_> {
    type Step = SquaredDistance;
    const MEASURE: Measure = Measure::SquaredDistance;
    const LEAST: f32 = 0.0;

    #[inline(always)]
    fn distance(sum: f32) -> f32 {
        sum
    }

    /// Exact, as float64 holds the product of two float32.
    fn key(&self, row: u32, distance: f32) -> f64 {
        f64::from(distance) * self.weights.map_or(1.0, |weights| f64::from(weights[row as usize]))
    }
}

/// The row to start from: none where rows are preselected.
fn first_pick(
    matrix: MatrixView<'_>,
    options: KCenterOptions<'_>,
    request: &Request<'_>,
) -> Result<Option<usize>, Error> {
    if matrix.metric == Metric::Dot {
        return Err(Error::Argument {
            what: "k-center needs a distance: cosine or sqeuclidean, not dot".into(),
        });
    }
    if let Some(weights) = options.weights {
        check_positive("the number of weights", weights, matrix.len())?;
    }
    match options.start {
        Some(_) if !request.preselected().is_empty() => {
            Err(Error::Argument { what: "a start row has no meaning where rows are preselected".into() })
        }
        Some(row) if row >= matrix.len() => Err(Error::NoSuchRow { row, n: matrix.len() }),
        Some(row) if request.excluded().contains(&row) => {
            Err(Error::Argument { what: format!("the start row {row} is excluded") })
        }
        Some(row) if request.count() > 0 && !request.candidates()?.contains(row) => {
            Err(Error::Argument { what: format!("the start row {row} is beyond the limits") })
        }
        _ if !request.preselected().is_empty() => Ok(None),
        Some(row) => Ok(Some(row)),
        None => Ok(request.candidates()?.iter().next()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::select::{Costs, Groups, Limits};
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Unwatched};

    /// The definition, with exact distances.
    fn by_hand(tied: &Tied, case: &RequestCase, options: KCenterOptions<'_>) -> Vec<usize> {
        let mut set = case.preselected.clone();
        let mut picks = Vec::new();
        while !case.candidates(&set).is_empty() {
            let key = |row: usize| {
                let nearest =
                    set.iter().map(|&s| tied.squared_distance(row, s)).fold(f64::INFINITY, f64::min);
                nearest * f64::from(options.weights.map_or(1.0, |weights| weights[row]))
            };
            let candidates = case.candidates(&set).into_iter();
            let farthest = candidates.max_by(|&a, &b| key(a).total_cmp(&key(b)).then(b.cmp(&a))).unwrap();
            let pick = if set.is_empty() { options.start.unwrap_or(farthest) } else { farthest };
            set.push(pick);
            picks.push(pick);
        }
        picks
    }

    fn cases() -> impl Strategy<Value = (Tied, RequestCase, Vec<f32>, prop::sample::Index)> {
        Tied::up_to(40).prop_flat_map(|tied| {
            let weights = prop::collection::vec(prop::sample::select(vec![0.5f32, 1.0, 3.0]), tied.rows());
            (Just(tied.clone()), request_cases(tied.rows()), weights, any::<prop::sample::Index>())
        })
    }

    /// Every way to find the picks: the definition, small and large working sets and fronts, with and without
    /// regions.
    fn all_ways(
        matrix: MatrixView<'_>,
        options: KCenterOptions<'_>,
        request: &Request<'_>,
    ) -> Vec<Selection> {
        let sizes = [(1, 1, 1, 1), (5, 2, 4, 2), (64, 64, 1, 1), (64, 7, 16, 3)];
        let first = first_pick(matrix, options, request).unwrap();
        let lazy = sizes.map(|(working_set, front, regions, near)| {
            let sizes = Sizes { working_set, front, regions: regions.min(matrix.len()), near };
            let keys = Farthest { weights: options.weights };
            nearest_key::lazy(matrix, &keys, request, first, sizes, &Unwatched).unwrap().selection
        });
        let public = k_center(matrix, options, request, &Unwatched).unwrap().selection;
        let plain = k_center_plain(matrix, options, request, &Unwatched).unwrap();
        lazy.into_iter().chain([public, plain]).collect()
    }

    fn bits(selection: &Selection) -> (Vec<usize>, Vec<u64>) {
        (selection.rows.clone(), selection.gains.iter().map(|gain| gain.to_bits()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn picks_farthest_first((tied, case, weights, start) in cases(), weighted: bool) {
            let may_start = case.preselected.is_empty() && tied.rows() > 0 && start.index(2) == 1;
            let candidates = case.candidates(&case.preselected);
            let start =
                (may_start && !candidates.is_empty()).then(|| candidates[start.index(candidates.len())]);
            let options = KCenterOptions { weights: weighted.then_some(&weights[..]), start };
            let expected = by_hand(&tied, &case, options);
            let request = case.request(tied.rows());
            let key = |pick: usize| {
                let set = case.preselected.iter().chain(&expected[..pick]);
                let nearest = set.map(|&s| tied.squared_distance(expected[pick], s)).reduce(f64::min);
                nearest.unwrap_or(f64::NAN) * if weighted { f64::from(weights[expected[pick]]) } else { 1.0 }
            };
            let gains: Vec<u64> = (0..expected.len()).map(|pick| key(pick).to_bits()).collect();
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
                for threads in THREADS {
                    for found in with_threads(threads, || all_ways(matrix.view(), options, &request)) {
                        prop_assert_eq!(bits(&found), (expected.clone(), gains.clone()));
                    }
                }
            }
        }

        #[test]
        fn real_rows_are_picked_as_the_definition_picks_them(
            clusters in 1usize..30, rows in 1usize..300, width in 1usize..50, seed: u64, near in 0.0f32..1.0,
            dominant in 1.0f32..60.0, weighted: bool,
        ) {
            // Past the number of clusters the keys become small, and near ties and repeated rows many.
            let (centres, noise) = (real_rows(clusters, width, seed), real_rows(rows, width, !seed));
            let mut data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                let row = at / width;
                let centre = centres[(crate::rng::keyed_hash(seed, row as u64) as usize % clusters) * width + at % width];
                centre + if row % 5 == 0 { 0.0 } else { near * noise / 50.0 }
            }).collect();
            data.chunks_mut(width).for_each(|row| row[0] = (row[0] + 1.0) * dominant);
            let count = rows.min(2 * clusters + 20);
            let weights: Vec<f32> = real_rows(rows, 1, seed ^ 1).iter().map(|value| value + 0.5).collect();
            let options = KCenterOptions { weights: weighted.then_some(&weights[..]), start: None };
            let request = Request::new(rows, count, &[]).unwrap();
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap();
                for found in with_threads(2, || all_ways(matrix.view(), options, &request)) {
                    prop_assert_eq!(&bits(&found), expected.get_or_insert_with(|| bits(&found)));
                }
            }
        }
    }

    #[test]
    fn keys_never_rise() {
        let rows = 3000;
        let matrix = Matrix::unit(real_rows(rows, 37, 3), 37, Simd::active().unwrap(), &Unwatched).unwrap();
        let request = Request::new(rows, 700, &[]).unwrap();
        let options = KCenterOptions { weights: None, start: Some(5) };
        let found = k_center(matrix.view(), options, &request, &Unwatched).unwrap();
        assert_eq!(found.selection.rows[0], 5);
        assert!(found.selection.gains[1..].windows(2).all(|pair| pair[0] >= pair[1]));
        assert!(found.evaluations < (rows * 700) as u64, "{}", found.evaluations);
        assert_eq!(
            bits(&found.selection),
            bits(&k_center_plain(matrix.view(), options, &request, &Unwatched).unwrap())
        );
    }

    #[test]
    fn rows_that_are_all_equal_are_picked_in_order() {
        for value in [0.0f32, 1.0, 1e-30] {
            let data = vec![value; 3000 * 3];
            let matrix =
                Matrix::raw(&data[..], 3, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched)
                    .unwrap();
            let request = Request::new(3000, 2990, &[7]).unwrap();
            let found =
                k_center(matrix.view(), KCenterOptions::default(), &request, &Unwatched).unwrap().selection;
            let expected: Vec<usize> = (0..3000).filter(|&row| row != 7).take(2990).collect();
            assert_eq!(found.rows, expected);
            assert!(found.gains.iter().all(|gain| *gain == 0.0));
        }
    }

    #[test]
    fn limits_drop_rows_of_every_set() {
        let (rows, width) = (3000, 24);
        let matrix =
            Matrix::unit(real_rows(rows, width, 8), width, Simd::active().unwrap(), &Unwatched).unwrap();
        let of: Vec<u32> = (0..rows as u32).map(|row| row * row % 31).collect();
        let costs: Vec<u64> = (0..rows as u64).map(|row| 1 + row % 17).collect();
        let limits = Limits {
            rows: 900,
            groups: Some(Groups { of: &of, min: &[3; 31], max: &[40; 31] }),
            costs: Some(Costs { of: &costs, budget: 3000, request_budget: u64::MAX }),
        };
        let request =
            Request::with_excluded(rows, rows - 4, &[5, 6], &[7, 8]).unwrap().within(limits).unwrap();
        let ways = all_ways(matrix.view(), KCenterOptions::default(), &request);
        for found in &ways {
            assert_eq!(bits(found), bits(&ways[0]));
        }
        let spent: u64 = ways[0].rows.iter().chain(&[5, 6]).map(|&row| costs[row]).sum();
        assert!((2984..=3000).contains(&spent), "{spent}");
    }

    #[test]
    fn bad_arguments_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, simd);
        let refused = |matrix: MatrixView<'_>, preselected: &[usize], start| {
            let options = KCenterOptions { weights: None, start };
            k_center(matrix, options, &Request::new(matrix.len(), 1, preselected).unwrap(), &Unwatched)
                .unwrap_err()
        };
        assert!(refused(matrix.view(), &[], None).to_string().contains("not dot"));
        let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
        assert_eq!(refused(matrix.view(), &[], Some(3)), Error::NoSuchRow { row: 3, n: 3 });
        assert!(refused(matrix.view(), &[1], Some(0)).to_string().contains("start row"));
        let request = Request::with_excluded(3, 1, &[], &[0]).unwrap();
        let start = KCenterOptions { weights: None, start: Some(0) };
        let refused = k_center(matrix.view(), start, &request, &Unwatched).unwrap_err();
        assert_eq!(refused.to_string(), "the start row 0 is excluded");
        for (weights, error) in [
            (&[1.0, 2.0][..], Error::Shape { what: "the number of weights", expected: 3, got: 2 }),
            (&[1.0, 0.0, 2.0], Error::NotPositive { row: 1 }),
            (&[1.0, 2.0, f32::INFINITY], Error::NotFinite { row: 2 }),
        ] {
            let options = KCenterOptions { weights: Some(weights), start: None };
            assert_eq!(k_center(matrix.view(), options, &request, &Unwatched).err(), Some(error));
        }
    }
}
