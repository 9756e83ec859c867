//! What a text's words say of it, as one number a text.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyChunkedArray;
use sage_select_core::Error;
use sage_select_core::text::lexical::{characters, compression, diversity, entropy, rarity, repetition};

use crate::convert;
use crate::detach::{Call, Watch};

type Values<'py> = PyResult<Bound<'py, PyArray1<f32>>>;

fn values<'py>(
    py: Python<'py>,
    texts: &PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
    measure: impl FnOnce(&[&str], &Watch) -> Result<Vec<f32>, Error> + Send,
) -> Values<'py> {
    let texts = convert::texts(py, texts)?;
    let values = Call { py, threads, progress }.run(|watch| measure(&texts, watch))?;
    Ok(values.into_pyarray(py))
}

/// The lexical difficulty of each text.
#[pyfunction]
pub(crate) fn lexical_difficulty<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, entropy::difficulties)
}

/// The entropy of each text's own words.
#[pyfunction]
pub(crate) fn lexical_entropy<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, entropy::entropies)
}

/// The moving-average type-token ratio of each text.
#[pyfunction]
pub(crate) fn lexical_diversity<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    window: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, |texts, watch| diversity::moving_averages(texts, window, watch))
}

/// The compressed share of each text's bytes.
#[pyfunction]
pub(crate) fn compression_ratio<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, compression::ratios)
}

/// How few texts have each text's n-grams.
#[pyfunction]
pub(crate) fn ngram_rarity<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    length: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, |texts, watch| rarity::rarities(texts, length, watch))
}

/// The share of each text's n-grams that repeat one before.
#[pyfunction]
pub(crate) fn ngram_repetition<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    length: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Values<'py> {
    values(py, &texts, threads, progress, |texts, watch| repetition::shares(texts, length, watch))
}

/// How many characters each text has.
#[pyfunction]
pub(crate) fn character_counts<'py>(
    py: Python<'py>,
    texts: PyChunkedArray,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let texts = convert::texts(py, &texts)?;
    let counts = Call { py, threads, progress }.run(|watch| characters::counts(&texts, watch))?;
    Ok(counts.into_pyarray(py))
}
