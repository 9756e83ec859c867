//! The inverse that grows with the set.

use rayon::prelude::*;

use crate::simd::{Kernel, Lanes, Simd};
use crate::{Error, blocks};

/// Running sums of a float64 dot product.
const LANES: usize = 8;
/// Rows, or columns, that one task works on.
const PANEL: usize = 96;

/// `A = (I + X_S' X_S / eps)^-1` in float64.
///
/// Each member `x` takes `y y'` from `A`, with `y = A x / sqrt(eps + x' A x)`. As long as members are few (half as many
/// as dimensions) these vectors represent `A`, in less memory and with less work than its rows do.
pub(super) struct Inverse {
    width: usize,
    /// `y` of each member, one after the other, as long as they represent `A`.
    vectors: Vec<f64>,
    /// `A`, row after row, from then on.
    rows: Vec<f64>,
    /// The vector of the last member: `rows` lack only `- y y'` of it, which the next member brings in passing.
    last: Vec<f64>,
}

impl Inverse {
    /// Room for so many members.
    pub(super) fn new(width: usize, members: usize) -> Result<Self, Error> {
        let few = few(width);
        let vectors = blocks::reserved(members.min(few).saturating_mul(width))?;
        let rows = if members > few { blocks::reserved(width.saturating_mul(width))? } else { Vec::new() };
        let last = if members > 0 { blocks::zeroed(width)? } else { Vec::new() };
        Ok(Self { width, vectors, rows, last })
    }

    /// Adds a row `x` and gives its `y`.
    pub(super) fn add(&mut self, simd: Simd, x: &[f32], eps: f64) -> &[f64] {
        if self.rows.is_empty() && self.vectors.len() == few(self.width) * self.width {
            self.write_rows(simd);
        }
        let x: Vec<f64> = x.iter().map(|&value| f64::from(value)).collect();
        let mut y = if self.rows.is_empty() { self.by_vectors(simd, &x) } else { self.by_rows(simd, &x) };
        let unspanned = dot(&x, &y);
        let scale = (eps + unspanned.max(0.0)).sqrt();
        y.iter_mut().for_each(|value| *value /= scale);
        if self.rows.is_empty() {
            self.vectors.extend_from_slice(&y);
        }
        self.last = y;
        &self.last
    }

    /// `A x = x - sum over y of y <y, x>`.
    fn by_vectors(&self, simd: Simd, x: &[f64]) -> Vec<f64> {
        let (width, vectors) = (self.width, &self.vectors[..]);
        let mut shares = vec![0.0; vectors.len() / width];
        shares.par_chunks_mut(PANEL).zip(vectors.par_chunks(PANEL * width)).for_each(|(shares, vectors)| {
            simd.run(Multiply { rows: vectors, x, y: shares });
        });
        let mut y = x.to_vec();
        y.par_chunks_mut(PANEL).enumerate().for_each(|(panel, y)| {
            simd.run(Subtract { vectors, width, first: panel * PANEL, shares: &shares, y });
        });
        y
    }

    /// `A x`, after `A` is brought up to date.
    fn by_rows(&mut self, simd: Simd, x: &[f64]) -> Vec<f64> {
        let (width, last) = (self.width, &self.last[..]);
        let mut y = vec![0.0; width];
        let panels = self.rows.par_chunks_mut(PANEL * width).zip(y.par_chunks_mut(PANEL)).enumerate();
        panels.for_each(|(panel, (rows, y))| {
            simd.run(Project { rows, first: panel * PANEL, last, x, y });
        });
        y
    }

    /// Writes `A` from the vectors, all but the last, which it lacks.
    fn write_rows(&mut self, simd: Simd) {
        let (width, vectors) = (self.width, std::mem::take(&mut self.vectors));
        self.rows.resize(width * width, 0.0);
        let before_last = &vectors[..vectors.len() - width];
        self.rows.par_chunks_exact_mut(width).enumerate().for_each(|(at, row)| {
            row[at] = 1.0;
            let shares: Vec<f64> = before_last.chunks_exact(width).map(|vector| vector[at]).collect();
            simd.run(Subtract { vectors: before_last, width, first: 0, shares: &shares, y: row });
        });
    }
}

/// How many members' vectors represent `A`.
fn few(width: usize) -> usize {
    (width / 2).max(1)
}

/// Multiplies rows by `x`.
struct Multiply<'a> {
    rows: &'a [f64],
    x: &'a [f64],
    y: &'a mut [f64],
}

impl Kernel for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, x, y } = self;
        for (row, y) in rows.chunks_exact(x.len()).zip(y) {
            *y = dot(row, x);
        }
    }
}

/// Subtracts shares of vectors from some columns, in the order of the vectors.
struct Subtract<'a> {
    vectors: &'a [f64],
    width: usize,
    first: usize,
    shares: &'a [f64],
    y: &'a mut [f64],
}

impl Kernel for Subtract<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { vectors, width, first, shares, y } = self;
        for (vector, &share) in vectors.chunks_exact(width).zip(shares) {
            for (value, other) in y.iter_mut().zip(&vector[first..]) {
                *value -= share * other;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{THREADS, real_rows, with_threads};

    /// The vectors of members by the definition: every member's `y y'` is taken from all of `A`.
    fn plain(rows: &[f32], width: usize, eps: f64) -> Vec<Vec<f64>> {
        let mut inverse: Vec<Vec<f64>> = (0..width).map(|_| vec![0.0; width]).collect();
        (0..width).for_each(|at| inverse[at][at] = 1.0);
        let member = |x: &[f32]| {
            let product = |row: &Vec<f64>| row.iter().zip(x).map(|(a, &x)| a * f64::from(x)).sum::<f64>();
            let mut y: Vec<f64> = inverse.iter().map(product).collect();
            let unspanned: f64 = y.iter().zip(x).map(|(y, &x)| y * f64::from(x)).sum();
            y.iter_mut().for_each(|value| *value /= (eps + unspanned).sqrt());
            for (row, &factor) in inverse.iter_mut().zip(&y) {
                row.iter_mut().zip(&y).for_each(|(value, other)| *value -= factor * other);
            }
            y
        };
        rows.chunks_exact(width).map(member).collect()
    }

    #[test]
    fn vectors_and_rows_represent_the_same_inverse() {
        for width in [1, 2, 7, 40] {
            let (members, eps) = (3 * width + 2, 0.1);
            let data = real_rows(members, width, 9);
            let added = |simd, threads| {
                with_threads(threads, || {
                    let mut inverse = Inverse::new(width, members).unwrap();
                    let rows = data.chunks_exact(width);
                    rows.map(|x| inverse.add(simd, x, eps).to_vec()).collect::<Vec<_>>()
                })
            };
            let found = added(Simd::active().unwrap(), 1);
            for (found, expected) in found.concat().into_iter().zip(plain(&data, width, eps).concat()) {
                assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
            }
            for simd in Simd::available() {
                assert!(THREADS.iter().all(|&threads| added(simd, threads) == found), "{}", simd.name());
            }
        }
    }

    #[test]
    fn fewer_members_than_dimensions_need_no_square() {
        let mut inverse = Inverse::new(65_536, 2).unwrap();
        let data = real_rows(2, 65_536, 1);
        for x in data.chunks_exact(65_536) {
            inverse.add(Simd::active().unwrap(), x, 0.1);
        }
        assert_eq!(inverse.vectors.capacity(), 2 * 65_536);
        assert_eq!(inverse.rows.capacity(), 0);
    }
}
