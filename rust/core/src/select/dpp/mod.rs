//! The ridge determinant: rows that span much, a determinantal point process in its most likely greedy set.

mod inverse;
mod monotone;

use inverse::Inverse;
use monotone::{MonotoneKey, WorkingSet};

use super::positive::check_positive;
use super::{Counted, Request, Selection};
use crate::matrix::{MatrixView, Metric};
use crate::metric::{self, Rows};
use crate::simd::Simd;
use crate::{Control, Error, blocks};

/// The minimum ridge, as a share of the largest squared length of a row: below it the residuals of rows that the
/// set spans would be rounding errors of float32, or of what counts as length 1.
pub const MIN_RIDGE: f64 = 1e-6;

/// Rows whose lengths one task computes.
const BLOCK: usize = 256;

/// Picks greedily for `log det L_S`, `L = diag(q) (X X' + eps I) diag(q)`.
///
/// The key of a row is its residual `q_i^2 (eps + s_i)`, by which a pick multiplies the determinant, and
/// `s_i = x_i' (I + X_S' X_S / eps)^-1 x_i` is the part of its squared length that the set does not span. A pick's gain
/// is the rise of `log det L_S`, the logarithm of its key. `quality` is `q`, one number above 0 a row, or none for 1
/// everywhere. Preselected rows count as picked before. The ridge keeps every residual above 0, so any number of rows
/// can be picked, also more than there are dimensions; a larger one forgives likeness sooner.
///
/// A pick `p` adds `y = A x_p / sqrt(eps + s_p)`, where `A` is the inverse in float64, and `y` is rounded to
/// float32; then `s_i` is lowered by the square of the canonical `<x_i, y>`, in float64, in the order of the picks,
/// and stops at 0. `s_i` begins as the squared length of the row, for [`Metric::Cosine`] as exactly 1, from which the
/// length differs by at most [`crate::matrix::UNIT_TOLERANCE`].
///
/// Cost: at most (picks + preselected) x rows x dimensions multiply-adds, and for each pick 2 x dimensions x
/// min(picks before, dimensions) in float64; 8 x dimensions bytes a pick up to half as many picks as dimensions, 12 x
/// dimensions^2 beyond, a vector for each pick, and 32 bytes a row.
///
/// # Errors
/// [`Error::Argument`] for [`Metric::SquaredEuclidean`], which is no similarity, and where `eps` is not from
/// [`MIN_RIDGE`] times the largest squared length up to the largest float32; [`Error::Shape`],
/// [`Error::NotFinite`] and [`Error::NotPositive`] for `quality`; [`Error::OutOfMemory`]; or what `control` stops
/// with.
///
/// Source: greedy selection by residuals as in Chen, Zhang and Zhou (NeurIPS 2018), lazily as in Hemmi et al.
/// (NeurIPS 2022), on the ridge form of the kernel, whose inverse has the size of a row.
pub fn ridge_dpp(
    matrix: MatrixView<'_>,
    quality: Option<&[f32]>,
    eps: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Counted, Error> {
    let keys = Residual::new(matrix, quality, eps, request, control)?;
    let (selection, evaluations) = monotone::lazy(keys, request, WorkingSet::of(matrix.len()), control)?;
    Ok(Counted { selection: with_log_gains(selection), evaluations })
}

/// The definition of [`ridge_dpp`], to which it is equal: every pick lowers the residuals of all rows.
///
/// # Errors
/// As [`ridge_dpp`].
pub fn ridge_dpp_plain(
    matrix: MatrixView<'_>,
    quality: Option<&[f32]>,
    eps: f64,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let keys = Residual::new(matrix, quality, eps, request, control)?;
    Ok(with_log_gains(monotone::plain(keys, request, control)?))
}

fn with_log_gains(mut selection: Selection) -> Selection {
    selection.gains.iter_mut().for_each(|gain| *gain = libm::log(*gain));
    selection
}

struct Residual<'a> {
    matrix: MatrixView<'a>,
    quality: Option<&'a [f32]>,
    eps: f64,
    /// The squared length of each row.
    lengths: Vec<f64>,
    members: Vec<f32>,
    inverse: Inverse,
}

impl<'a> Residual<'a> {
    fn new(
        matrix: MatrixView<'a>,
        quality: Option<&'a [f32]>,
        eps: f64,
        request: &Request<'_>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        if matrix.metric == Metric::SquaredEuclidean {
            return Err(Error::Argument {
                what: "the determinant needs a similarity: cosine or dot, not sqeuclidean".into(),
            });
        }
        if let Some(quality) = quality {
            check_positive("the number of qualities", quality, matrix.len())?;
        }
        let mut lengths = blocks::filled(matrix.len(), 1.0)?;
        if matrix.metric == Metric::Dot {
            blocks::fill(&mut lengths, 1, BLOCK, control, |first, block| {
                for (row, length) in (first..).zip(block) {
                    let x = matrix.rows.row(row);
                    *length = f64::from(metric::dot(matrix.simd, x, x));
                }
                Ok(())
            })?;
        }
        let min = lengths.iter().copied().fold(f64::from(f32::MIN_POSITIVE), f64::max) * MIN_RIDGE;
        if !(min..=f64::from(f32::MAX)).contains(&eps) {
            return Err(Error::Argument {
                what: format!(
                    "eps must be from {MIN_RIDGE:e} times the largest squared length of a row, here {min:e}, to \
                     {:e}, not {eps:e}",
                    f32::MAX
                ),
            });
        }
        let width = matrix.rows.width();
        let max = if request.count() == 0 { 0 } else { request.preselected().len() + request.count() };
        let members = blocks::reserved(max.saturating_mul(width))?;
        let inverse = Inverse::new(width, max)?;
        Ok(Self { matrix, quality, eps, lengths, members, inverse })
    }
}

impl MonotoneKey for Residual<'_> {
    /// The part of the squared length that the members do not span.
    type State = f64;

    fn rows(&self) -> Rows<'_> {
        self.matrix.rows
    }

    fn simd(&self) -> Simd {
        self.matrix.simd
    }

    fn initial_key(&self, row: usize) -> f64 {
        self.key(row, self.lengths[row])
    }

    fn init(&self, row: usize) -> f64 {
        self.lengths[row]
    }

    #[inline(always)]
    fn update(residual: f64, value: f32) -> f64 {
        let residual = residual - f64::from(value) * f64::from(value);
        if residual > 0.0 { residual } else { 0.0 }
    }

    #[inline(always)]
    fn key(&self, row: usize, residual: f64) -> f64 {
        let quality = self.quality.map_or(1.0, |quality| f64::from(quality[row]));
        quality * quality * (self.eps + residual)
    }

    fn add(&mut self, row: usize) {
        let y = self.inverse.add(self.matrix.simd, self.matrix.rows.row(row), self.eps);
        self.members.extend(y.iter().map(|&value| value as f32));
    }

    fn members(&self) -> Rows<'_> {
        Rows::new(&self.members, self.matrix.rows.width())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Unwatched};

    /// Every way to find the picks: the definition, and working sets of several sizes.
    fn all_ways(
        matrix: MatrixView<'_>,
        quality: Option<&[f32]>,
        eps: f64,
        request: &Request<'_>,
    ) -> Vec<Selection> {
        let lazy = [1, 3, 40].map(|rows| {
            let keys = Residual::new(matrix, quality, eps, request, &Unwatched).unwrap();
            with_log_gains(monotone::lazy(keys, request, WorkingSet { rows }, &Unwatched).unwrap().0)
        });
        let public = ridge_dpp(matrix, quality, eps, request, &Unwatched).unwrap().selection;
        let plain = ridge_dpp_plain(matrix, quality, eps, request, &Unwatched).unwrap();
        lazy.into_iter().chain([public, plain]).collect()
    }

    fn bits(selection: &Selection) -> (Vec<usize>, Vec<u64>) {
        (selection.rows.clone(), selection.gains.iter().map(|gain| gain.to_bits()).collect())
    }

    /// The residuals of all rows beside a set, from the kernel itself: Gaussian elimination in float64.
    fn residuals(matrix: MatrixView<'_>, quality: &[f32], eps: f64, set: &[usize]) -> Vec<f64> {
        let n = matrix.len();
        let entry = |a: usize, b: usize| {
            let pairs = matrix.rows.row(a).iter().zip(matrix.rows.row(b));
            let similarity: f64 = pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            let ridge = if a == b { eps } else { 0.0 };
            f64::from(quality[a]) * f64::from(quality[b]) * (similarity + ridge)
        };
        let mut kernel: Vec<Vec<f64>> = (0..n).map(|a| (0..n).map(|b| entry(a, b)).collect()).collect();
        for &pick in set {
            let pivot = kernel[pick].clone();
            for row in &mut kernel {
                let factor = row[pick] / pivot[pick];
                row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        (0..n).map(|row| kernel[row][row]).collect()
    }

    fn cases() -> impl Strategy<Value = (Tied, Vec<f32>, RequestCase)> {
        Tied::up_to(40).prop_flat_map(|tied| {
            let quality = prop::collection::vec((1u8..=3).prop_map(f32::from), tied.rows());
            (Just(tied.clone()), quality, request_cases(tied.rows()))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]
        #[test]
        fn fast_picks_are_the_plain_ones((tied, quality, case) in cases(), with_quality: bool, eps in 0usize..3) {
            let quality = with_quality.then_some(&quality[..]);
            let eps = [1e-3, 0.1, 2.0][eps];
            let request = case.request(tied.rows());
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    for found in with_threads(threads, || all_ways(matrix.view(), quality, eps, &request)) {
                        prop_assert_eq!(&bits(&found), expected.get_or_insert_with(|| bits(&found)));
                    }
                }
            }
        }

        #[test]
        fn every_pick_has_the_largest_residual_of_the_kernel(
            (tied, quality, case) in cases(), eps in 0usize..3,
        ) {
            let eps = [0.01, 0.1, 2.0][eps];
            let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
            let request = case.request(tied.rows());
            let found = ridge_dpp(matrix.view(), Some(&quality), eps, &request, &Unwatched).unwrap().selection;
            let mut set = case.preselected.clone();
            for (&pick, &gain) in found.rows.iter().zip(&found.gains) {
                let exact = residuals(matrix.view(), &quality, eps, &set);
                // The keys are rounded like float32 sums of the largest squared length, 80 x 9.
                let close = 1e-3;
                prop_assert!((gain - exact[pick].ln()).abs() < 0.02, "{} is not {}", gain, exact[pick].ln());
                let candidates = case.candidates(&set);
                prop_assert!(candidates.contains(&pick));
                prop_assert!(candidates.into_iter().map(|row| exact[row]).all(|other| other <= exact[pick] * 1.02 + close));
                set.push(pick);
            }
        }

        #[test]
        fn real_rows_are_picked_as_the_definition_picks_them(
            clusters in 1usize..30, rows in 1usize..500, width in 1usize..50, seed: u64, eps in 1e-6f64..1.0,
        ) {
            let (centres, noise) = (real_rows(clusters, width, seed), real_rows(rows, width, !seed));
            let data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                // Every fifth row repeats its centre.
                let row = at / width;
                centres[row % clusters * width + at % width] + if row % 5 == 0 { 0.0 } else { noise / 10.0 }
            }).collect();
            let request = Request::new(rows, rows.min(2 * width + 20), &[]).unwrap();
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap();
                for found in with_threads(2, || all_ways(matrix.view(), None, eps, &request)) {
                    prop_assert_eq!(&bits(&found), expected.get_or_insert_with(|| bits(&found)));
                }
            }
        }
    }

    #[test]
    fn keys_never_rise_past_the_rank_and_few_are_computed() {
        let (rows, width) = (4000, 37);
        let matrix =
            Matrix::unit(real_rows(rows, width, 3), width, Simd::active().unwrap(), &Unwatched).unwrap();
        for eps in [MIN_RIDGE, 0.1] {
            let request = Request::new(rows, 300, &[]).unwrap();
            let keys = Residual::new(matrix.view(), None, eps, &request, &Unwatched).unwrap();
            let (found, evaluations) =
                monotone::lazy(keys, &request, WorkingSet::of(rows), &Unwatched).unwrap();
            assert!(found.gains.windows(2).all(|pair| pair[0] >= pair[1]));
            assert!(found.gains.iter().all(|&key| key >= eps));
            assert!(evaluations < (rows * 300) as u64, "{evaluations}");
            let plain = ridge_dpp_plain(matrix.view(), None, eps, &request, &Unwatched).unwrap();
            assert_eq!(found.rows, plain.rows);
            assert_eq!(found.rows[0], 0);
        }
    }

    #[test]
    fn rows_that_are_all_equal_are_picked_in_order() {
        for value in [1.0f32, 1e-30] {
            let matrix = Matrix::unit(vec![value; 900 * 3], 3, Simd::active().unwrap(), &Unwatched).unwrap();
            let request = Request::new(900, 200, &[7]).unwrap();
            let expected: Vec<usize> = (0..900).filter(|&row| row != 7).take(200).collect();
            for found in all_ways(matrix.view(), None, 0.5, &request) {
                assert_eq!(found.rows, expected);
            }
        }
    }

    #[test]
    fn quality_decides_among_rows_that_are_alike() {
        let matrix = Matrix::unit(vec![1.0; 5 * 3], 3, Simd::active().unwrap(), &Unwatched).unwrap();
        let request = Request::new(5, 5, &[]).unwrap();
        let found = ridge_dpp(matrix.view(), Some(&[1.0, 3.0, 2.0, 5.0, 4.0]), 1.0, &request, &Unwatched)
            .unwrap()
            .selection;
        assert_eq!(found.rows, [3, 4, 1, 2, 0]);
        // A first pick of quality 5 is worth 25 (1 + eps).
        assert_eq!(found.gains[0], libm::log(50.0));
    }

    #[test]
    fn numbers_as_small_and_as_large_as_they_may_be_stay_finite() {
        for size in [0.0f32, 1e-30, 1e18] {
            let data: Vec<f32> = real_rows(50, 7, 1).iter().map(|value| value * size).collect();
            let tied = Tied { data, width: 7 };
            let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
            let longest = (0..50).map(|row| tied.dot(row, row)).fold(f64::from(f32::MIN_POSITIVE), f64::max);
            for eps in [1.001 * MIN_RIDGE * longest, f64::from(f32::MAX)] {
                let request = Request::new(50, 50, &[]).unwrap();
                let found = ridge_dpp(matrix.view(), Some(&[f32::MAX; 50]), eps, &request, &Unwatched)
                    .unwrap()
                    .selection;
                assert!(found.gains.iter().all(|gain| gain.is_finite()));
                assert_eq!(
                    found,
                    ridge_dpp_plain(matrix.view(), Some(&[f32::MAX; 50]), eps, &request, &Unwatched).unwrap()
                );
            }
        }
    }

    #[test]
    fn bad_arguments_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = |metric, quality: &[f32], eps| {
            ridge_dpp(tied.matrix(metric, simd).view(), Some(quality), eps, &request, &Unwatched).unwrap_err()
        };
        assert!(refused(Metric::SquaredEuclidean, &[1.0; 3], 0.5).to_string().contains("not sqeuclidean"));
        for eps in [0.0, -1.0, 3.9e-6, 1e39, f64::INFINITY, f64::NAN] {
            let message = refused(Metric::Dot, &[1.0; 3], eps).to_string();
            assert!(message.contains("largest squared length of a row, here 4e-6"), "{message}");
        }
        assert!(matches!(refused(Metric::Dot, &[1.0; 2], 0.5), Error::Shape { expected: 3, got: 2, .. }));
        assert_eq!(refused(Metric::Dot, &[1.0, f32::NAN, 0.0], 0.5), Error::NotFinite { row: 1 });
        assert_eq!(refused(Metric::Dot, &[1.0, 1.0, 0.0], 0.5), Error::NotPositive { row: 2 });
    }
}
