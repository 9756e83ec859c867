//! A projection of the rows to few coordinates, in int16, as a filter: rows too far apart in these are so in all.
//!
//! The squared distance in some coordinates is at most that in all, and rows of length 1 whose similarity is at least
//! `s` are no farther apart than `2 - 2 s`. The coordinates are those of largest variance, as many as minimise the
//! work: with more of them canonical arithmetic decides fewer pairs.

use crate::blocks;
use crate::matrix::{MatrixView, Metric, UNIT_TOLERANCE};
use crate::metric::Rows;
use crate::quantise::{Measure, Quantised};
use crate::simd::LANES;
use crate::{Control, Error};

/// Rows in a block while coordinates are gathered.
const BLOCK: usize = 1024;
/// Rows from which variances are estimated.
const VARIANCE_SAMPLE: usize = 4096;
/// Maximum rows whose pairs tell how many coordinates it takes, and values of all these pairs.
const PAIR_SAMPLE: usize = 256;
const PAIR_VALUES: usize = 1 << 24;
/// What a pair costs that canonical arithmetic has to decide, in multiply-adds of int16 for each of its dimensions.
const DECIDED: f64 = 100.0;

pub(super) struct ProjectionFilter {
    pub(super) quantised: Quantised,
    /// What is added to a distance for all roundings.
    tolerance: f64,
}

impl ProjectionFilter {
    pub(super) fn new(matrix: MatrixView<'_>, threshold: f64, control: &impl Control) -> Result<Self, Error> {
        let (n, full) = (matrix.len(), matrix.rows.width());
        let axes = axes(matrix.rows, threshold);
        let width = axes.len();
        let gathered = if width < full {
            let mut values = blocks::zeroed::<f32>(n.saturating_mul(width))?;
            blocks::fill(&mut values, width, BLOCK, control, |first, block| {
                for (row, to) in (first..).zip(block.chunks_exact_mut(width)) {
                    let x = matrix.rows.row(row);
                    to.iter_mut().zip(&axes).for_each(|(to, &axis)| *to = x[axis]);
                }
                Ok(())
            })?;
            values
        } else {
            Vec::new()
        };
        let rows = if width < full { Rows::new(&gathered, width) } else { matrix.rows };
        let view = MatrixView { rows, metric: Metric::SquaredEuclidean, simd: matrix.simd };
        let quantised = Quantised::new(view, Measure::SquaredDistance, control)?;
        // Rows may be a little longer than 1, and canonical similarities are rounded.
        let rounded = (full as f64 / LANES as f64 + 16.0) * f64::from(f32::EPSILON);
        let tolerance = 2.0 * UNIT_TOLERANCE + 2.0 * rounded + f64::from(quantised.slack());
        Ok(Self { quantised, tolerance })
    }

    /// No approximate distance of rows with at least this canonical similarity is above this.
    pub(super) fn bound(&self, similarity: f64) -> f32 {
        let distance = 2.0 - 2.0 * similarity + self.tolerance;
        // Rounded up.
        (distance + distance.abs() * 1e-6) as f32
    }
}

/// The coordinates of the projection: those of largest variance, the lowest of equal ones, a multiple of 16 or all.
pub(super) fn axes(rows: Rows<'_>, threshold: f64) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..rows.width()).collect();
    let variances = variances(rows);
    axes.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]).then(a.cmp(&b)));
    axes.truncate(best_width(rows, &axes, 2.0 - 2.0 * threshold));
    // Ascending, all of them are the rows themselves.
    axes.sort_unstable();
    axes
}

/// The variance of each coordinate in some rows.
fn variances(rows: Rows<'_>) -> Vec<f64> {
    let (mut sums, mut squares) = (vec![0.0f64; rows.width()], vec![0.0f64; rows.width()]);
    let sample = spaced(rows.len(), VARIANCE_SAMPLE);
    for &row in &sample {
        for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(rows.row(row)) {
            *sum += f64::from(x);
            *square += f64::from(x) * f64::from(x);
        }
    }
    let count = sample.len().max(1) as f64;
    sums.iter().zip(&squares).map(|(sum, square)| square / count - (sum / count) * (sum / count)).collect()
}

/// How many of the axes minimise the work, where canonical arithmetic decides the pairs up to this squared distance.
fn best_width(rows: Rows<'_>, axes: &[usize], limit: f64) -> usize {
    let width = axes.len();
    let max = ((2 * PAIR_VALUES / width) as f64).sqrt() as usize;
    let sample = spaced(rows.len(), max.clamp(2, PAIR_SAMPLE));
    // Of the pairs, how many are near enough in the first 16, 32, ... axes.
    let mut near = vec![0u32; width.div_ceil(LANES)];
    let mut pairs = 0u32;
    for (place, &row) in sample.iter().enumerate() {
        for &other in &sample[..place] {
            let (x, y) = (rows.row(row), rows.row(other));
            let mut sum = 0.0;
            for (group, near) in axes.chunks(LANES).zip(&mut near) {
                sum += group.iter().map(|&axis| f64::from(x[axis] - y[axis]).powi(2)).sum::<f64>();
                if sum > limit {
                    break;
                }
                *near += 1;
            }
            pairs += 1;
        }
    }
    let cost = |&groups: &usize| {
        let decided = f64::from(near[groups - 1] + 1) / f64::from(pairs + 1);
        (groups * LANES) as f64 + decided * DECIDED * width as f64
    };
    let best = (1..=near.len()).min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.map_or(width, |groups| width.min(groups * LANES))
}

/// Up to so many of `count` numbers, evenly spaced.
pub(super) fn spaced(count: usize, max: usize) -> Vec<usize> {
    let wanted = count.min(max);
    (0..wanted).map(|at| at * count / wanted).collect()
}
