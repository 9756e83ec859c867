//! What objectives over similarities share: how these are held, and the evidence for it.

use arrow_array::types::{Float32Type, Int32Type};
use arrow_buffer::ScalarBuffer;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells, Precomputed, Search, SimilarityOptions};

use super::{Gains, Indices, picks};
use crate::convert;

/// The tuple that Python passes: neighbours of a row, the maximum number of rows for which all pairs are held, and
/// where neighbours come from: int32 numbers that the caller found, so many for each row; else float32 centroids of
/// cells, of which a row probes so many; else all rows.
type SimilaritiesTuple = (usize, usize, Option<(PyArray, usize)>, Option<(PyArray, usize)>);

/// The same, converted.
pub(crate) struct SimilaritiesArg {
    neighbours: usize,
    dense_limit: usize,
    precomputed: Option<(ScalarBuffer<i32>, usize)>,
    cells: Option<(ScalarBuffer<f32>, usize)>,
}

impl<'py> FromPyObject<'_, 'py> for SimilaritiesArg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let (neighbours, dense_limit, precomputed, cells): SimilaritiesTuple = object.extract()?;
        let precomputed = precomputed.map(|(numbers, width)| {
            convert::values::<Int32Type>(py, &numbers).map(|numbers| (numbers, width))
        });
        let cells = cells.map(|(centroids, probe)| {
            convert::values::<Float32Type>(py, &centroids).map(|centroids| (centroids, probe))
        });
        Ok(Self { neighbours, dense_limit, precomputed: precomputed.transpose()?, cells: cells.transpose()? })
    }
}

impl SimilaritiesArg {
    pub(crate) fn options(&self) -> SimilarityOptions<'_> {
        let search = match (&self.precomputed, &self.cells) {
            (Some((numbers, width)), _) => Search::Precomputed(Precomputed { numbers, width: *width }),
            (None, Some((centroids, probe))) => Search::Cells(Cells { centroids, probe: *probe }),
            (None, None) => Search::Exhaustive,
        };
        SimilarityOptions { neighbours: self.neighbours, dense_limit: self.dense_limit, search }
    }
}

/// Rows, gains, gains computed, how the similarities were held, recall.
pub(crate) type Greedy<'py> = (Indices<'py>, Gains<'py>, u64, &'static str, f64);

pub(crate) fn greedy(py: Python<'_>, found: select::Greedy) -> Greedy<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations, found.method.name(), found.recall)
}
