//! k-center.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, KCenterOptions};

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows far from each other, farthest first: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn k_center<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    request: RequestArg,
    weights: Option<PyArray>,
    start: Option<usize>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let weights = weights.map(|weights| convert::values::<Float32Type>(py, &weights)).transpose()?;
    let view = matrix.view();
    let options = KCenterOptions { weights: weights.as_deref(), start };
    let found = Call { py, threads, progress }
        .run(|watch| select::k_center(view, options, &request.of(view.len())?, watch))?;
    Ok(counted(py, found))
}
