//! Draws by priority.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::types::Float64Type;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::replay;

use crate::convert;
use crate::detach::here;

/// Rows with priorities, of which any number can be drawn or changed.
///
/// Several threads may share one: they wait for each other without the GIL.
#[pyclass(frozen, module = "sage_select._native")]
pub(crate) struct PriorityTree(Mutex<replay::PriorityTree>);

impl PriorityTree {
    fn tree(&self) -> MutexGuard<'_, replay::PriorityTree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl PriorityTree {
    #[new]
    fn new(py: Python<'_>, priorities: PyArray) -> PyResult<Self> {
        let priorities = convert::values::<Float64Type>(py, &priorities)?;
        let tree = here(py, || replay::PriorityTree::new(priorities.to_vec()))?;
        Ok(Self(Mutex::new(tree)))
    }

    /// Gives rows other priorities.
    fn set(&self, py: Python<'_>, rows: PyArray, priorities: PyArray) -> PyResult<()> {
        let rows = convert::row_numbers(py, &rows)?;
        let priorities = convert::values::<Float64Type>(py, &priorities)?;
        here(py, || self.tree().set(&rows, &priorities))
    }

    /// Draws rows by their shares of the weights, without replacement.
    fn draw<'py>(&self, py: Python<'py>, key: u64, count: usize) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let drawn = here(py, || self.tree().draw(key, count))?;
        Ok(convert::indices(&drawn).into_pyarray(py))
    }

    /// The priorities of all rows.
    fn priorities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let priorities = here(py, || Ok(self.tree().priorities().to_vec()))?;
        Ok(priorities.into_pyarray(py))
    }

    /// The whole numbers by which rows are drawn.
    fn weights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let weights = here(py, || Ok(self.tree().weights().to_vec()))?;
        Ok(weights.into_pyarray(py))
    }
}
