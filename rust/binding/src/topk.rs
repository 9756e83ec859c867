//! The k best rows.

use arrow_array::types::{Float32Type, Float64Type, UInt64Type};
use arrow_schema::DataType;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::simd::Simd;
use sage_select_core::topk;

use crate::convert;
use crate::detach::Call;

/// The `k` rows of highest score, by (score descending, row ascending).
#[pyfunction]
pub(crate) fn top_k<'py>(
    py: Python<'py>,
    scores: PyArray,
    k: usize,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let call = Call { py, threads, progress: None };
    let rows = if scores.array().data_type() == &DataType::Float64 {
        let scores = convert::values::<Float64Type>(py, &scores)?;
        call.run(|_| topk::top_k_wide(&scores, k))?
    } else {
        let scores = convert::values::<Float32Type>(py, &scores)?;
        call.run(|_| topk::top_k(&scores, k, Simd::active()?))?
    };
    Ok(convert::indices(&rows).into_pyarray(py))
}

/// The `k` rows of smallest hash, by (hash ascending, row ascending).
#[pyfunction]
pub(crate) fn bottom_k<'py>(
    py: Python<'py>,
    hashes: PyArray,
    k: usize,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let hashes = convert::values::<UInt64Type>(py, &hashes)?;
    let rows = Call { py, threads, progress: None }.run_on(hashes.len(), |_| topk::bottom_k(&hashes, k))?;
    Ok(convert::indices(&rows).into_pyarray(py))
}
