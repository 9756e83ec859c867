//! Picks in an order that is known.

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Asked, Rows, Wishes};
use crate::convert;
use crate::detach::Call;

/// The first rows of an order that can be picked, of so many rows.
#[pyfunction]
pub(crate) fn in_order<'py>(
    py: Python<'py>,
    rows: usize,
    order: PyArray,
    wishes: Wishes,
) -> PyResult<Rows<'py>> {
    let (order, asked) = (convert::row_numbers(py, &order)?, Asked::of(py, &wishes)?);
    let call = Call { py, threads: 1, progress: None };
    let picks = call.run(|_| select::in_order(&order, &asked.request(rows)?))?;
    Ok(convert::indices(&picks).into_pyarray(py))
}
