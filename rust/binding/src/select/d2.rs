//! D2 sampling.

use arrow_array::types::UInt32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows drawn by their squared distances to those before: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn d2<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    request: RequestArg,
    key: u64,
    order: Option<PyArray>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let order = order.map(|order| convert::values::<UInt32Type>(py, &order)).transpose()?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::d2(view, &request.of(view.len())?, key, order.as_deref(), watch))?;
    Ok(counted(py, found))
}
