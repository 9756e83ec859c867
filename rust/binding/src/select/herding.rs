//! Herding.

use arrow_array::types::Float64Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows whose running mean follows the mean of all, or another: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn herding<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    request: RequestArg,
    mean: Option<PyArray>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let view = matrix.view();
    let mean = mean.as_ref().map(|mean| convert::values::<Float64Type>(py, mean)).transpose()?;
    let found = Call { py, threads, progress }
        .run(|watch| select::herding(view, &request.of(view.len())?, mean.as_deref(), watch))?;
    Ok(counted(py, found))
}
