//! Graph cut.

use pyo3::prelude::*;
use sage_select_core::select;

use super::similarities::{Greedy, Held, Similarities, greedy};
use super::{Asked, Wishes};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows like many rows and unlike each other: (rows, gains, gains computed, how the similarities were held, recall).
#[pyfunction]
pub(crate) fn graph_cut<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    weight: f64,
    wishes: Wishes,
    similarities: Similarities,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Greedy<'py>> {
    let (asked, held) = (Asked::of(py, &wishes)?, Held::of(py, &similarities)?);
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::graph_cut(view, weight, &asked.request(view.len())?, held.options(), watch))?;
    Ok(greedy(py, found))
}
