//! Facility location.

use arrow_array::types::Float32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells, FacilityOptions};

use super::{Asked, Gains, Rows, Wishes, picks};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows that represent all rows: (rows, gains, gains computed, how the similarities were held, recall).
///
/// Neighbours are looked for in the `probe` cells nearest to a row's own; everywhere without `centroids`.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn facility_location<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    wishes: Wishes,
    neighbours: usize,
    dense_limit: usize,
    centroids: Option<PyArray>,
    probe: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Rows<'py>, Gains<'py>, u64, &'static str, f64)> {
    let asked = Asked::of(py, &wishes)?;
    let view = matrix.view();
    let centroids = centroids.map(|centroids| convert::values::<Float32Type>(py, &centroids)).transpose()?;
    let cells = centroids.as_ref().map(|centroids| Cells { centroids, probe });
    let options = FacilityOptions { neighbours, dense_limit, cells };
    let found = Call { py, threads, progress }
        .run(|watch| select::facility_location(view, &asked.request(view.len())?, options, watch))?;
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, found.evaluations, found.method.name(), found.recall))
}
