//! The k smallest keys.

use arrow_array::types::UInt64Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyChunkedArray};
use sage_select_core::replay;

use crate::convert;
use crate::detach::Call;

/// The rows of the `k` smallest keys, by (key, id, row) ascending.
#[pyfunction]
pub(crate) fn smallest_keys<'py>(
    py: Python<'py>,
    keys: PyArray,
    k: usize,
    ids: Option<PyChunkedArray>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let keys = convert::values::<UInt64Type>(py, &keys)?;
    let ids = ids.as_ref().map(|ids| convert::texts(py, ids)).transpose()?;
    let rows = Call { py, threads, progress: None }
        .run_on(keys.len(), |_| replay::smallest_keys(&keys, k, ids.as_deref()))?;
    Ok(convert::indices(&rows).into_pyarray(py))
}
