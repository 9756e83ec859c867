//! Near duplicates.

use arrow_array::types::Float32Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells};

use super::Indices;
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Representatives, similarities, recall, pairs compared.
type Found<'py> = (Indices<'py>, Bound<'py, PyArray1<f32>>, f64, u64);

/// For each row of the order its representative, the row itself or one before, with their similarity.
///
/// `order`: rows, and how many of the first are representatives in any case.
///
/// `cells`: the centroids of cells, of which a row probes so many; none where it is compared with all rows.
#[pyfunction]
pub(crate) fn near_duplicates<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    order: (PyArray, usize),
    threshold: f64,
    cells: Option<(PyArray, usize)>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Found<'py>> {
    let (order, protected_prefix) = (convert::row_numbers(py, &order.0)?, order.1);
    let cells = cells.map(|(centroids, probe)| {
        convert::values::<Float32Type>(py, &centroids).map(|centroids| (centroids, probe))
    });
    let cells = cells.transpose()?;
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        let cells = cells.as_ref().map(|(centroids, probe)| Cells { centroids, probe: *probe });
        select::near_duplicates(view, &order, protected_prefix, threshold, cells, watch)
    })?;
    let representatives = convert::indices(&found.representatives).into_pyarray(py);
    Ok((representatives, found.similarities.into_pyarray(py), found.recall, found.evaluations))
}
