//! Greedy selection: one file an objective.

pub(crate) mod d2;
pub(crate) mod dpp;
pub(crate) mod facility;
pub(crate) mod graph_cut;
pub(crate) mod herding;
pub(crate) mod k_center;
pub(crate) mod leaders;
pub(crate) mod mmr;
mod similarities;
pub(crate) mod target;
pub(crate) mod threshold;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::Error;
use sage_select_core::select::{Counted, Request, Selection};

use crate::convert;

/// Row numbers in pick order, and what each was worth.
pub(crate) type Rows<'py> = Bound<'py, PyArray1<i64>>;
pub(crate) type Gains<'py> = Bound<'py, PyArray1<f32>>;

pub(crate) fn picks(py: Python<'_>, selection: Selection) -> (Rows<'_>, Gains<'_>) {
    let gains: Vec<f32> = selection.gains.into_iter().map(|gain| gain as f32).collect();
    (convert::indices(&selection.rows).into_pyarray(py), gains.into_pyarray(py))
}

/// Rows, gains, and how many pairs of rows were compared.
type Picks<'py> = (Rows<'py>, Gains<'py>, u64);

fn counted(py: Python<'_>, found: Counted) -> Picks<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations)
}

/// How many rows to pick, which are in the set already, which are never picked.
pub(crate) type Wishes = (usize, PyArray, PyArray);

/// Wishes with their row numbers at hand.
pub(crate) struct Asked {
    k: usize,
    given: Vec<usize>,
    excluded: Vec<usize>,
}

impl Asked {
    pub(crate) fn of(py: Python<'_>, (k, given, excluded): &Wishes) -> PyResult<Self> {
        let (given, excluded) = (convert::row_numbers(py, given)?, convert::row_numbers(py, excluded)?);
        Ok(Self { k: *k, given, excluded })
    }

    /// The wishes, checked against the number of rows.
    pub(crate) fn request(&self, rows: usize) -> Result<Request<'_>, Error> {
        Request::with_excluded(rows, self.k, &self.given, &self.excluded)
    }
}
