//! Greedy selection.

use arrow_array::types::Float32Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells, Counted, FacilityOptions, Request, Selection};

use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Row numbers in pick order, and what each was worth.
type Rows<'py> = Bound<'py, PyArray1<i64>>;
type Gains<'py> = Bound<'py, PyArray1<f32>>;

fn picks(py: Python<'_>, selection: Selection) -> (Rows<'_>, Gains<'_>) {
    let gains: Vec<f32> = selection.gains.into_iter().map(|gain| gain as f32).collect();
    (convert::indices(&selection.rows).into_pyarray(py), gains.into_pyarray(py))
}

/// Rows, gains, and how many pairs of rows were compared.
type Picks<'py> = (Rows<'py>, Gains<'py>, u64);

fn counted(py: Python<'_>, found: Counted) -> Picks<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations)
}

/// Rows that represent all rows: (rows, gains, gains computed, how the similarities were held, recall).
///
/// Neighbours are looked for in the `probe` cells nearest to a row's own; everywhere without `centroids`.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn facility_location<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    k: usize,
    given: PyArray,
    neighbours: usize,
    dense_limit: usize,
    centroids: Option<PyArray>,
    probe: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Rows<'py>, Gains<'py>, u64, &'static str, f64)> {
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let centroids = centroids.map(|centroids| convert::values::<Float32Type>(py, &centroids)).transpose()?;
    let cells = centroids.as_ref().map(|centroids| Cells { centroids, probe });
    let options = FacilityOptions { neighbours, dense_limit, cells };
    let found = Call { py, threads, progress }.run(|watch| {
        select::facility_location(view, &Request::new(view.len(), k, &given)?, options, watch)
    })?;
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, found.evaluations, found.method.name(), found.recall))
}

/// Rows far from each other, farthest first: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn k_center<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    k: usize,
    given: PyArray,
    start: Option<usize>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::k_center(view, &Request::new(view.len(), k, &given)?, start, watch))?;
    Ok(counted(py, found))
}

/// Relevant rows that do not resemble those picked before: (rows, gains, pairs compared).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn mmr<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    relevance: PyArray,
    k: usize,
    given: PyArray,
    weight: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let relevance = convert::values::<Float32Type>(py, &relevance)?;
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }
        .run(|watch| select::mmr(view, &relevance, weight, &Request::new(view.len(), k, &given)?, watch))?;
    Ok(counted(py, found))
}

/// Rows that span much, by the determinant of their kernel with a ridge: (rows, gains, pairs compared).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn ridge_dpp<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    quality: Option<PyArray>,
    k: usize,
    given: PyArray,
    eps: f64,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let quality = quality.map(|quality| convert::values::<Float32Type>(py, &quality)).transpose()?;
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let found = Call { py, threads, progress }.run(|watch| {
        select::ridge_dpp(view, quality.as_deref(), eps, &Request::new(view.len(), k, &given)?, watch)
    })?;
    Ok(counted(py, found))
}
