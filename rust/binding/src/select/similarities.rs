//! What objectives over similarities share: how these are held, and the evidence for it.

use arrow_array::types::{Float32Type, Int32Type};
use arrow_buffer::ScalarBuffer;
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::select::{self, Cells, Given, Search, SimilarityOptions};

use super::{Gains, Rows, picks};
use crate::convert;

/// Neighbours of a row, most rows for which all pairs are held, and where neighbours come from: numbers that the caller
/// found, so many for each row; else the centroids of cells of which a row looks at so many; else all rows.
pub(crate) type Similarities = (usize, usize, Option<(PyArray, usize)>, Option<(PyArray, usize)>);

/// The same with the numbers at hand.
pub(crate) struct Held {
    neighbours: usize,
    dense_limit: usize,
    given: Option<(ScalarBuffer<i32>, usize)>,
    cells: Option<(ScalarBuffer<f32>, usize)>,
}

impl Held {
    pub(crate) fn of(
        py: Python<'_>,
        (neighbours, dense_limit, given, cells): &Similarities,
    ) -> PyResult<Self> {
        let given = given.as_ref().map(|(numbers, width)| {
            convert::values::<Int32Type>(py, numbers).map(|numbers| (numbers, *width))
        });
        let cells = cells.as_ref().map(|(centroids, probe)| {
            convert::values::<Float32Type>(py, centroids).map(|centroids| (centroids, *probe))
        });
        Ok(Self {
            neighbours: *neighbours,
            dense_limit: *dense_limit,
            given: given.transpose()?,
            cells: cells.transpose()?,
        })
    }

    pub(crate) fn options(&self) -> SimilarityOptions<'_> {
        let search = match (&self.given, &self.cells) {
            (Some((numbers, width)), _) => Search::Given(Given { numbers, width: *width }),
            (None, Some((centroids, probe))) => Search::Cells(Cells { centroids, probe: *probe }),
            (None, None) => Search::Everywhere,
        };
        SimilarityOptions { neighbours: self.neighbours, dense_limit: self.dense_limit, search }
    }
}

/// Rows, gains, gains computed, how the similarities were held, recall.
pub(crate) type Greedy<'py> = (Rows<'py>, Gains<'py>, u64, &'static str, f64);

pub(crate) fn greedy(py: Python<'_>, found: select::Greedy) -> Greedy<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations, found.method.name(), found.recall)
}
