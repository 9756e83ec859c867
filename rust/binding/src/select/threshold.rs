//! The threshold filter.

use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Asked, Gains, Rows, Wishes, picks};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows in order, without those too near to one before: (rows, gains, entries looked at, rows too near, pairs compared).
#[pyfunction]
pub(crate) fn threshold_filter<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    order: PyArray,
    wishes: Wishes,
    threshold: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Rows<'py>, Gains<'py>, u64, u64, u64)> {
    let order = convert::row_numbers(py, &order)?;
    let asked = Asked::of(py, &wishes)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::threshold_filter(view, &order, threshold, &asked.request(view.len())?, watch))?;
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, found.looked_at, found.too_near, found.evaluations))
}
