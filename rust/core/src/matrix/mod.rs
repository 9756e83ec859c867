//! A matrix of embeddings, checked once: every later kernel may rely on finite rows of equal width.

mod chunks;
mod length;

pub use chunks::Element;
pub use length::UNIT_TOLERANCE;

use std::borrow::Cow;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::blocks;
use crate::metric::{self, Rows};
use crate::pages::Pages;
use crate::simd::Simd;
use crate::{Control, Error};
use chunks::Chunks;
use length::{is_unit, normalise};

const BLOCK: usize = 256;

/// Largest squared length of a row: dot products stay below it and squared distances below four times it, so
/// neither overflows.
pub const MAX_SQUARED_LENGTH: f32 = f32::MAX / 8.0;

/// What "near" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The dot product of rows scaled to length 1. A row whose squared length is within [`UNIT_TOLERANCE`] of 1 has
    /// that length already and is used as it is.
    Cosine,
    /// The dot product of the rows as they are.
    Dot,
    /// The squared Euclidean distance of the rows as they are.
    SquaredEuclidean,
}

/// Owns or borrows checked rows.
#[derive(Debug)]
pub struct Matrix<S> {
    data: S,
    width: usize,
    metric: Metric,
    simd: Simd,
}

/// Checked rows, ready for kernels.
#[derive(Debug, Clone, Copy)]
pub struct MatrixView<'a> {
    /// The rows.
    pub rows: Rows<'a>,
    /// What "near" means among them; squared lengths of [`Metric::Cosine`] are within [`UNIT_TOLERANCE`] of 1.
    pub metric: Metric,
    /// The instruction set to work with.
    pub simd: Simd,
}

impl<'a> MatrixView<'a> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of these numbers, one after the other: copied, unless they lie so already.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`] with the first number that names no row, or [`Error::OutOfMemory`].
    pub fn take(&self, rows: &[usize]) -> Result<Cow<'a, [f32]>, Error> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(Error::NoSuchRow { row, n: self.len() });
        }
        let first = rows.first().copied().unwrap_or_default();
        if rows.iter().zip(first..).all(|(&row, next)| row == next) {
            return Ok(Cow::Borrowed(self.rows.part(first, rows.len()).data()));
        }
        let mut taken = blocks::reserved(rows.len().saturating_mul(self.rows.width()))?;
        rows.iter().for_each(|&row| taken.extend_from_slice(self.rows.row(row)));
        Ok(Cow::Owned(taken))
    }
}

/// Says what is wrong with a row that is used as it is.
fn check(simd: Simd, x: &[f32], row: usize) -> Result<(), Error> {
    // NaN and infinities make the sum so too, and no range holds those.
    if (0.0..=MAX_SQUARED_LENGTH).contains(&metric::dot(simd, x, x)) {
        return Ok(());
    }
    let finite = x.iter().all(|value| value.is_finite());
    Err(if finite { Error::TooLarge { row } } else { Error::NotFinite { row } })
}

fn check_width(len: usize, width: usize) -> Result<(), Error> {
    if width == 0 {
        return Err(Error::Shape { what: "the number of dimensions", expected: 1, got: 0 });
    }
    if !len.is_multiple_of(width) {
        return Err(Error::Shape { what: "the number of values", expected: len / width * width, got: len });
    }
    blocks::check_countable(len / width)
}

impl<S: AsRef<[f32]> + Sync> Matrix<S> {
    /// Checks rows that are used as they are: [`Metric::Dot`] or [`Metric::SquaredEuclidean`].
    ///
    /// # Errors
    /// [`Error::Shape`] where `width` is 0 or does not divide the data; [`Error::NotFinite`] and
    /// [`Error::TooLarge`] (above [`MAX_SQUARED_LENGTH`]) with the first such row; [`Error::Argument`] for
    /// cosine, which needs [`Matrix::unit`].
    pub fn raw(
        data: S,
        width: usize,
        metric: Metric,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Self, Error> {
        if metric == Metric::Cosine {
            return Err(Error::Argument { what: "cosine needs rows of length 1".into() });
        }
        check_width(data.as_ref().len(), width)?;
        let rows = Rows::new(data.as_ref(), width);
        blocks::try_for_each(rows.len(), BLOCK, control, |mut numbers| {
            numbers.try_for_each(|row| check(simd, rows.row(row), row))
        })?;
        Ok(Self { data, width, metric, simd })
    }

    /// Checks rows that need no change; `None` where they need one, or are wrong, which [`Matrix::copied`] reports.
    ///
    /// # Errors
    /// As [`Matrix::raw`], or what `control` stops with.
    pub fn in_place(
        data: S,
        width: usize,
        metric: Metric,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Option<Self>, Error> {
        if metric != Metric::Cosine {
            return Self::raw(data, width, metric, simd, control).map(Some);
        }
        check_width(data.as_ref().len(), width)?;
        let rows = Rows::new(data.as_ref(), width);
        let unit = AtomicBool::new(true);
        blocks::for_each(rows.len(), BLOCK, control, |mut numbers| {
            if unit.load(Ordering::Relaxed) && !numbers.all(|row| is_unit(simd, rows.row(row))) {
                unit.store(false, Ordering::Relaxed);
            }
        })?;
        Ok(unit.into_inner().then_some(Self { data, width, metric, simd }))
    }

    /// The checked rows.
    #[must_use]
    pub fn view(&self) -> MatrixView<'_> {
        MatrixView { rows: Rows::new(self.data.as_ref(), self.width), metric: self.metric, simd: self.simd }
    }
}

impl Matrix<Vec<f32>> {
    /// Checks rows and normalises them to length 1, for [`Metric::Cosine`].
    ///
    /// # Errors
    /// [`Error::Shape`] where `width` is 0 or does not divide the data; [`Error::NotFinite`] and
    /// [`Error::ZeroRow`] with the first such row.
    pub fn unit(mut data: Vec<f32>, width: usize, simd: Simd, control: &impl Control) -> Result<Self, Error> {
        check_width(data.len(), width)?;
        blocks::fill(&mut data, width, BLOCK, control, |first, block| {
            let mut rows = (first..).zip(block.chunks_exact_mut(width));
            rows.try_for_each(|(row, x)| normalise(simd, x, row))
        })?;
        Ok(Self { data, width, metric: Metric::Cosine, simd })
    }
}

impl Matrix<Pages<f32>> {
    /// Copies rows from consecutive chunks of memory, each of whole rows, to float32; rounds them to nearest, checks
    /// them and, for [`Metric::Cosine`], normalises them, all in one pass.
    ///
    /// # Errors
    /// [`Error::Shape`] where `width` is 0 or does not divide a chunk, [`Error::OutOfMemory`], [`Error::TooLarge`] with
    /// the first row that holds a finite number beyond the float32 range; otherwise as [`Matrix::raw`] and
    /// [`Matrix::unit`].
    pub fn copied<E: Element>(
        chunks: &[&[E]],
        width: usize,
        metric: Metric,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let from = Chunks::new(chunks, width)?;
        let mut data = Pages::zeroed(from.len())?;
        blocks::fill(&mut data, width, BLOCK, control, |first, block| {
            for (row, x) in (first..).zip(block.chunks_exact_mut(width)) {
                if E::convert(from.row(row), x) {
                    return Err(Error::TooLarge { row });
                }
                match metric {
                    Metric::Cosine => normalise(simd, x, row)?,
                    Metric::Dot | Metric::SquaredEuclidean => check(simd, x, row)?,
                }
            }
            Ok(())
        })?;
        Ok(Self { data, width, metric, simd })
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, real_rows, with_threads};

    fn simd() -> Simd {
        Simd::active().unwrap()
    }

    fn raw(data: Vec<f32>, width: usize) -> Result<Matrix<Vec<f32>>, Error> {
        Matrix::raw(data, width, Metric::Dot, simd(), &Unwatched)
    }

    fn unit(data: Vec<f32>, width: usize) -> Result<Matrix<Vec<f32>>, Error> {
        Matrix::unit(data, width, simd(), &Unwatched)
    }

    #[test]
    fn rows_are_scaled_to_length_one() {
        let matrix = unit(vec![3.0, 4.0, -1e-30, 0.0, 1e38, 1e38], 2).unwrap();
        let view = matrix.view();
        assert_eq!(view.len(), 3);
        assert_eq!(view.rows.row(0), [0.6, 0.8]);
        assert_eq!(view.rows.row(1), [-1.0, 0.0]);
        assert_eq!(view.rows.row(2), [0.5f32.sqrt(); 2]);
    }

    #[test]
    fn scaling_does_not_depend_on_the_length_of_a_row_by_powers_of_two() {
        let row: Vec<f32> = (1..=37).map(|value| 1.0 / value as f32).collect();
        let small: Vec<f32> = row.iter().map(|value| value / 65536.0).collect();
        let (large, small) = (unit(row, 37).unwrap(), unit(small, 37).unwrap());
        assert_eq!(large.view().rows.data(), small.view().rows.data());
    }

    #[test]
    fn bad_rows_are_named() {
        let mut data = vec![1.0; 3000];
        data[2000] = f32::NAN;
        data[2500] = f32::INFINITY;
        assert_eq!(unit(data.clone(), 3).err(), Some(Error::NotFinite { row: 666 }));
        assert_eq!(raw(data, 3).err(), Some(Error::NotFinite { row: 666 }));
        assert_eq!(raw(vec![1.0, f32::NEG_INFINITY], 1).err(), Some(Error::NotFinite { row: 1 }));
        assert_eq!(unit(vec![1.0, 0.0, -0.0], 1).err(), Some(Error::ZeroRow { row: 1 }));
        assert_eq!(raw(vec![1.0, 2e19], 1).err(), Some(Error::TooLarge { row: 1 }));
        assert!(raw(vec![0.0, 1e18], 1).is_ok());
    }

    #[test]
    fn shapes_are_checked() {
        assert!(matches!(raw(vec![], 0).err(), Some(Error::Shape { .. })));
        assert!(matches!(unit(vec![1.0; 5], 2).err(), Some(Error::Shape { .. })));
        assert_eq!(unit(vec![], 4).unwrap().view().len(), 0);
        let cosine = Matrix::raw(vec![1.0], 1, Metric::Cosine, simd(), &Unwatched);
        assert!(matches!(cosine.err(), Some(Error::Argument { .. })));
    }

    fn copied<E: Element>(chunks: &[&[E]], width: usize, metric: Metric) -> Result<Vec<f32>, Error> {
        let matrix = Matrix::copied(chunks, width, metric, simd(), &Unwatched)?;
        Ok(matrix.view().rows.data().to_vec())
    }

    #[test]
    fn other_types_are_rounded_to_float32() {
        assert_eq!(copied(&[&[1.1f64, -0.5]], 1, Metric::Dot), Ok(vec![1.1f32, -0.5]));
        let third = f16::from_f32(0.333);
        assert_eq!(copied(&[&[third]], 1, Metric::Dot), Ok(vec![third.to_f32()]));
    }

    #[test]
    fn the_first_bad_row_is_named_whatever_is_wrong_with_it() {
        let rows = [1.0, 1e39, 0.0, 1e300, f64::NAN, 1.0, 0.0, 0.0];
        for metric in [Metric::Cosine, Metric::Dot] {
            assert_eq!(copied(&[&rows[..]], 2, metric), Err(Error::TooLarge { row: 0 }));
            assert_eq!(copied(&[&rows[4..]], 2, metric), Err(Error::NotFinite { row: 0 }));
            assert_eq!(copied(&[&[0.5, 0.5], &rows[4..]], 2, metric), Err(Error::NotFinite { row: 1 }));
            assert_eq!(copied(&[&[f64::INFINITY]], 1, metric), Err(Error::NotFinite { row: 0 }));
        }
        assert_eq!(copied(&[&rows[6..]], 2, Metric::Cosine), Err(Error::ZeroRow { row: 0 }));
        assert_eq!(copied(&[&rows[6..]], 2, Metric::Dot), Ok(vec![0.0, 0.0]));
        assert_eq!(copied(&[&[1.0f32, 2e19]], 1, Metric::Dot), Err(Error::TooLarge { row: 1 }));
    }

    #[test]
    fn chunks_hold_whole_rows() {
        let empty: &[f64] = &[];
        assert_eq!(copied::<f64>(&[], 3, Metric::Dot), Ok(vec![]));
        assert_eq!(copied(&[empty, empty], 3, Metric::Cosine), Ok(vec![]));
        assert!(matches!(copied::<f64>(&[], 0, Metric::Dot), Err(Error::Shape { .. })));
        assert!(matches!(copied(&[&[1.0f64; 2][..], &[1.0; 4]], 3, Metric::Dot), Err(Error::Shape { .. })));
    }

    /// Rows of length 1, or next to it, or not, cut into chunks anywhere.
    fn cut_rows() -> impl Strategy<Value = (Vec<f32>, usize, Vec<usize>)> {
        (0usize..40, 1usize..40, any::<u64>(), 0u32..4).prop_flat_map(|(rows, width, seed, scaled)| {
            let mut data = real_rows(rows, width, seed);
            if scaled > 0 {
                data = unit(data, width).unwrap().view().rows.data().to_vec();
            }
            if scaled == 2 {
                data.iter_mut().for_each(|x| *x *= 1.0 + f32::EPSILON);
            }
            if scaled == 3 && rows > 0 {
                let row = seed as usize % rows;
                data[row * width..][..width].iter_mut().for_each(|x| *x *= 1.5);
            }
            (Just(data), Just(width), prop::collection::vec(0..=rows, 0..5))
        })
    }

    proptest! {
        #[test]
        fn every_way_in_gives_the_same_bits((data, width, mut cuts) in cut_rows()) {
            cuts.extend([0, data.len() / width]);
            cuts.sort_unstable();
            let wide: Vec<f64> = data.iter().map(|&x| f64::from(x)).collect();
            let chunks: Vec<&[f32]> = cuts.windows(2).map(|cut| &data[cut[0] * width..cut[1] * width]).collect();
            let wide: Vec<&[f64]> = cuts.windows(2).map(|cut| &wide[cut[0] * width..cut[1] * width]).collect();
            for metric in [Metric::Cosine, Metric::Dot, Metric::SquaredEuclidean] {
                let expected = match metric {
                    Metric::Cosine => unit(data.clone(), width).unwrap().view().rows.data().to_vec(),
                    _ => data.clone(),
                };
                for simd in Simd::available() {
                    for threads in THREADS {
                        let (narrow, wide, here) = with_threads(threads, || {(
                            Matrix::copied(&chunks, width, metric, simd, &Unwatched).unwrap(),
                            Matrix::copied(&wide, width, metric, simd, &Unwatched).unwrap(),
                            Matrix::in_place(&data[..], width, metric, simd, &Unwatched).unwrap(),
                        )});
                        prop_assert_eq!(narrow.view().rows.data(), &expected[..]);
                        prop_assert_eq!(wide.view().rows.data(), &expected[..]);
                        // Rows are used in place just where that changes none of them.
                        prop_assert_eq!(here.is_some(), data == expected);
                    }
                }
            }
        }
    }

    #[test]
    fn rows_in_place_are_checked() {
        let here = |data: &'static [f32], metric| {
            Matrix::in_place(data, 2, metric, simd(), &Unwatched).map(|matrix| matrix.is_some())
        };
        assert_eq!(here(&[0.6, 0.8, 0.0, -1.0], Metric::Cosine), Ok(true));
        assert_eq!(here(&[0.6, 0.8, 0.0, -1.1], Metric::Cosine), Ok(false));
        assert_eq!(here(&[0.6, 0.8, 0.0, f32::NAN], Metric::Cosine), Ok(false));
        assert_eq!(here(&[0.6, 0.8, 0.0, f32::NAN], Metric::Dot), Err(Error::NotFinite { row: 1 }));
        assert!(matches!(here(&[1.0], Metric::Cosine), Err(Error::Shape { .. })));
    }
}
