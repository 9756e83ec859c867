//! Keys that only fall as the set grows, by an amount that each member adds: those of the ridge determinant.
//!
//! Each row has a key, and the row of the largest is picked. A row that joins the set becomes a member with a
//! vector of its own, and all that a member does to another row's key follows from one canonical dot product,
//! that of the row with the member's vector. [`plain`] is the definition; [`lazy`] gives the same picks and
//! the same keys from fewer dot products.

mod lazy;
mod plain;

use super::{Request, Selection};
use crate::metric::Rows;
use crate::simd::Simd;
use crate::{Control, Error};

pub(super) use lazy::Pool;

/// A rule for keys that never rise when the set grows.
///
/// Computed keys must keep that law exactly, not only up to rounding. Members are folded in the order in
/// which they joined, so the bits of a key do not depend on when it was brought up to date.
pub(super) trait Falling: Sync {
    /// What is kept of a row: all that the members folded so far did to it.
    type State: Copy + Send + Sync;

    /// The rows to pick from.
    fn rows(&self) -> Rows<'_>;
    /// The instruction set to work with.
    fn simd(&self) -> Simd;
    /// What the first pick is chosen by where nothing is given. Finite.
    fn alone(&self, row: usize) -> f64;
    /// The state of a row that has met no member.
    fn fresh(&self, row: usize) -> Self::State;
    /// The state after one more member, whose vector has this dot product with the row.
    fn folded(state: Self::State, value: f32) -> Self::State;
    /// The key of a row that has met at least one member. Finite, and never -0, which would lose against +0.
    fn key(&self, row: usize, state: Self::State) -> f64;
    /// Adds a row to the set.
    fn join(&mut self, row: usize);
    /// The vectors of the members, in the order in which they joined.
    fn members(&self) -> Rows<'_>;
}

/// Picks by the definition: every member is folded into every row at once.
pub(super) fn plain(
    keys: impl Falling,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let start = start(&keys, request)?;
    plain::pick(keys, request, start, control)
}

/// The same picks and keys; tells how many dot products they took. `pool` decides the time, not the picks.
pub(super) fn lazy(
    keys: impl Falling,
    request: &Request<'_>,
    pool: Pool,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let start = start(&keys, request)?;
    lazy::pick(keys, request, start, pool, control)
}

/// The first pick, where nothing is given: the row that is best alone, the lowest of equal ones.
fn start(keys: &impl Falling, request: &Request<'_>) -> Result<Option<usize>, Error> {
    if !request.given().is_empty() || request.count() == 0 {
        return Ok(None);
    }
    let rows = keys.rows().len();
    let admission = request.admission()?;
    // The last of equal ones is kept, and the rows come from the end.
    let open = (0..rows).rev().filter(|&row| admission.is_open(row));
    Ok(open.max_by(|&a, &b| keys.alone(a).total_cmp(&keys.alone(b))))
}
