//! Facility location.

use pyo3::prelude::*;
use sage_select_core::select;

use super::similarities::{Greedy, Held, Similarities, greedy};
use super::{Asked, Wishes};
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows that represent all rows: (rows, gains, gains computed, how the similarities were held, recall).
#[pyfunction]
pub(crate) fn facility_location<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    wishes: Wishes,
    similarities: Similarities,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Greedy<'py>> {
    let (asked, held) = (Asked::of(py, &wishes)?, Held::of(py, &similarities)?);
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::facility_location(view, &asked.request(view.len())?, held.options(), watch))?;
    Ok(greedy(py, found))
}
