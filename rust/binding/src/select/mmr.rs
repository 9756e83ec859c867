//! Maximal marginal relevance.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Request};

use super::{Picks, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Relevant rows that do not resemble those picked before: (rows, gains, pairs compared).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn mmr<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    relevance: PyArray,
    k: usize,
    given: PyArray,
    weight: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let relevance = convert::values::<Float32Type>(py, &relevance)?;
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::mmr(view, &relevance, weight, &Request::new(view.len(), k, &given)?, watch))?;
    Ok(counted(py, found))
}
