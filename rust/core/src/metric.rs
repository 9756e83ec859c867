//! Canonical arithmetic: the one definition of a dot product and of a squared distance.
//!
//! Both run over 16 float32 lanes: lane `l` takes the elements `l`, `l + 16`, `l + 32`, ... in that order by
//! fused multiply-add, the last group padded with zeros, and the lanes are summed as a tree: `l + (l + 8)`,
//! then `+ 4`, `+ 2`, `+ 1`. A distance takes `t = x - y` (rounded to float32) and sums `t * t`.
//!
//! These are the same IEEE operations in the same order on AVX-512 (one register), AVX2 (two), NEON (four)
//! and scalar hardware, so the bits are the same everywhere, and equal rows have distance exactly 0. Tiles of
//! several pairs only overlap independent sums; they change no sum's order.

use std::marker::PhantomData;

use crate::simd::{Kernel, LANES, Lanes, Simd};

/// How 16 pairs of elements enter the lanes.
pub(crate) trait Step {
    /// The lanes after the pairs.
    fn step<V: Lanes>(sums: V, x: V, y: V) -> V;
}

/// The dot product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dot;

/// The squared Euclidean distance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredDistance;

impl Step for Dot {
    #[inline(always)]
    fn step<V: Lanes>(sums: V, x: V, y: V) -> V {
        sums.plus_product(x, y)
    }
}

impl Step for SquaredDistance {
    #[inline(always)]
    fn step<V: Lanes>(sums: V, x: V, y: V) -> V {
        let t = x.minus(y);
        sums.plus_product(t, t)
    }
}

/// Consecutive rows of equal width.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    data: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `width` (at least 1) values each; a last incomplete row is not one.
    pub(crate) fn new(data: &'a [f32], width: usize) -> Self {
        Self { data, width }
    }

    /// How many rows there are.
    #[inline(always)]
    #[must_use]
    pub fn len(self) -> usize {
        self.data.len() / self.width
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Values in a row.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// The values, row after row.
    #[must_use]
    pub fn data(self) -> &'a [f32] {
        self.data
    }

    /// One row.
    #[inline(always)]
    #[must_use]
    pub fn row(self, row: usize) -> &'a [f32] {
        &self.data[row * self.width..][..self.width]
    }

    /// The rows `first..first + count`, fewer where they end before.
    #[must_use]
    pub fn part(self, first: usize, count: usize) -> Self {
        let end = self.len().min(first.saturating_add(count));
        Self { data: &self.data[first.min(end) * self.width..end * self.width], width: self.width }
    }
}

/// Elements that enter the lanes together.
type Group = [f32; LANES];

/// The last, incomplete group of 16 elements, which starts at `at`, padded with zeros.
fn padded(row: &[f32], at: usize) -> Group {
    let mut elements = [0.0; LANES];
    let rest = &row[at..];
    elements[..rest.len()].copy_from_slice(rest);
    elements
}

#[inline(always)]
fn advance<S: Step, V: Lanes, const R: usize, const C: usize>(
    sums: &mut [[V; C]; R],
    xs: [&Group; R],
    ys: [&Group; C],
) {
    let mut right = [V::zero(); C];
    for c in 0..C {
        right[c] = V::load(ys[c]);
    }
    for r in 0..R {
        let left = V::load(xs[r]);
        for c in 0..C {
            sums[r][c] = S::step(sums[r][c], left, right[c]);
        }
    }
}

/// The canonical values of all pairs of `R` rows with `C` rows, all of the same width.
#[inline(always)]
pub(crate) fn tile<S: Step, V: Lanes, const R: usize, const C: usize>(
    xs: [&[f32]; R],
    ys: [&[f32]; C],
) -> [[f32; C]; R] {
    let width = xs[0].len();
    let groups = width / LANES;
    let mut sums = [[V::zero(); C]; R];
    let (mut left, mut right): ([&[Group]; R], [&[Group]; C]) = ([&[]; R], [&[]; C]);
    for r in 0..R {
        left[r] = &xs[r].as_chunks().0[..groups];
    }
    for c in 0..C {
        right[c] = &ys[c].as_chunks().0[..groups];
    }
    for group in 0..groups {
        let (mut x, mut y) = ([&[0.0; LANES]; R], [&[0.0; LANES]; C]);
        for r in 0..R {
            x[r] = &left[r][group];
        }
        for c in 0..C {
            y[c] = &right[c][group];
        }
        advance::<S, V, R, C>(&mut sums, x, y);
    }
    if groups * LANES < width {
        let (mut x, mut y) = ([[0.0; LANES]; R], [[0.0; LANES]; C]);
        for r in 0..R {
            x[r] = padded(xs[r], groups * LANES);
        }
        for c in 0..C {
            y[c] = padded(ys[c], groups * LANES);
        }
        advance::<S, V, R, C>(&mut sums, x.each_ref(), y.each_ref());
    }
    let mut values = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            values[r][c] = sums[r][c].tree();
        }
    }
    values
}

/// Calls `sink(x, y, value)` for every pair of a row of `xs` with a row of `ys`, both few enough to stay in
/// cache.
///
/// For one `x` the `y` come in ascending order.
#[inline(always)]
pub(crate) fn for_each_pair<S: Step, V: Lanes, const R: usize, const C: usize>(
    xs: Rows<'_>,
    ys: Rows<'_>,
    mut sink: impl FnMut(usize, usize, f32),
) {
    let (rows, columns) = (xs.len(), ys.len());
    let (mut left, mut right) = ([&[][..]; R], [&[][..]; C]);
    for c in (0..columns).step_by(C) {
        // At the edge the last row is taken again and its extra values are left out.
        for (j, row) in right.iter_mut().enumerate() {
            *row = ys.row((c + j).min(columns - 1));
        }
        for r in (0..rows).step_by(R) {
            for (i, row) in left.iter_mut().enumerate() {
                *row = xs.row((r + i).min(rows - 1));
            }
            let values = tile::<S, V, R, C>(left, right);
            for (i, line) in values.iter().enumerate().take(rows - r) {
                for (j, value) in line.iter().enumerate().take(columns - c) {
                    sink(r + i, c + j, *value);
                }
            }
        }
    }
}

struct One<'a, S> {
    x: &'a [f32],
    y: &'a [f32],
    step: PhantomData<S>,
}

impl<S: Step> Kernel for One<'_, S> {
    type Output = f32;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f32 {
        let width = self.x.len().min(self.y.len());
        tile::<S, V, 1, 1>([&self.x[..width]], [&self.y[..width]])[0][0]
    }
}

/// The canonical sum over two rows, as far as the shorter one goes.
pub(crate) fn of<S: Step>(simd: Simd, x: &[f32], y: &[f32]) -> f32 {
    simd.run(One::<S> { x, y, step: PhantomData })
}

/// The canonical dot product of two rows, as far as the shorter one goes.
#[must_use]
pub fn dot(simd: Simd, x: &[f32], y: &[f32]) -> f32 {
    of::<Dot>(simd, x, y)
}

/// The canonical squared distance of two rows, as far as the shorter one goes.
#[must_use]
pub fn squared_distance(simd: Simd, x: &[f32], y: &[f32]) -> f32 {
    of::<SquaredDistance>(simd, x, y)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, one element at a time.
    fn plain(x: &[f32], y: &[f32], pair: impl Fn(f32, f32, f32) -> f32) -> f32 {
        let mut lanes = [0.0f32; LANES];
        for at in 0..x.len().next_multiple_of(LANES) {
            let (a, b) = (x.get(at).copied().unwrap_or(0.0), y.get(at).copied().unwrap_or(0.0));
            lanes[at % LANES] = pair(lanes[at % LANES], a, b);
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    fn plain_dot(x: &[f32], y: &[f32]) -> f32 {
        plain(x, y, |lane, a, b| a.mul_add(b, lane))
    }

    fn plain_distance(x: &[f32], y: &[f32]) -> f32 {
        plain(x, y, |lane, a, b| (a - b).mul_add(a - b, lane))
    }

    fn pair_of_rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        (1usize..100).prop_flat_map(|width| {
            let value = prop_oneof![-2.0f32..2.0, -1e-20f32..1e-20, -1e15f32..1e15, Just(-0.0)];
            (prop::collection::vec(value.clone(), width), prop::collection::vec(value, width))
        })
    }

    /// All pairs of rows by tiles.
    struct All<'a, S> {
        rows: Rows<'a>,
        out: &'a mut [u32],
        step: PhantomData<S>,
    }

    impl<S: Step> Kernel for All<'_, S> {
        type Output = ();
        #[inline(always)]
        fn run<V: Lanes, const R: usize, const C: usize>(self) {
            let Self { rows, out, .. } = self;
            for_each_pair::<S, V, R, C>(rows, rows, |x, y, value| out[x * rows.len() + y] = value.to_bits());
        }
    }

    proptest! {
        #[test]
        fn every_instruction_set_gives_the_bits_of_the_definition((x, y) in pair_of_rows()) {
            for simd in Simd::available() {
                prop_assert_eq!(dot(simd, &x, &y).to_bits(), plain_dot(&x, &y).to_bits());
                prop_assert_eq!(squared_distance(simd, &x, &y).to_bits(), plain_distance(&x, &y).to_bits());
                prop_assert_eq!(dot(simd, &y, &x).to_bits(), dot(simd, &x, &y).to_bits());
                prop_assert_eq!(squared_distance(simd, &x, &x), 0.0);
            }
        }

        #[test]
        fn values_are_near_those_of_float64((x, y) in pair_of_rows()) {
            let wide = |row: &[f32]| row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
            let (a, b) = (wide(&x), wide(&y));
            let products: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
            // Each element is rounded at most (width / 16 + 5) times, by half an ulp of at most the sum of
            // sizes.
            let steps = x.len() as f64 / 16.0 + 6.0;
            let bound = |sizes: f64| steps * sizes * f64::from(f32::EPSILON) + 1e-38;
            let sizes = products.iter().map(|product| product.abs()).sum();
            let simd = Simd::active().unwrap();
            prop_assert!((f64::from(dot(simd, &x, &y)) - products.iter().sum::<f64>()).abs() <= bound(sizes));
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
            prop_assert!((f64::from(squared_distance(simd, &x, &y)) - exact).abs() <= bound(3.0 * exact));
        }

        #[test]
        fn tiles_give_the_bits_of_single_pairs(width in 1usize..40, rows in 1usize..15, seed: u64) {
            let word = |at: usize| crate::rng::keyed_hash(seed, at as u64);
            let data: Vec<f32> = (0..rows * width).map(|at| word(at) as i16 as f32 / 1000.0).collect();
            let rows = Rows::new(&data, width);
            for simd in Simd::available() {
                let (mut dots, mut distances) = (vec![0; rows.len().pow(2)], vec![0; rows.len().pow(2)]);
                simd.run(All::<Dot> { rows, out: &mut dots, step: PhantomData });
                simd.run(All::<SquaredDistance> { rows, out: &mut distances, step: PhantomData });
                for (at, (&dots, &distances)) in dots.iter().zip(&distances).enumerate() {
                    let (x, y) = (rows.row(at / rows.len()), rows.row(at % rows.len()));
                    prop_assert_eq!(dots, plain_dot(x, y).to_bits());
                    prop_assert_eq!(distances, plain_distance(x, y).to_bits());
                }
            }
        }
    }

    #[test]
    fn parts_end_where_the_rows_end() {
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let rows = Rows::new(&data, 2);
        assert_eq!(rows.part(1, 9).data(), &data[2..]);
        assert_eq!(rows.part(1, 1).row(0), [3.0, 4.0]);
        assert!(rows.part(7, 1).is_empty());
    }
}
