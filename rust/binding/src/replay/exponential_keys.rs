//! Keys of a weighted reservoir.

use arrow_array::types::{Float64Type, UInt64Type};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::replay;

use crate::convert;
use crate::detach::Call;

/// Keys of which the smallest are a weighted sample: ranks as the bits of float64.
#[pyfunction]
pub(crate) fn exponential_keys<'py>(
    py: Python<'py>,
    hashes: PyArray,
    weights: PyArray,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let hashes = convert::values::<UInt64Type>(py, &hashes)?;
    let weights = convert::values::<Float64Type>(py, &weights)?;
    let keys = Call { py, threads, progress: None }
        .run_on(hashes.len(), |watch| replay::exponential_keys(&hashes, &weights, watch))?;
    Ok(keys.into_pyarray(py))
}
