//! D2 sampling.

use pyo3::prelude::*;
use sage_select_core::select;

use super::{Asked, Picks, Wishes, counted};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows drawn by their squared distances to those before: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn d2<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    wishes: Wishes,
    key: u64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let asked = Asked::of(py, &wishes)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::d2(view, &asked.request(view.len())?, key, watch))?;
    Ok(counted(py, found))
}
