//! The leader rule.

use arrow_array::types::Float32Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells};

use super::Rows;
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows, similarities, recall, pairs compared.
type Led<'py> = (Rows<'py>, Bound<'py, PyArray1<f32>>, f64, u64);

/// For each row of the order the row itself, or the one kept before that it repeats, with their similarity.
///
/// `order`: rows, and how many of the first are kept come what may.
///
/// `cells`: the centroids of cells of which a row looks at so many; none where it looks at all rows.
#[pyfunction]
pub(crate) fn leaders<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    order: (PyArray, usize),
    threshold: f64,
    cells: Option<(PyArray, usize)>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Led<'py>> {
    let (order, always) = (convert::row_numbers(py, &order.0)?, order.1);
    let cells = cells.map(|(centroids, probe)| {
        convert::values::<Float32Type>(py, &centroids).map(|centroids| (centroids, probe))
    });
    let cells = cells.transpose()?;
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        let cells = cells.as_ref().map(|(centroids, probe)| Cells { centroids, probe: *probe });
        select::leaders(view, &order, always, threshold, cells, watch)
    })?;
    let leaders = convert::indices(&found.leaders).into_pyarray(py);
    Ok((leaders, found.similarities.into_pyarray(py), found.recall, found.evaluations))
}
