//! A matrix of embeddings, checked once: every later kernel may rely on finite rows of equal width.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::blocks;
use crate::metric::{self, Rows};
use crate::simd::{LANES, Simd};
use crate::{Control, Error};

const BLOCK: usize = 256;

/// Largest squared length of a row: dot products stay below it and squared distances below four times it, so
/// neither overflows.
pub const MAX_SQUARED_LENGTH: f32 = f32::MAX / 8.0;

/// What "near" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The dot product of rows that were normalised to length 1.
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
    /// What "near" means among them; rows of [`Metric::Cosine`] have length 1.
    pub metric: Metric,
    /// The instruction set to work with.
    pub simd: Simd,
}

impl MatrixView<'_> {
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

    /// Copies the rows of these numbers, one after the other.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`] with the first number that names no row, or [`Error::OutOfMemory`].
    pub fn take(&self, rows: &[usize]) -> Result<Vec<f32>, Error> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(Error::NoSuchRow { row, n: self.len() });
        }
        let width = self.rows.width();
        let mut taken = blocks::zeroed::<f32>(rows.len().saturating_mul(width))?;
        for (&row, to) in rows.iter().zip(taken.chunks_exact_mut(width)) {
            to.copy_from_slice(self.rows.row(row));
        }
        Ok(taken)
    }
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
        let mut lengths = blocks::zeroed::<f32>(rows.len())?;
        blocks::fill(&mut lengths, 1, BLOCK, control, |first, block| {
            for (row, length) in (first..).zip(block) {
                let x = rows.row(row);
                *length = metric::dot(simd, x, x);
                // NaN and infinities make the sum so too, and no range holds those.
                if !(0.0..=MAX_SQUARED_LENGTH).contains(length) {
                    let finite = x.iter().all(|value| value.is_finite());
                    return Err(if finite { Error::TooLarge { row } } else { Error::NotFinite { row } });
                }
            }
            Ok(())
        })?;
        Ok(Self { data, width, metric, simd })
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
            for (row, x) in (first..).zip(block.chunks_exact_mut(width)) {
                normalise(x, row)?;
            }
            Ok(())
        })?;
        Ok(Self { data, width, metric: Metric::Cosine, simd })
    }
}

/// Scales a row to length 1, or says what is wrong with it.
///
/// Squares of float32 are exact in float64, where they neither overflow nor vanish; they are summed in 16
/// lanes and a tree, as [`metric`] does, and each element is multiplied by the reciprocal root and rounded
/// once.
fn normalise(x: &mut [f32], row: usize) -> Result<(), Error> {
    let mut lanes = [0.0f64; LANES];
    for group in x.chunks(LANES) {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane += f64::from(value) * f64::from(value);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    if !lanes[0].is_finite() {
        return Err(Error::NotFinite { row });
    }
    if lanes[0] == 0.0 {
        return Err(Error::ZeroRow { row });
    }
    let scale = 1.0 / lanes[0].sqrt();
    for value in x {
        *value = (f64::from(*value) * scale) as f32;
    }
    Ok(())
}

/// Numbers that can be taken over as float32.
pub trait Element: Copy + Send + Sync {
    /// Writes `from` to `to`, of equal length; tells whether a finite number became infinite.
    fn convert(from: &[Self], to: &mut [f32]) -> bool;
}

impl Element for f32 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        to.copy_from_slice(from);
        false
    }
}

impl Element for f16 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        from.convert_to_f32_slice(to);
        false
    }
}

impl Element for f64 {
    fn convert(from: &[Self], to: &mut [f32]) -> bool {
        let mut overflow = false;
        for (narrow, &wide) in to.iter_mut().zip(from) {
            *narrow = wide as f32;
            overflow |= narrow.is_infinite() && wide.is_finite();
        }
        overflow
    }
}

/// Copies rows of any element type to float32, rounding to nearest.
///
/// # Errors
/// [`Error::Shape`] where `width` is 0 or does not divide the data, [`Error::OutOfMemory`],
/// [`Error::TooLarge`] with the first row that holds a finite number beyond the float32 range, or what
/// `control` stops with.
pub fn to_f32<E: Element>(data: &[E], width: usize, control: &impl Control) -> Result<Vec<f32>, Error> {
    check_width(data.len(), width)?;
    let mut copy = blocks::zeroed::<f32>(data.len())?;
    blocks::fill(&mut copy, width, BLOCK, control, |first, block| {
        let from = data[first * width..].chunks_exact(width);
        for (row, (from, to)) in (first..).zip(from.zip(block.chunks_exact_mut(width))) {
            if E::convert(from, to) {
                return Err(Error::TooLarge { row });
            }
        }
        Ok(())
    })?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

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

    #[test]
    fn other_types_are_rounded_to_float32() {
        assert_eq!(to_f32(&[1.1f64, -0.5], 1, &Unwatched), Ok(vec![1.1f32, -0.5]));
        assert_eq!(to_f32(&[f16::from_f32(0.333)], 1, &Unwatched), Ok(vec![f16::from_f32(0.333).to_f32()]));
        assert_eq!(to_f32(&[1.0, 1e39, 0.0, 1e300], 2, &Unwatched), Err(Error::TooLarge { row: 0 }));
        let kept = to_f32(&[f64::INFINITY], 1, &Unwatched).unwrap();
        assert_eq!(raw(kept, 1).err(), Some(Error::NotFinite { row: 0 }));
    }
}
