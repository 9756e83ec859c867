//! k-center.

use pyo3::prelude::*;
use sage_select_core::select;

use super::{Asked, Picks, Wishes, counted};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows far from each other, farthest first: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn k_center<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    wishes: Wishes,
    start: Option<usize>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let asked = Asked::of(py, &wishes)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::k_center(view, &asked.request(view.len())?, start, watch))?;
    Ok(counted(py, found))
}
