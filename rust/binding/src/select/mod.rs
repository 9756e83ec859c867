//! Greedy selection: one file an objective.

pub(crate) mod badge;
pub(crate) mod d2;
pub(crate) mod dpp;
pub(crate) mod facility;
pub(crate) mod graph_cut;
pub(crate) mod herding;
pub(crate) mod k_center;
pub(crate) mod mmr;
pub(crate) mod near_duplicates;
pub(crate) mod nearest_members;
mod similarities;
pub(crate) mod take_admissible;
pub(crate) mod target;
pub(crate) mod threshold;

use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_buffer::ScalarBuffer;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::Error;
use sage_select_core::select::{Costs, Counted, Groups, Limits, Request, Selection};

use crate::convert;

/// Row numbers in pick order, and what each was worth.
pub(crate) type Indices<'py> = Bound<'py, PyArray1<i64>>;
pub(crate) type Gains<'py> = Bound<'py, PyArray1<f32>>;

pub(crate) fn picks(py: Python<'_>, selection: Selection) -> (Indices<'_>, Gains<'_>) {
    let gains: Vec<f32> = selection.gains.into_iter().map(|gain| gain as f32).collect();
    (convert::indices(&selection.rows).into_pyarray(py), gains.into_pyarray(py))
}

/// Indices, gains, and how many pairs of rows were compared.
type Picks<'py> = (Indices<'py>, Gains<'py>, u64);

fn counted(py: Python<'_>, found: Counted) -> Picks<'_> {
    let (rows, gains) = picks(py, found.selection);
    (rows, gains, found.evaluations)
}

/// The tuple that Python passes for a request: how many rows to pick, the preselected and the excluded ones, and
/// limits.
type RequestTuple = (usize, PyArray, PyArray, Option<LimitsTuple>);

/// The maximum number of rows; the group of each row, with the minimum and the maximum of each; the cost of each row,
/// with the budget of the selection and that of the request.
type LimitsTuple = (usize, Option<(PyArray, PyArray, PyArray)>, Option<(PyArray, u64, u64)>);

/// A request, converted.
pub(crate) struct RequestArg {
    k: usize,
    preselected: Vec<usize>,
    excluded: Vec<usize>,
    limits: Option<LimitsArg>,
}

/// Limits, converted.
struct LimitsArg {
    rows: usize,
    groups: Option<(ScalarBuffer<u32>, Vec<usize>, Vec<usize>)>,
    costs: Option<(ScalarBuffer<u64>, u64, u64)>,
}

impl<'py> FromPyObject<'_, 'py> for RequestArg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let (k, preselected, excluded, limits): RequestTuple = object.extract()?;
        let (preselected, excluded) =
            (convert::row_numbers(py, &preselected)?, convert::row_numbers(py, &excluded)?);
        let limits = limits.map(|limits| LimitsArg::new(py, limits)).transpose()?;
        Ok(Self { k, preselected, excluded, limits })
    }
}

impl RequestArg {
    /// The request, checked against the number of rows.
    pub(crate) fn of(&self, rows: usize) -> Result<Request<'_>, Error> {
        let Some(limits) = &self.limits else {
            return Request::with_excluded(rows, self.k, &self.preselected, &self.excluded);
        };
        // Limits say how many there can be; a larger number requests all of those.
        let free = rows.saturating_sub(self.preselected.len() + self.excluded.len());
        Request::with_excluded(rows, self.k.min(free), &self.preselected, &self.excluded)?
            .within(limits.limits())
    }
}

impl LimitsArg {
    fn new(py: Python<'_>, (rows, groups, costs): LimitsTuple) -> PyResult<Self> {
        let group = |(of, min, max): (PyArray, PyArray, PyArray)| {
            let (min, max) = (convert::row_numbers(py, &min)?, convert::row_numbers(py, &max)?);
            Ok::<_, PyErr>((convert::values::<UInt32Type>(py, &of)?, min, max))
        };
        let cost = |(of, budget, request_budget): (PyArray, u64, u64)| {
            Ok::<_, PyErr>((convert::values::<UInt64Type>(py, &of)?, budget, request_budget))
        };
        let (groups, costs) = (groups.map(group).transpose()?, costs.map(cost).transpose()?);
        Ok(Self { rows, groups, costs })
    }

    fn limits(&self) -> Limits<'_> {
        let costs = self.costs.as_ref();
        Limits {
            rows: self.rows,
            groups: self.groups.as_ref().map(|(of, min, max)| Groups { of, min, max }),
            costs: costs.map(|&(ref of, budget, request_budget)| Costs { of, budget, request_budget }),
        }
    }
}
