//! How near rows are to a set of rows.

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::matrix::{MatrixView, Metric};
use sage_select_core::select;

use super::Picks;
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// The member nearest to each row, of (rows, members): (members, similarities or squared distances, pairs compared).
///
/// With `by_distance` squared distances count under every metric. Without `itself` no row is its own member.
#[pyfunction]
pub(crate) fn closest<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    sets: (PyArray, PyArray),
    itself: bool,
    by_distance: bool,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let (rows, members) = (convert::row_numbers(py, &sets.0)?, convert::row_numbers(py, &sets.1)?);
    let view = matrix.view();
    let metric = if by_distance { Metric::SquaredEuclidean } else { view.metric };
    let view = MatrixView { metric, ..view };
    let found =
        Call { py, threads, progress }.run(|watch| select::closest(view, &rows, &members, itself, watch))?;
    let members = convert::indices(&found.members).into_pyarray(py);
    Ok((members, found.values.into_pyarray(py), found.evaluations))
}
