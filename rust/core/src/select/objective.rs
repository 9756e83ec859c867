//! What is worth picking.

/// A set function that never gains more from a row when the set has grown.
///
/// Computed values must keep that law exactly, not only up to rounding: `gain(row)` as a number must not rise
/// with a `commit`. Sums of non-negative terms in a fixed order do, since rounding is monotone. Then a gain
/// computed earlier is an upper bound, and [`super::optimizer::lazy`] picks what [`super::optimizer::plain`]
/// picks.
pub trait Objective: Sync {
    /// How many rows there are.
    fn rows(&self) -> usize;
    /// What the set would gain from `row`. Never NaN.
    fn gain(&self, row: usize) -> f64;
    /// Adds `row` to the set.
    fn commit(&mut self, row: usize);
}
