//! Cells of the embedding space, and picks spread over them.

use arrow_array::types::{Float32Type, Float64Type, Int32Type};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::cells::{self, KMeans};

use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;
use crate::select::{Gains, Indices, RequestArg, picks};

/// The centroids of so many cells, one after the other, trained on the rows of these numbers.
#[pyfunction]
pub(crate) fn k_means<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    sample: PyArray,
    cells: usize,
    iterations: usize,
    directions: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let sample = convert::row_numbers(py, &sample)?;
    let view = matrix.view();
    let options = KMeans { sample: &sample, cells, iterations, directions };
    let call = Call { py, threads, progress: None };
    let centroids = call.run(|watch| cells::k_means(view, options, watch))?;
    Ok(centroids.into_pyarray(py))
}

/// The nearest centroid of each row; `centroids` are float32 rows, one after the other.
#[pyfunction]
pub(crate) fn assign_cells<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    centroids: PyArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<i32>>> {
    let centroids = convert::values::<Float32Type>(py, &centroids)?;
    let view = matrix.view();
    let cells =
        Call { py, threads, progress }.run(|watch| cells::assign::nearest(view, &centroids, watch))?;
    Ok(cells.into_pyarray(py))
}

/// The squared distance of each row to the centroid of its int32 cell.
#[pyfunction]
pub(crate) fn cell_distances<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    centroids: PyArray,
    cells: PyArray,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let centroids = convert::values::<Float32Type>(py, &centroids)?;
    let cells = convert::values::<Int32Type>(py, &cells)?;
    let view = matrix.view();
    let call = Call { py, threads, progress: None };
    let distances = call.run(|watch| cells::distances(view, &centroids, &cells, watch))?;
    Ok(distances.into_pyarray(py))
}

/// The rows nearest to the centroids, from the largest cell on: (rows, size of the cell of each, how many at the end
/// are not the first of their cell).
#[pyfunction]
pub(crate) fn medoids<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    centroids: PyArray,
    request: RequestArg,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Indices<'py>, Gains<'py>, usize)> {
    let centroids = convert::values::<Float32Type>(py, &centroids)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| cells::medoids(view, &centroids, &request.of(view.len())?, watch))?;
    let (rows, sizes) = picks(py, found.selection);
    Ok((rows, sizes, found.fills))
}

/// All rows, those first that lie around a quantile of the float64 scores within each cell.
#[pyfunction]
pub(crate) fn stratified<'py>(
    py: Python<'py>,
    scores: PyArray,
    cells: PyArray,
    count: usize,
    quantile: f64,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let scores = convert::values::<Float64Type>(py, &scores)?;
    let cells = convert::values::<Int32Type>(py, &cells)?;
    let call = Call { py, threads: 1, progress: None };
    let rows = call.run(|_| cells::stratify::stratified(&scores, &cells, count, quantile))?;
    Ok(convert::indices(&rows).into_pyarray(py))
}
