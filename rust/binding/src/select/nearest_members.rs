//! The member of a set nearest to each row.

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
/// With `by_distance` squared distances count under every metric. Without `include_self` no row is compared with
/// itself.
#[pyfunction]
pub(crate) fn nearest_members<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    sets: (PyArray, PyArray),
    include_self: bool,
    by_distance: bool,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let (rows, members) = (convert::row_numbers(py, &sets.0)?, convert::row_numbers(py, &sets.1)?);
    let view = matrix.view();
    let metric = if by_distance { Metric::SquaredEuclidean } else { view.metric };
    let view = MatrixView { metric, ..view };
    let found = Call { py, threads, progress }
        .run(|watch| select::nearest_members(view, &rows, &members, include_self, watch))?;
    let members = convert::indices(&found.members).into_pyarray(py);
    Ok((members, found.values.into_pyarray(py), found.evaluations))
}
