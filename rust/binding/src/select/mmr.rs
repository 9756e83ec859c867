//! Maximal marginal relevance.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Relevant rows that do not resemble those picked before: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn mmr<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    relevance: PyArray,
    request: RequestArg,
    weight: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let relevance = convert::values::<Float32Type>(py, &relevance)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::mmr(view, &relevance, weight, &request.of(view.len())?, watch))?;
    Ok(counted(py, found))
}
