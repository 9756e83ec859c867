//! Slots shared among groups.

use arrow_array::types::{Int64Type, UInt64Type};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::{Error, replay};

use crate::convert;
use crate::detach::here;

/// How many of `total` slots each group gets.
#[pyfunction]
pub(crate) fn water_fill<'py>(
    py: Python<'py>,
    sizes: PyArray,
    total: u64,
    order: PyArray,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let sizes = convert::values::<Int64Type>(py, &sizes)?;
    let order = convert::values::<UInt64Type>(py, &order)?;
    let quotas = here(py, || {
        let size = |(row, &size)| u64::try_from(size).map_err(|_| Error::Negative { row });
        let sizes: Vec<u64> = sizes.iter().enumerate().map(size).collect::<Result<_, _>>()?;
        replay::water_fill(&sizes, total, &order)
    })?;
    // No quota is more than a size.
    Ok(quotas.into_iter().map(|quota| quota as i64).collect::<Vec<_>>().into_pyarray(py))
}
