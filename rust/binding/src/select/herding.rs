//! Herding.

use pyo3::prelude::*;
use sage_select_core::select;

use super::{Asked, Picks, Wishes, counted};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows whose running mean follows the mean of all: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn herding<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    wishes: Wishes,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let asked = Asked::of(py, &wishes)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::herding(view, &asked.request(view.len())?, watch))?;
    Ok(counted(py, found))
}
