//! Greedy selection: one file an objective.

pub(crate) mod closest;
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
pub(crate) mod walk;

use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_buffer::ScalarBuffer;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::Error;
use sage_select_core::select::{Costs, Counted, Groups, Limits, Request, Selection};

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

/// How many rows to pick, which are in the set already, which are never picked, and what the selection may hold.
pub(crate) type Wishes = (usize, PyArray, PyArray, Option<Bounds>);

/// The most rows; the group of each row, with how many of each there must and may be; the cost of each row, with what all
/// may cost and what those of this request may.
type Bounds = (usize, Option<(PyArray, PyArray, PyArray)>, Option<(PyArray, u64, u64)>);

/// Wishes with their numbers at hand.
pub(crate) struct Asked {
    k: usize,
    given: Vec<usize>,
    excluded: Vec<usize>,
    limits: Option<Held>,
}

/// Limits with their numbers at hand.
struct Held {
    rows: usize,
    groups: Option<(ScalarBuffer<u32>, Vec<usize>, Vec<usize>)>,
    costs: Option<(ScalarBuffer<u64>, u64, u64)>,
}

impl Asked {
    pub(crate) fn of(py: Python<'_>, (k, given, excluded, limits): &Wishes) -> PyResult<Self> {
        let (given, excluded) = (convert::row_numbers(py, given)?, convert::row_numbers(py, excluded)?);
        let limits = limits.as_ref().map(|limits| Held::of(py, limits)).transpose()?;
        Ok(Self { k: *k, given, excluded, limits })
    }

    /// The wishes, checked against the number of rows.
    pub(crate) fn request(&self, rows: usize) -> Result<Request<'_>, Error> {
        let Some(held) = &self.limits else {
            return Request::with_excluded(rows, self.k, &self.given, &self.excluded);
        };
        // Limits say how many there can be; a larger number asks for all of those.
        let free = rows.saturating_sub(self.given.len() + self.excluded.len());
        Request::with_excluded(rows, self.k.min(free), &self.given, &self.excluded)?.within(held.limits())
    }
}

impl Held {
    fn of(py: Python<'_>, (rows, groups, costs): &Bounds) -> PyResult<Self> {
        let group = |(of, least, most): &(PyArray, PyArray, PyArray)| {
            let (least, most) = (convert::row_numbers(py, least)?, convert::row_numbers(py, most)?);
            Ok::<_, PyErr>((convert::values::<UInt32Type>(py, of)?, least, most))
        };
        let cost = |(of, budget, part): &(PyArray, u64, u64)| {
            Ok::<_, PyErr>((convert::values::<UInt64Type>(py, of)?, *budget, *part))
        };
        let groups = groups.as_ref().map(group).transpose()?;
        Ok(Self { rows: *rows, groups, costs: costs.as_ref().map(cost).transpose()? })
    }

    fn limits(&self) -> Limits<'_> {
        Limits {
            rows: self.rows,
            groups: self.groups.as_ref().map(|(of, least, most)| Groups { of, least, most }),
            costs: self.costs.as_ref().map(|(of, budget, part)| Costs { of, budget: *budget, part: *part }),
        }
    }
}
