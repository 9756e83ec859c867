//! Greedy selection: one file an objective.

pub(crate) mod dpp;
pub(crate) mod facility;
pub(crate) mod k_center;
pub(crate) mod mmr;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use sage_select_core::select::{Counted, Selection};

use crate::convert;

/// Row numbers in pick order, and what each was worth.
type Rows<'py> = Bound<'py, PyArray1<i64>>;
type Gains<'py> = Bound<'py, PyArray1<f32>>;

fn picks(py: Python<'_>, selection: Selection) -> (Rows<'_>, Gains<'_>) {
    let gains: Vec<f32> = selection.gains.into_iter().map(|gain| gain as f32).collect();
    (convert::indices(&selection.rows).into_pyarray(py), gains.into_pyarray(py))
}

/// Rows, gains, and how many pairs of rows were compared.
type Picks<'py> = (Rows<'py>, Gains<'py>, u64);

fn counted(py: Python<'_>, found: Counted) -> Picks<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations)
}
