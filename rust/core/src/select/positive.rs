//! Numbers that rows bring along and that must be above zero.

use crate::Error;

/// Refuses another number of values than rows, and values that are not finite or not above zero.
pub(super) fn check_positive(what: &'static str, values: &[f32], rows: usize) -> Result<(), Error> {
    if values.len() != rows {
        return Err(Error::Shape { what, expected: rows, got: values.len() });
    }
    match values.iter().position(|&value| !(value.is_finite() && value > 0.0)) {
        Some(row) if values[row].is_finite() => Err(Error::NotPositive { row }),
        Some(row) => Err(Error::NotFinite { row }),
        None => Ok(()),
    }
}
