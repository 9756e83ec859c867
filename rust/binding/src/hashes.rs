//! Content digests and keyed draws.

use arrow_array::types::UInt64Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyChunkedArray};
use sage_select_core::{digest, rng};

use crate::convert;
use crate::detach::Call;

/// The BLAKE3-128 digests of texts: 32 ASCII hexadecimal digits each, one after the other.
#[pyfunction]
pub(crate) fn hash_rows<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let texts = convert::texts(py, &texts)?;
    let digits = Call { py, threads, progress: None }.run(|watch| digest::hex128_of_rows(&texts, watch))?;
    Ok(digits.into_pyarray(py))
}

/// The draws of rows known by string ids.
#[pyfunction]
pub(crate) fn hashes_of_ids<'py>(
    py: Python<'py>,
    key: u64,
    ids: PyChunkedArray,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let ids = convert::texts(py, &ids)?;
    let hashes = Call { py, threads, progress: None }
        .run_on(ids.len(), |watch| rng::hashes_of_ids(key, &ids, watch))?;
    Ok(hashes.into_pyarray(py))
}

/// The draws of the rows `0..rows`, known by their numbers.
#[pyfunction]
pub(crate) fn hashes_of_rows(
    py: Python<'_>,
    key: u64,
    rows: usize,
    threads: usize,
) -> PyResult<Bound<'_, PyArray1<u64>>> {
    let hashes = Call { py, threads, progress: None }.run(|_| rng::hashes_of_rows(key, rows))?;
    Ok(hashes.into_pyarray(py))
}

/// The draws of rows known by words.
#[pyfunction]
pub(crate) fn hashes_of_words<'py>(
    py: Python<'py>,
    key: u64,
    words: PyArray,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let words = convert::values::<UInt64Type>(py, &words)?;
    let hashes =
        Call { py, threads, progress: None }.run_on(words.len(), |_| rng::hashes_of_words(key, &words))?;
    Ok(hashes.into_pyarray(py))
}
