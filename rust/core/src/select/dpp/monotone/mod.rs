//! Monotone keys: they never rise as the set grows, and each member lowers them by an amount of its own, as those of
//! the ridge determinant do.
//!
//! Each row has a key, and the row of the largest is picked. A row that is added to the set becomes a member with a
//! vector of its own, and what a member does to another row's key follows from one canonical dot product, that of the
//! row with the member's vector. [`plain`] is the definition; [`lazy`] gives the same picks and the same keys from
//! fewer dot products.

mod lazy;
mod plain;

use super::super::{Request, Selection};
use crate::metric::Rows;
use crate::simd::Simd;
use crate::{Control, Error};

pub(super) use lazy::WorkingSet;

/// A rule for keys that never rise when the set grows.
///
/// Computed keys must keep that law exactly, not only up to rounding. States are updated by members in the order in
/// which these were added, so the bits of a key do not depend on when it was brought up to date.
pub(super) trait MonotoneKey: Sync {
    /// What the members did to a row so far.
    type State: Copy + Send + Sync;

    /// The rows to pick from.
    fn rows(&self) -> Rows<'_>;
    /// The instruction set to work with.
    fn simd(&self) -> Simd;
    /// What the first pick is chosen by where nothing is preselected. Finite.
    fn initial_key(&self, row: usize) -> f64;
    /// The state of a row without members.
    fn init(&self, row: usize) -> Self::State;
    /// The state after one more member, whose vector has this dot product with the row.
    fn update(state: Self::State, value: f32) -> Self::State;
    /// The key of a row after at least one member. Finite, and never -0, which would lose against +0.
    fn key(&self, row: usize, state: Self::State) -> f64;
    /// Adds a row to the set.
    fn add(&mut self, row: usize);
    /// The vectors of the members, in the order in which they were added.
    fn members(&self) -> Rows<'_>;
}

/// Picks by the definition: every member updates every row at once.
pub(super) fn plain(
    keys: impl MonotoneKey,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let start = start(&keys, request)?;
    plain::pick(keys, request, start, control)
}

/// The same picks and keys, and how many dot products they took. `working_set` decides the time, not the picks.
pub(super) fn lazy(
    keys: impl MonotoneKey,
    request: &Request<'_>,
    working_set: WorkingSet,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let start = start(&keys, request)?;
    lazy::pick(keys, request, start, working_set, control)
}

/// The first pick, where nothing is preselected: the row of largest initial key, the lowest of equal ones.
fn start(keys: &impl MonotoneKey, request: &Request<'_>) -> Result<Option<usize>, Error> {
    if !request.preselected().is_empty() || request.count() == 0 {
        return Ok(None);
    }
    let rows = keys.rows().len();
    let candidates = request.candidates()?;
    // `max_by` gives the last of equal ones, and the rows come from the end.
    let rows = (0..rows).rev().filter(|&row| candidates.contains(row));
    Ok(rows.max_by(|&a, &b| keys.initial_key(a).total_cmp(&keys.initial_key(b))))
}
