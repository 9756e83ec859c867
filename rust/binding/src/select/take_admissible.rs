//! Picks by a ranking.

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Indices, RequestArg};
use crate::convert;
use crate::detach::Call;

/// The first admissible rows of an order, of so many rows.
#[pyfunction]
pub(crate) fn take_admissible<'py>(
    py: Python<'py>,
    rows: usize,
    order: PyArray,
    request: RequestArg,
) -> PyResult<Indices<'py>> {
    let order = convert::row_numbers(py, &order)?;
    let call = Call { py, threads: 1, progress: None };
    let picks = call.run(|_| select::take_admissible(&order, &request.of(rows)?))?;
    Ok(convert::indices(&picks).into_pyarray(py))
}
