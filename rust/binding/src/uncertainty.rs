//! Uncertainty of a classifier.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use sage_select_core::Error;
use sage_select_core::uncertainty::{self, Uncertainty};

use crate::detach::Call;
use crate::error::from_core;
use crate::matrix::Matrix;

/// How uncertain each row of probabilities is, by `entropy`, `margin` or `least_confidence`.
#[pyfunction]
#[pyo3(name = "uncertainty")]
pub(crate) fn of_rows<'py>(
    py: Python<'py>,
    probabilities: &Matrix,
    measure: &str,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let measure = match measure {
        "entropy" => Uncertainty::Entropy,
        "margin" => Uncertainty::Margin,
        "least_confidence" => Uncertainty::LeastConfidence,
        _ => {
            return Err(from_core(py, &Error::Argument { what: format!("there is no measure {measure:?}") }));
        }
    };
    let view = probabilities.view();
    let found =
        Call { py, threads, progress: None }.run(|watch| uncertainty::uncertainty(view, measure, watch))?;
    Ok(found.into_pyarray(py))
}
