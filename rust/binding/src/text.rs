//! What can be known of a text without a model.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyChunkedArray;
use sage_select_core::text::{encoder, phrases as core_phrases, words};

use crate::convert;
use crate::detach::Call;

type Array<'py, T> = Bound<'py, PyArray1<T>>;

/// How many words each text has.
#[pyfunction]
pub(crate) fn word_counts<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let texts = convert::texts(py, &texts)?;
    let counts = Call { py, threads, progress }.run(|watch| words::counts(&texts, watch))?;
    Ok(counts.into_pyarray(py))
}

/// The phrases of texts one after the other, where those of each text end, and hashes of their words in any order.
#[pyfunction]
pub(crate) fn phrases<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    length: usize,
    threads: usize,
) -> PyResult<(Array<'py, u64>, Array<'py, i64>, Array<'py, u64>)> {
    let texts = convert::texts(py, &texts)?;
    let found =
        Call { py, threads, progress: None }.run(|watch| core_phrases::phrases(&texts, length, watch))?;
    Ok((found.hashes.into_pyarray(py), found.ends.into_pyarray(py), found.bags.into_pyarray(py)))
}

/// The vectors of texts, one after the other, and how many texts have no word.
#[pyfunction]
pub(crate) fn hashing_encoder<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    dimensions: usize,
    memory: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray1<f32>>, usize)> {
    let texts = convert::texts(py, &texts)?;
    let encoded =
        Call { py, threads, progress }.run(|watch| encoder::encode(&texts, dimensions, memory, watch))?;
    Ok((encoded.vectors.into_pyarray(py), encoded.empty_texts))
}
