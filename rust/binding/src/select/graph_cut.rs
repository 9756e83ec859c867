//! Graph cut.

use pyo3::prelude::*;
use sage_select_core::select;

use super::RequestArg;
use super::similarities::{Greedy, SimilaritiesArg, greedy};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows like many rows and unlike each other: (rows, gains, gains computed, how the similarities were held, recall).
#[pyfunction]
pub(crate) fn graph_cut<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    weight: f64,
    request: RequestArg,
    similarities: SimilaritiesArg,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Greedy<'py>> {
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        select::graph_cut(view, weight, &request.of(view.len())?, similarities.options(), watch)
    })?;
    Ok(greedy(py, found))
}
