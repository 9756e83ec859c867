//! k-center.

use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Request};

use super::{Picks, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows far from each other, farthest first: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn k_center<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    k: usize,
    given: PyArray,
    start: Option<usize>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::k_center(view, &Request::new(view.len(), k, &given)?, start, watch))?;
    Ok(counted(py, found))
}
