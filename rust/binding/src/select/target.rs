//! Target matching.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use sage_select_core::select::{self, Rule};

use super::{Gains, Indices, RequestArg, picks};
use crate::convert;
use crate::detach::Call;
use crate::error::kernel_error;
use crate::matrix::Matrix;

/// Rows near to query rows: (rows, gains, the query row of each or -1, pairs compared).
///
/// `rule` is `round_robin`, `max` or `mean`.
#[pyfunction]
pub(crate) fn target_match<'py>(
    py: Python<'py>,
    matrix: &Matrix,
    queries: &Matrix,
    request: RequestArg,
    rule: &str,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Indices<'py>, Gains<'py>, Bound<'py, PyArray1<i64>>, u64)> {
    let rule = match rule {
        "round_robin" => Rule::RoundRobin,
        "max" => Rule::Max,
        "mean" => Rule::Mean,
        other => return Err(kernel_error(py, "argument", None, format!("there is no rule {other:?}"))),
    };
    let (view, queries) = (matrix.view(), queries.view());
    let found = Call { py, threads, progress }
        .run(|watch| select::target_match(view, queries, rule, &request.of(view.len())?, watch))?;
    let query_rows = match found.queries {
        Some(queries) => convert::indices(&queries),
        None => vec![-1; found.selection.rows.len()],
    };
    let (rows, gains) = picks(py, found.selection);
    Ok((rows, gains, query_rows.into_pyarray(py), found.evaluations))
}
