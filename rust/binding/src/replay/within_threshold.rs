//! Rows whose key a threshold admits.

use arrow_array::types::UInt64Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::replay;

use crate::convert;
use crate::detach::Call;

/// The rows whose key is at or below the threshold, in row order.
#[pyfunction]
pub(crate) fn within_threshold<'py>(
    py: Python<'py>,
    keys: PyArray,
    threshold: u64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let keys = convert::values::<UInt64Type>(py, &keys)?;
    let rows = Call { py, threads, progress: None }
        .run_on(keys.len(), |watch| replay::within_threshold(&keys, threshold, watch))?;
    Ok(convert::indices(&rows).into_pyarray(py))
}
