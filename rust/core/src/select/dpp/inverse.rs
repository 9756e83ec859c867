//! The inverse that grows with the set.

use rayon::prelude::*;

use crate::simd::{Kernel, Lanes, Simd};
use crate::{Error, blocks};

/// Running sums of a float64 dot product.
const LANES: usize = 8;
/// Rows of the inverse that one task brings up to date.
const PANEL: usize = 96;

/// `A = (I + X_S' X_S / eps)^-1`, in float64, row after row.
pub(super) struct Inverse {
    rows: Vec<f64>,
    /// The vector of the last member: `A` lacks only `- y y'` of it, which the next member brings in passing.
    last: Vec<f64>,
}

impl Inverse {
    pub(super) fn new(width: usize) -> Result<Self, Error> {
        let mut rows = blocks::zeroed(width.saturating_mul(width))?;
        rows.iter_mut().step_by(width + 1).for_each(|value| *value = 1.0);
        Ok(Self { rows, last: blocks::zeroed(width)? })
    }

    /// Adds a row `x` and gives its `y = A x / sqrt(eps + x' A x)`; then `A` becomes `A - y y'`.
    pub(super) fn join(&mut self, simd: Simd, x: &[f32], eps: f64) -> &[f64] {
        let width = x.len();
        let x: Vec<f64> = x.iter().map(|&value| f64::from(value)).collect();
        let mut y = vec![0.0; width];
        let last = &self.last;
        let panels = self.rows.par_chunks_mut(PANEL * width).zip(y.par_chunks_mut(PANEL)).enumerate();
        panels.for_each(|(panel, (rows, y))| {
            simd.run(Project { rows, first: panel * PANEL, last, x: &x, y });
        });
        let left = dot(&x, &y);
        let scale = (eps + left.max(0.0)).sqrt();
        y.iter_mut().for_each(|value| *value /= scale);
        self.last = y;
        &self.last
    }
}

/// Subtracts `last last'` from some rows of the inverse and multiplies them by `x`.
struct Project<'a> {
    rows: &'a mut [f64],
    first: usize,
    last: &'a [f64],
    x: &'a [f64],
    y: &'a mut [f64],
}

impl Kernel for Project<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, first, last, x, y } = self;
        for (at, row) in rows.chunks_exact_mut(x.len()).enumerate() {
            let factor = last[first + at];
            for (value, last) in row.iter_mut().zip(last) {
                *value -= factor * last;
            }
            y[at] = dot(row, x);
        }
    }
}

/// Products and sums rounded one by one, in lanes and a tree.
#[inline(always)]
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let ((x, x_tail), (y, y_tail)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    for (lane, (x, y)) in x_tail.iter().zip(y_tail).enumerate() {
        lanes[lane] += x * y;
    }
    let four: [f64; 4] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}
