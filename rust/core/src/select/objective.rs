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
    /// A number that is cheaper to have than the gain and never less; none where there is nothing cheaper.
    fn bound(&self, _row: usize) -> Option<f64> {
        None
    }
    /// The gain of a row whose bound is above all others; it may change how later gains are computed, and changes none.
    fn refine(&mut self, row: usize) -> f64 {
        self.gain(row)
    }
    /// Adds `row` to the set.
    fn commit(&mut self, row: usize);
}
