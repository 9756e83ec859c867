//! The threshold filter.

use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Gains, Indices, RequestArg, picks};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows in order, without those too near to one before: (rows, gains, entries examined, rows too near, pairs compared).
#[pyfunction]
pub(crate) fn threshold_filter<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    order: PyArray,
    request: RequestArg,
    threshold: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Indices<'py>, Gains<'py>, u64, u64, u64)> {
    let order = convert::row_numbers(py, &order)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::threshold_filter(view, &order, threshold, &request.of(view.len())?, watch))?;
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, found.examined, found.too_near, found.evaluations))
}
