//! Keys that follow from the distance of a row to the nearest member of the set: what k-center and maximal marginal
//! relevance have in common. [`plain`] is the definition; [`lazy`] gives the same picks and keys from few comparisons.

mod lazy;
mod plain;

use super::{Counted, Request, Selection};
use crate::matrix::MatrixView;
use crate::metric::Step;
use crate::quantise::Measure;
use crate::{Control, Error};

pub(super) use lazy::Sizes;

/// How the key of a row follows from its distance to the nearest member.
pub(super) trait NearestKey: Sync {
    /// How the pairs of elements of two rows are summed, in canonical arithmetic.
    type Step: Step;
    /// The same in int16.
    const MEASURE: Measure;
    /// No distance is below this.
    const LEAST: f32;

    /// The distance of a sum: the smaller, the nearer.
    fn distance(sum: f32) -> f32;
    /// The key of a row at this distance from the nearest member; it never rises when the distance falls. Finite, and
    /// never -0, which would lose against +0.
    fn key(&self, row: u32, distance: f32) -> f64;
}

/// Picks by the definition: every pick is compared with every row. The first is `start` where there is one, with NaN
/// for its gain.
pub(super) fn plain<N: NearestKey>(
    matrix: MatrixView<'_>,
    keys: &N,
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    plain::pick(matrix, keys, request, start, control)
}

/// The same picks and keys, and how many pairs were compared. `sizes` decide the time, not the picks.
pub(super) fn lazy<N: NearestKey>(
    matrix: MatrixView<'_>,
    keys: &N,
    request: &Request<'_>,
    start: Option<usize>,
    sizes: Sizes,
    control: &impl Control,
) -> Result<Counted, Error> {
    let (selection, evaluations) = lazy::pick(matrix, keys, request, start, sizes, control)?;
    Ok(Counted { selection, evaluations })
}
