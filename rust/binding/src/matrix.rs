//! A handle on checked rows.

use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_buffer::{ArrowNativeType, ScalarBuffer};
use arrow_schema::DataType;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyChunkedArray};
use sage_select_core::matrix::{Matrix as Checked, MatrixView, Metric};
use sage_select_core::simd::Simd;
use sage_select_core::{Control, Error, Pages};

use crate::convert;
use crate::detach::Call;
use crate::error::{from_core, kernel_error};

/// Where the rows lie.
enum Storage {
    Owned(Checked<Pages<f32>>),
    Borrowed(Checked<ScalarBuffer<f32>>),
}

/// Checked embedding rows, owned or borrowed from Arrow memory.
#[pyclass(frozen, module = "sage_select._native")]
pub(crate) struct Matrix(Storage);

impl Matrix {
    pub(crate) fn view(&self) -> MatrixView<'_> {
        match &self.0 {
            Storage::Owned(matrix) => matrix.view(),
            Storage::Borrowed(matrix) => matrix.view(),
        }
    }
}

/// Rows as they come: of some float type, in chunks.
enum Values {
    Half(Vec<ScalarBuffer<half::f16>>),
    Single(Vec<ScalarBuffer<f32>>),
    Double(Vec<ScalarBuffer<f64>>),
}

impl Values {
    fn of(py: Python<'_>, values: &PyChunkedArray) -> PyResult<Self> {
        Ok(match values.data_type() {
            DataType::Float16 => Self::Half(convert::chunks::<Float16Type>(py, values)?),
            DataType::Float64 => Self::Double(convert::chunks::<Float64Type>(py, values)?),
            _ => Self::Single(convert::chunks::<Float32Type>(py, values)?),
        })
    }

    /// The values, where they are float32 in one chunk.
    fn single(&self) -> Option<&ScalarBuffer<f32>> {
        match self {
            Self::Single(chunks) => <&[_; 1]>::try_from(&chunks[..]).ok().map(|[chunk]| chunk),
            Self::Half(_) | Self::Double(_) => None,
        }
    }

    fn copied(
        &self,
        width: usize,
        metric: Metric,
        simd: Simd,
        control: &impl Control,
    ) -> Result<Checked<Pages<f32>>, Error> {
        match self {
            Self::Half(chunks) => Checked::copied(&slices(chunks), width, metric, simd, control),
            Self::Single(chunks) => Checked::copied(&slices(chunks), width, metric, simd, control),
            Self::Double(chunks) => Checked::copied(&slices(chunks), width, metric, simd, control),
        }
    }
}

fn slices<T: ArrowNativeType>(chunks: &[ScalarBuffer<T>]) -> Vec<&[T]> {
    chunks.iter().map(|chunk| &chunk[..]).collect()
}

#[pymethods]
impl Matrix {
    /// Checks rows of `dimensions` float16, float32 or float64 values, one after the other, in chunks of whole rows.
    ///
    /// They are used where they lie if they are float32 in one chunk that need no change, so of length 1 for
    /// `cosine`, and `borrow` is true, which the caller may say of memory that nobody writes to. Others are copied,
    /// and scaled to length 1 for `cosine`.
    #[staticmethod]
    fn from_values(
        py: Python<'_>,
        values: PyChunkedArray,
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
        let values = Values::of(py, &values)?;
        let rows = Call { py, threads, progress: None }.run(|watch| {
            let simd = Simd::active()?;
            if let Some(chunk) = values.single().filter(|_| borrow)
                && let Some(rows) = Checked::in_place(chunk.clone(), dimensions, metric, simd, watch)?
            {
                return Ok(Storage::Borrowed(rows));
            }
            values.copied(dimensions, metric, simd, watch).map(Storage::Owned)
        })?;
        Ok(Self(rows))
    }

    /// Copies the rows of these numbers, one after the other, as the kernels see them.
    fn take<'py>(&self, py: Python<'py>, rows: PyArray) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let rows = convert::row_numbers(py, &rows)?;
        let view = self.view();
        let taken = Call { py, threads: 1, progress: None }.run(|_| view.take(&rows))?;
        Ok(taken.into_owned().into_pyarray(py))
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
        matches!(self.0, Storage::Borrowed(_))
    }
}

/// The instruction set in use: `portable`, `avx2` or `avx512`.
#[pyfunction]
pub(crate) fn instruction_set(py: Python<'_>) -> PyResult<&'static str> {
    Simd::active().map(Simd::name).map_err(|error| from_core(py, &error))
}
