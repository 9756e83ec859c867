//! A handle on checked rows.

use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;
use sage_select_core::matrix::{self, Matrix as Checked, MatrixView, Metric};
use sage_select_core::simd::Simd;
use sage_select_core::{Control, Error};

use crate::convert;
use crate::detach::Call;
use crate::error::{from_core, kernel_error};

enum Rows {
    Owned(Checked<Vec<f32>>),
    Borrowed(Checked<ScalarBuffer<f32>>),
}

/// Checked embedding rows, owned or borrowed from Arrow memory.
#[pyclass(frozen, module = "sage_select._native")]
pub(crate) struct Matrix(Rows);

impl Matrix {
    pub(crate) fn view(&self) -> MatrixView<'_> {
        match &self.0 {
            Rows::Owned(matrix) => matrix.view(),
            Rows::Borrowed(matrix) => matrix.view(),
        }
    }
}

enum Values {
    Half(ScalarBuffer<half::f16>),
    Single(ScalarBuffer<f32>),
    Double(ScalarBuffer<f64>),
}

impl Values {
    fn copied(&self, width: usize, control: &impl Control) -> Result<Vec<f32>, Error> {
        match self {
            Self::Half(values) => matrix::to_f32(values, width, control),
            Self::Single(values) => matrix::to_f32(values, width, control),
            Self::Double(values) => matrix::to_f32(values, width, control),
        }
    }
}

#[pymethods]
impl Matrix {
    /// Checks rows of `dimensions` float16, float32 or float64 values, one after the other.
    ///
    /// Rows for `cosine` are copied and scaled to length 1; others are copied unless they are float32 and
    /// `borrow` is true, which the caller may say of memory that nobody writes to.
    #[staticmethod]
    fn from_values(
        py: Python<'_>,
        values: PyArray,
        dimensions: usize,
        metric: &str,
        borrow: bool,
        threads: usize,
    ) -> PyResult<Self> {
        let metric = match metric {
            "cosine" => Metric::Cosine,
            "dot" => Metric::Dot,
            "sqeuclidean" => Metric::SquaredEuclidean,
            other => return Err(kernel_error(py, "argument", None, format!("there is no metric {other:?}"))),
        };
        let values = match values.array().data_type() {
            DataType::Float16 => Values::Half(convert::values::<Float16Type>(py, &values)?),
            DataType::Float64 => Values::Double(convert::values::<Float64Type>(py, &values)?),
            _ => Values::Single(convert::values::<Float32Type>(py, &values)?),
        };
        let rows = Call { py, threads, progress: None }.run(|watch| {
            let simd = Simd::active()?;
            Ok(match values {
                Values::Single(values) if borrow && metric != Metric::Cosine => {
                    Rows::Borrowed(Checked::raw(values, dimensions, metric, simd, watch)?)
                }
                values => {
                    let copy = values.copied(dimensions, watch)?;
                    Rows::Owned(match metric {
                        Metric::Cosine => Checked::unit(copy, dimensions, simd, watch)?,
                        _ => Checked::raw(copy, dimensions, metric, simd, watch)?,
                    })
                }
            })
        })?;
        Ok(Self(rows))
    }

    /// Copies the rows of these numbers, one after the other, as the kernels see them.
    fn take<'py>(&self, py: Python<'py>, rows: PyArray) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let rows = convert::row_numbers(py, &rows)?;
        let view = self.view();
        let taken = Call { py, threads: 1, progress: None }.run(|_| view.take(&rows))?;
        Ok(taken.into_pyarray(py))
    }

    /// How many rows there are.
    #[getter]
    fn rows(&self) -> usize {
        self.view().len()
    }

    /// Values in a row.
    #[getter]
    fn dimensions(&self) -> usize {
        self.view().rows.width()
    }

    /// Whether the rows lie in the caller's memory.
    #[getter]
    fn borrowed(&self) -> bool {
        matches!(self.0, Rows::Borrowed(_))
    }
}

/// The instruction set in use: `portable`, `avx2` or `avx512`.
#[pyfunction]
pub(crate) fn instruction_set(py: Python<'_>) -> PyResult<&'static str> {
    Simd::active().map(Simd::name).map_err(|error| from_core(py, &error))
}
