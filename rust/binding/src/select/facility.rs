//! Facility location.

use pyo3::prelude::*;
use sage_select_core::select;

use super::RequestArg;
use super::similarities::{Greedy, SimilaritiesArg, greedy};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows that represent all rows: (rows, gains, gains computed, how the similarities were held, recall).
#[pyfunction]
pub(crate) fn facility_location<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    request: RequestArg,
    similarities: SimilaritiesArg,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Greedy<'py>> {
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        select::facility_location(view, &request.of(view.len())?, similarities.options(), watch)
    })?;
    Ok(greedy(py, found))
}
