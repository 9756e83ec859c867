//! Near and far under any metric, as one number: the nearer, the less.

use std::marker::PhantomData;

use crate::matrix::{MatrixView, Metric};
use crate::metric::{Dot, Rows, SquaredDistance, Step, for_each_pair};
use crate::quantise::{self, Measure, Quantised};
use crate::simd::{Kernel, Lanes, Simd};
use crate::{Control, Error};

/// Rows of length 1 are not longer than this, whatever their rounding.
const UNIT: f32 = 1.001;
/// Rows whose distances to one are summed side by side.
const ABREAST: usize = 4;

/// How rows are compared: by the canonical squared distance, or by minus the canonical dot product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nearness {
    metric: Metric,
    simd: Simd,
}

impl Nearness {
    pub(super) fn of(matrix: MatrixView<'_>) -> Self {
        Self { metric: matrix.metric, simd: matrix.simd }
    }

    /// How far each of `others` is from the row `x`, in their order.
    pub(super) fn all(self, x: &[f32], others: Rows<'_>, far: &mut [f32]) {
        let x = Rows::new(x, others.width());
        if self.metric == Metric::SquaredEuclidean {
            self.simd.run(All::<SquaredDistance> { x, others, far, step: PhantomData });
        } else {
            self.simd.run(All::<Dot> { x, others, far, step: PhantomData });
            // Not the sign alone: no number here is -0, which an order would tell from +0.
            far.iter_mut().for_each(|far| *far = 0.0 - *far);
        }
    }

    /// How far two rows are apart.
    pub(super) fn between(self, x: &[f32], y: &[f32]) -> f32 {
        let mut far = [0.0];
        self.all(x, Rows::new(y, y.len()), &mut far);
        far[0]
    }

    /// The similarity or squared distance that a number means; never -0.
    pub(super) fn meaning(self, far: f32) -> f32 {
        if self.metric == Metric::SquaredEuclidean { far } else { 0.0 - far }
    }

    /// What is as far as this similarity or squared distance.
    pub(super) fn far(self, meaning: f64) -> f64 {
        if self.metric == Metric::SquaredEuclidean { meaning } else { -meaning }
    }

    /// A length that no row of the matrix exceeds.
    pub(super) fn longest(self, rows: Rows<'_>, control: &impl Control) -> Result<f32, Error> {
        if self.metric == Metric::Cosine { Ok(UNIT) } else { quantise::longest(rows, self.simd, control) }
    }

    /// Rows, none longer than `longest`, whose approximate distances tell how far they are apart.
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

struct All<'a, S> {
    x: Rows<'a>,
    others: Rows<'a>,
    far: &'a mut [f32],
    step: PhantomData<S>,
}

impl<S: Step> Kernel for All<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let far = self.far;
        for_each_pair::<S, V, ABREAST, 1>(self.others, self.x, |row, _, value| far[row] = value);
    }
}
