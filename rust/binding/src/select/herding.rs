//! Herding.

use pyo3::prelude::*;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows whose running mean follows the mean of all: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn herding<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    request: RequestArg,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let view = matrix.view();
    let found =
        Call { py, threads, progress }.run(|watch| select::herding(view, &request.of(view.len())?, watch))?;
    Ok(counted(py, found))
}
