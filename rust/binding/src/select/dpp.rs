//! The ridge determinant.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Request};

use super::{Picks, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows that span much, by the determinant of their kernel with a ridge: (rows, gains, pairs compared).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn ridge_dpp<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    quality: Option<PyArray>,
    k: usize,
    given: PyArray,
    eps: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let quality = quality.map(|quality| convert::values::<Float32Type>(py, &quality)).transpose()?;
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        select::ridge_dpp(view, quality.as_deref(), eps, &Request::new(view.len(), k, &given)?, watch)
    })?;
    Ok(counted(py, found))
}
