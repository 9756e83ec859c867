//! BADGE.

use arrow_array::types::UInt32Type;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select;

use super::{Picks, RequestArg, counted};
use crate::convert;
use crate::detach::Call;
use crate::matrix::Matrix;

/// Rows drawn by the squared distances of their gradients, outer products of two factors: (rows, gains, pairs compared).
#[pyfunction]
pub(crate) fn badge<'py>(
    py: Python<'py>,
    factors: (Py<Matrix>, Py<Matrix>),
    request: RequestArg,
    key: u64,
    order: Option<PyArray>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Picks<'py>> {
    let order = order.map(|order| convert::values::<UInt32Type>(py, &order)).transpose()?;
    let both = (factors.0.get().view(), factors.1.get().view());
    let found = Call { py, threads, progress }
        .run(|watch| select::badge(both, &request.of(both.1.len())?, key, order.as_deref(), watch))?;
    Ok(counted(py, found))
}
