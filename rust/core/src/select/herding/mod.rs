//! Herding: rows whose running mean follows the mean of all rows, or another (Welling 2009).

mod plain;
mod speculative;
mod weights;

use super::{Counted, Request, Selection};
use crate::matrix::{MAX_SQUARED_LENGTH, MatrixView, Metric};
use crate::{Control, Error};

/// Picks the row of largest canonical `<x, w>`, where `w` starts as `mean`, that of all rows where none is given, and
/// becomes `w + (mean - x)` with each pick `x`.
///
/// Another mean is that of a stream of which these are some rows. The mean and `w` are float64: rows are summed in
/// blocks of 4,096, and these in order; `w` is rounded to float32 for each pick. Preselected rows count as picked
/// before. Excluded rows are part of the mean, and are not picked. The gain of a pick is its product with `w` when it was
/// picked.
///
/// Cost: on real embeddings about 3 x picks x rows x dimensions multiply-adds in int16, eight products of a row at a
/// time, so that the rows are read once for about five picks; at worst once for each. 2 x dimensions + 200 bytes a row
/// beside the matrix.
///
/// # Errors
/// [`Error::Argument`] for [`Metric::SquaredEuclidean`], which has no products, and for a mean that is not finite or too
/// long; [`Error::Shape`] for one of another width; [`Error::TooLarge`] with the row that
/// made `w` so long that products could overflow; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn herding(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    mean: Option<&[f64]>,
    control: &impl Control,
) -> Result<Counted, Error> {
    check(matrix, mean)?;
    speculative::pick(matrix, request, mean, speculative::Sizes::of(matrix.len()), control)
}

/// The definition of [`herding`], to which it is equal: every pick takes the products of all rows.
///
/// # Errors
/// As [`herding`].
pub fn herding_plain(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    mean: Option<&[f64]>,
    control: &impl Control,
) -> Result<Selection, Error> {
    check(matrix, mean)?;
    plain::pick(matrix, request, mean, control)
}

fn check(matrix: MatrixView<'_>, mean: Option<&[f64]>) -> Result<(), Error> {
    if matrix.metric == Metric::SquaredEuclidean {
        return Err(Error::Argument {
            what: "herding needs products: cosine or dot, not sqeuclidean".into(),
        });
    }
    let Some(mean) = mean else { return Ok(()) };
    let (expected, got) = (matrix.rows.width(), mean.len());
    if got != expected {
        return Err(Error::Shape { what: "the width of the mean", expected, got });
    }
    let squared_length = mean.iter().map(|x| x * x).sum::<f64>();
    if squared_length.is_nan() || squared_length > f64::from(MAX_SQUARED_LENGTH) {
        return Err(Error::Argument {
            what: "the mean is not finite, or too long for float32 arithmetic".into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Unwatched};

    /// The definition, with exact numbers where the number of rows is a power of two.
    fn by_hand(tied: &Tied, case: &RequestCase, mean: Option<&[f64]>) -> (Vec<usize>, Vec<f64>) {
        let rows = 0..tied.rows();
        let own: Vec<f64> = (0..tied.width)
            .map(|at| rows.clone().map(|row| f64::from(tied.row(row)[at])).sum::<f64>() / tied.rows() as f64)
            .collect();
        let mean = mean.unwrap_or(&own);
        let mut set = case.preselected.clone();
        let (mut picks, mut gains) = (Vec::new(), Vec::new());
        while !case.candidates(&set).is_empty() {
            let weight = |at: usize| {
                let picked: f64 = set.iter().map(|&row| f64::from(tied.row(row)[at])).sum();
                mean[at] * (set.len() + 1) as f64 - picked
            };
            let product = |row: usize| -> f64 {
                tied.row(row).iter().enumerate().map(|(at, &x)| f64::from(x) * weight(at)).sum::<f64>() + 0.0
            };
            let candidates = case.candidates(&set).into_iter();
            let best = candidates.max_by(|&a, &b| product(a).total_cmp(&product(b)).then(b.cmp(&a))).unwrap();
            gains.push(product(best));
            picks.push(best);
            set.push(best);
        }
        (picks, gains)
    }

    fn bits(selection: &Selection) -> (Vec<usize>, Vec<u64>) {
        (selection.rows.clone(), selection.gains.iter().map(|gain| gain.to_bits()).collect())
    }

    /// The bits of a selection, or the refusal of rows whose products could overflow.
    type Found = Result<(Vec<usize>, Vec<u64>), Error>;

    /// Every way to find the picks: the definition, and much and little speculation. Then the evaluations.
    fn all_ways(
        matrix: MatrixView<'_>,
        request: &Request<'_>,
        mean: Option<&[f64]>,
    ) -> (Vec<Found>, Option<u64>) {
        let plain = herding_plain(matrix, request, mean, &Unwatched);
        let sizes = [(1, 1, 32, 1), (3, 2, 64, 2), (40, 5, 32, 3)];
        let ways = sizes.map(|(contenders, guesses, block, batches)| {
            let sizes = speculative::Sizes { contenders, guesses, block, batches };
            check(matrix, mean)?;
            speculative::pick(matrix, request, mean, sizes, &Unwatched).map(|found| found.selection)
        });
        let public = herding(matrix, request, mean, &Unwatched);
        let evaluations = public.as_ref().ok().map(|found| found.evaluations);
        let found = [plain, public.map(|found| found.selection)].into_iter().chain(ways);
        (found.map(|found| found.map(|found| bits(&found))).collect(), evaluations)
    }

    fn cases() -> impl Strategy<Value = (Tied, RequestCase)> {
        Tied::up_to(70).prop_flat_map(|mut tied| {
            // A power of two of rows has an exact mean.
            let rows = if tied.rows() == 0 { 0 } else { 1 << tied.rows().ilog2() };
            tied.data.truncate(rows * tied.width);
            (Just(tied.clone()), request_cases(rows))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn picks_by_the_formula((tied, case) in cases(), eighths in prop::option::of(prop::collection::vec(-24i32..24, 20))) {
            let mean: Option<Vec<f64>> =
                eighths.map(|eighths| eighths[..tied.width].iter().map(|&x| f64::from(x) / 8.0).collect());
            let mean = mean.as_deref();
            let (rows, gains) = by_hand(&tied, &case, mean);
            let expected = Ok(bits(&Selection { rows, gains }));
            let request = case.request(tied.rows());
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    for found in with_threads(threads, || all_ways(matrix.view(), &request, mean)).0 {
                        prop_assert_eq!(&found, &expected);
                    }
                }
            }
        }

        #[test]
        fn real_rows_are_picked_as_the_definition_picks_them(
            clusters in 1usize..30, rows in 1usize..400, width in 1usize..50, seed: u64, near in 0.0f32..1.0,
            size in -18i32..18, unit: bool, other in prop::option::of(-3i32..3),
        ) {
            let (centres, noise) = (real_rows(clusters, width, seed), real_rows(rows, width, !seed));
            let data: Vec<f32> = noise.iter().enumerate().map(|(at, noise)| {
                let row = at / width;
                // Every fifth row repeats its centre.
                let x = centres[row % clusters * width + at % width] + if row % 5 == 0 { 0.0 } else { near * noise };
                x * 10f32.powi(size)
            }).collect();
            let request = Request::with_excluded(rows, rows * 3 / 4, &[], &[0][..rows % 2]).unwrap();
            // Another mean: that of other rows, shorter or longer than these. Of large rows it can be so long that `w`
            // leaves the range, which every way must refuse at the same row.
            let mean: Option<Vec<f64>> = other.map(|power| {
                let size = if unit { power } else { size + power };
                real_rows(1, width, seed ^ 1).into_iter().map(|x| f64::from(x) * 10f64.powi(size)).collect()
            });
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = if unit {
                    Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap()
                } else {
                    Matrix::raw(data.clone(), width, Metric::Dot, simd, &Unwatched).unwrap()
                };
                let (ways, evaluations) = with_threads(2, || all_ways(matrix.view(), &request, mean.as_deref()));
                for found in ways {
                    prop_assert_eq!(&(found.clone(), evaluations), expected.get_or_insert((found, evaluations)));
                }
            }
        }
    }

    #[test]
    fn the_mean_of_the_picks_nears_that_of_the_rows() {
        let (rows, width) = (20_000, 37);
        let (centres, mut data) = (real_rows(50, width, 3), real_rows(rows, width, 4));
        let centre = |at: usize| centres[at / width % 50 * width + at % width];
        data.iter_mut().enumerate().for_each(|(at, x)| *x = *x / 4.0 + centre(at));
        let matrix = Matrix::unit(data, width, Simd::active().unwrap(), &Unwatched).unwrap();
        let request = Request::new(rows, 300, &[]).unwrap();
        let found = herding(matrix.view(), &request, None, &Unwatched).unwrap();
        assert_eq!(
            bits(&found.selection),
            bits(&herding_plain(matrix.view(), &request, None, &Unwatched).unwrap())
        );
        let mean = |picks: &mut dyn Iterator<Item = usize>, count: usize| -> Vec<f64> {
            let mut sums = vec![0.0; width];
            picks.for_each(|row| {
                sums.iter_mut().zip(matrix.view().rows.row(row)).for_each(|(sum, &x)| *sum += f64::from(x));
            });
            sums.into_iter().map(|sum| sum / count as f64).collect()
        };
        let all = mean(&mut (0..rows), rows);
        let off = |mean: Vec<f64>| all.iter().zip(mean).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let herded = off(mean(&mut found.selection.rows.iter().copied(), 300));
        assert!(herded < 0.5 * off(mean(&mut (0..300), 300)), "{herded}");
    }

    #[test]
    fn products_that_could_overflow_are_refused() {
        let large = 6e18;
        let tied = Tied { data: vec![large, large, -large, -large, -large], width: 1 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let request = Request::with_excluded(5, 2, &[2, 3, 4], &[]).unwrap();
        let refused = herding(matrix.view(), &request, None, &Unwatched).unwrap_err();
        assert_eq!(refused, Error::TooLarge { row: 3 });
        assert_eq!(herding_plain(matrix.view(), &request, None, &Unwatched), Err(refused));
    }

    #[test]
    fn distances_are_refused() {
        let tied = Tied { data: vec![1.0], width: 1 };
        let matrix = tied.matrix(Metric::SquaredEuclidean, Simd::active().unwrap());
        let refused =
            herding(matrix.view(), &Request::new(1, 1, &[]).unwrap(), None, &Unwatched).unwrap_err();
        assert!(refused.to_string().contains("not sqeuclidean"));
    }

    #[test]
    fn a_mean_that_is_none_is_refused() {
        let tied = Tied { data: vec![1.0, 2.0], width: 2 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let request = Request::new(1, 1, &[]).unwrap();
        let refused = |mean: &[f64]| herding(matrix.view(), &request, Some(mean), &Unwatched).unwrap_err();
        assert_eq!(refused(&[1.0]), Error::Shape { what: "the width of the mean", expected: 2, got: 1 });
        for mean in [[f64::NAN, 0.0], [0.0, f64::INFINITY], [1e30, 0.0]] {
            assert!(refused(&mean).to_string().starts_with("the mean is not finite"));
        }
    }
}
