//! Distances under any metric: the squared distance, or minus the dot product; the nearer, the smaller.

use std::marker::PhantomData;

use crate::matrix::{MatrixView, Metric};
use crate::metric::{Dot, Rows, SquaredDistance, Step, for_each_pair};
use crate::quantise::{self, Measure, Quantised};
use crate::simd::{Kernel, Lanes, Simd};
use crate::{Control, Error};

/// Rows whose distances to one are summed side by side.
const ABREAST: usize = 4;

/// How rows are compared: by the canonical squared distance, or by minus the canonical dot product, which is called
/// their distance as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct DistanceMetric {
    metric: Metric,
    simd: Simd,
}

impl DistanceMetric {
    pub(super) fn of(matrix: MatrixView<'_>) -> Self {
        Self { metric: matrix.metric, simd: matrix.simd }
    }

    /// The distance of each of `others` to the row `x`, in their order.
    pub(super) fn to_each(self, x: &[f32], others: Rows<'_>, distances: &mut [f32]) {
        let x = Rows::new(x, others.width());
        if self.metric == Metric::SquaredEuclidean {
            self.simd.run(ToEach::<SquaredDistance> { x, others, distances, step: PhantomData });
        } else {
            self.simd.run(ToEach::<Dot> { x, others, distances, step: PhantomData });
            // Not the sign alone: no number here is -0, which an order would tell from +0.
            distances.iter_mut().for_each(|distance| *distance = 0.0 - *distance);
        }
    }

    /// The distance of two rows.
    pub(super) fn between(self, x: &[f32], y: &[f32]) -> f32 {
        let mut distance = [0.0];
        self.to_each(x, Rows::new(y, y.len()), &mut distance);
        distance[0]
    }

    /// The similarity or squared distance at a distance; never -0.
    pub(super) fn value(self, distance: f32) -> f32 {
        if self.metric == Metric::SquaredEuclidean { distance } else { 0.0 - distance }
    }

    /// The distance at a similarity or squared distance.
    pub(super) fn distance(self, value: f64) -> f64 {
        if self.metric == Metric::SquaredEuclidean { value } else { -value }
    }

    /// A length that no row of the matrix exceeds.
    pub(super) fn longest(self, rows: Rows<'_>, control: &impl Control) -> Result<f32, Error> {
        if self.metric == Metric::Cosine {
            Ok(quantise::UNIT)
        } else {
            quantise::longest(rows, self.simd, control)
        }
    }

    /// Rows, none longer than `longest`, ready for approximate distances.
    pub(super) fn quantised(
        self,
        rows: Rows<'_>,
        longest: f32,
        control: &impl Control,
    ) -> Result<Quantised, Error> {
        let squared = self.metric == Metric::SquaredEuclidean;
        let measure = if squared { Measure::SquaredDistance } else { Measure::NegativeDot };
        Quantised::within(rows, longest, measure, self.simd, control)
    }
}

struct ToEach<'a, S> {
    x: Rows<'a>,
    others: Rows<'a>,
    distances: &'a mut [f32],
    step: PhantomData<S>,
}

impl<S: Step> Kernel for ToEach<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let distances = self.distances;
        for_each_pair::<S, V, ABREAST, 1>(self.others, self.x, |row, _, value| distances[row] = value);
    }
}
