//! Greedy selection.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, FacilityOptions, Request, Selection};

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

/// Rows that represent all rows: (rows, gains, how the similarities were held).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one for each argument of the Python function")]
pub(crate) fn facility_location<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    k: usize,
    given: PyArray,
    neighbours: usize,
    dense_limit: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Rows<'py>, Gains<'py>, &'static str)> {
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let options = FacilityOptions { neighbours, dense_limit };
    let found = Call { py, threads, progress }.run(|watch| {
        select::facility_location(view, &Request::new(view.len(), k, &given)?, options, watch)
    })?;
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, found.method.name()))
}

/// Rows far from each other, farthest first: (rows, gains).
#[pyfunction]
pub(crate) fn k_center<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    k: usize,
    given: PyArray,
    start: Option<usize>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Rows<'py>, Gains<'py>)> {
    let given = convert::row_numbers(py, &given)?;
    let view = matrix.view();
    let selection = Call { py, threads, progress }
        .run(|watch| select::k_center(view, &Request::new(view.len(), k, &given)?, start, watch))?;
    Ok(picks(py, selection))
}
