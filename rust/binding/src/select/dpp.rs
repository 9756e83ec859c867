//! The ridge determinant.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows that span much, by the determinant of their kernel with a ridge: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn ridge_dpp<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    quality: Option<PyArray>,
    request: RequestArg,
    eps: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let quality = quality.map(|quality| convert::values::<Float32Type>(py, &quality)).transpose()?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::ridge_dpp(view, quality.as_deref(), eps, &request.of(view.len())?, watch))?;
    Ok(counted(py, found))
}
