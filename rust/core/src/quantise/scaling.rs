//! How rows are scaled to int16, and how far off that can be.

use rayon::prelude::*;

use crate::blocks;
use crate::metric::{self, Rows};
use crate::simd::{Kernel, LANES, Lanes, Pair, Simd};
use crate::{Control, Error};

use super::BLOCK;

/// How rows were scaled, and what rounding left of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scaling {
    pub(super) scale: f32,
    /// No row is longer.
    pub(super) longest: f32,
    /// No row differs from its rounded self by more.
    pub(super) residual: f32,
}

impl Scaling {
    /// That of rows of equal scale taken together.
    pub(crate) fn joined(self, other: Self) -> Self {
        Self { residual: self.residual.max(other.residual), ..self }
    }
}

/// The canonical squared lengths of rows.
pub(super) fn squared_lengths(
    rows: Rows<'_>,
    simd: Simd,
    lengths: &mut [f32],
    control: &impl Control,
) -> Result<(), Error> {
    blocks::fill(lengths, 1, BLOCK, control, |first, block| {
        lengths_of(rows.part(first, block.len()), simd, block);
        Ok(())
    })
}

/// As [`squared_lengths`], on this thread.
pub(super) fn lengths_of(rows: Rows<'_>, simd: Simd, lengths: &mut [f32]) {
    for (row, length) in lengths.iter_mut().enumerate() {
        *length = metric::dot(simd, rows.row(row), rows.row(row));
    }
}

/// The canonical length of the longest row, for [`Quantised::within`].
pub(crate) fn longest(rows: Rows<'_>, simd: Simd, control: &impl Control) -> Result<f32, Error> {
    let mut lengths = blocks::zeroed::<f32>(rows.len())?;
    squared_lengths(rows, simd, &mut lengths, control)?;
    Ok(lengths.par_iter().copied().reduce(|| 0.0, f32::max).sqrt())
}

/// How far an approximate squared distance of a row of `x` to one of `y` can be off.
///
/// With the residuals `r` of `x` and `s` of `y`, `<x, y>` is off by at most `|r| |y| + (|x| + |r|) |s|`. The rest
/// covers the roundings of float32, and what vanishes in it, of this and of the canonical value.
pub(super) fn slack(width: usize, x: Scaling, y: Scaling) -> f32 {
    let quantised = 2.0 * (x.residual * y.longest + (x.longest + x.residual) * y.residual);
    let longest = x.longest.max(y.longest);
    let rounded = (width as f32 / 16.0 + 16.0) * f32::EPSILON * 16.0 * longest * longest;
    let vanished = (width as f32 + 64.0) * f32::MIN_POSITIVE;
    1.001 * (quantised + rounded + vanished)
}

/// Rounds rows and gives the length of the longest residual, a little too much rather than too little.
pub(super) struct Round<'a> {
    pub(super) rows: &'a [f32],
    pub(super) width: usize,
    pub(super) scale: f32,
    pub(super) pairs: &'a mut [Pair],
}

/// What a float32 of at most 2^22 is added to, for the nearest whole number, the even one of two, in its lowest bits.
const SHIFT: f32 = 12_582_912.0;

impl Kernel for Round<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f32 {
        let Self { rows, width, scale, pairs } = self;
        let mut most = 0.0f32;
        let padded = width.next_multiple_of(LANES);
        for (row, to) in rows.chunks_exact(width).zip(pairs.as_flattened_mut().chunks_exact_mut(padded)) {
            let mut sums = [0.0f32; LANES];
            let (groups, tail) = row.as_chunks::<LANES>();
            let to = to.as_chunks_mut::<LANES>().0;
            for (group, to) in groups.iter().zip(&mut *to) {
                round(group, scale, to, &mut sums);
            }
            if !tail.is_empty() {
                let mut group = [0.0; LANES];
                group[..tail.len()].copy_from_slice(tail);
                round(&group, scale, &mut to[groups.len()], &mut sums);
            }
            most = most.max(sums.iter().sum());
        }
        // `scaled` is off by 2^-24 of at most 2^15; the sums by far less than a hundredth.
        1.01 * (most.sqrt() + 2e-3 * (width as f32).sqrt()) / scale
    }
}

/// Rounds a group of elements, and adds the squares of what rounding leaves to `sums`.
#[inline(always)]
fn round(group: &[f32; LANES], scale: f32, to: &mut [i16; LANES], sums: &mut [f32; LANES]) {
    for l in 0..LANES {
        let scaled = group[l] * scale;
        let shifted = scaled + SHIFT;
        let left = scaled - (shifted - SHIFT);
        // Elements are below 2^15: no bit is lost.
        to[l] = shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i16;
        sums[l] = left.mul_add(left, sums[l]);
    }
}
