//! Arrow arrays to the slices that the core takes, without copying.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyChunkedArray};

use crate::error::kernel_error;

/// The texts of a string column, chunk after chunk.
pub(crate) fn texts<'a>(py: Python<'_>, column: &'a PyChunkedArray) -> PyResult<Vec<&'a str>> {
    let rows = column.chunks().iter().map(|chunk| chunk.len()).sum();
    let mut texts: Vec<&str> = Vec::new();
    texts
        .try_reserve_exact(rows)
        .map_err(|error| kernel_error(py, "out_of_memory", None, error.to_string()))?;
    for chunk in column.chunks() {
        if let Some(nulls) = chunk.nulls().filter(|nulls| nulls.null_count() > 0) {
            let first = nulls.iter().take_while(|&valid| valid).count();
            return Err(kernel_error(py, "null", Some(texts.len() + first), "the text is null".into()));
        }
        match chunk.data_type() {
            DataType::Utf8 => extend(&mut texts, chunk.as_string::<i32>()),
            DataType::LargeUtf8 => extend(&mut texts, chunk.as_string::<i64>()),
            other => {
                let message = format!("the column must be string or large_string, not {other}");
                return Err(kernel_error(py, "type", None, message));
            }
        }
    }
    Ok(texts)
}

fn extend<'a, O: arrow_array::OffsetSizeTrait>(
    texts: &mut Vec<&'a str>,
    chunk: &'a arrow_array::GenericStringArray<O>,
) {
    texts.extend((0..chunk.len()).map(|row| chunk.value(row)));
}

/// The values of a numeric array of exactly this type, without nulls.
pub(crate) fn values<T: ArrowPrimitiveType>(
    py: Python<'_>,
    array: &PyArray,
) -> PyResult<ScalarBuffer<T::Native>> {
    numbers::<T>(py, array.array().as_ref(), 0)
}

/// The values of a chunked array, as [`values`]; a null is named by its place among all values.
pub(crate) fn chunks<T: ArrowPrimitiveType>(
    py: Python<'_>,
    column: &PyChunkedArray,
) -> PyResult<Vec<ScalarBuffer<T::Native>>> {
    let mut before = 0;
    let chunk = |chunk: &ArrayRef| {
        let values = numbers::<T>(py, chunk.as_ref(), before)?;
        before += values.len();
        Ok(values)
    };
    column.chunks().iter().map(chunk).collect()
}

fn numbers<T: ArrowPrimitiveType>(
    py: Python<'_>,
    array: &dyn Array,
    before: usize,
) -> PyResult<ScalarBuffer<T::Native>> {
    let Some(numbers) = array.as_any().downcast_ref::<PrimitiveArray<T>>() else {
        let message = format!("the array must be {}, not {}", T::DATA_TYPE, array.data_type());
        return Err(kernel_error(py, "type", None, message));
    };
    if let Some(nulls) = numbers.nulls().filter(|nulls| nulls.null_count() > 0) {
        let first = before + nulls.iter().take_while(|&valid| valid).count();
        return Err(kernel_error(py, "null", Some(first), "the value is null".into()));
    }
    Ok(numbers.values().clone())
}

/// Row numbers that Python gives, as the core counts them.
pub(crate) fn row_numbers(py: Python<'_>, rows: &PyArray) -> PyResult<Vec<usize>> {
    let row = |&row: &i64| {
        usize::try_from(row)
            .map_err(|_| kernel_error(py, "no_such_row", None, format!("row number {row} is negative")))
    };
    values::<Int64Type>(py, rows)?.iter().map(row).collect()
}

/// Row numbers as numpy's index type.
pub(crate) fn indices(rows: &[usize]) -> Vec<i64> {
    rows.iter().map(|&row| row as i64).collect()
}
