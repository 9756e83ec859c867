//! A reservoir over row ids that are numbers.

use arrow_array::types::UInt64Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::replay;

use crate::convert;
use crate::detach::Call;

/// The rows of the words of smallest hash, at most `k` and at or below the threshold, and their hashes.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "a tuple for Python")]
pub(crate) fn reservoir_of_words<'py>(
    py: Python<'py>,
    key: u64,
    words: PyArray,
    k: usize,
    threshold: u64,
    threads: usize,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u64>>)> {
    let words = convert::values::<UInt64Type>(py, &words)?;
    let held = Call { py, threads, progress: None }
        .run_on(words.len(), |watch| replay::reservoir_of_words(key, &words, k, threshold, watch))?;
    let (keys, rows): (Vec<u64>, Vec<usize>) = held.into_iter().unzip();
    Ok((convert::indices(&rows).into_pyarray(py), keys.into_pyarray(py)))
}
