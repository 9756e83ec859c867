//! Rows of several tables in one, without the tables being joined.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyRecordBatch, PyTable};

use crate::convert;
use crate::error::kernel_error;

/// A table from which rows are taken.
#[pyclass(frozen, module = "sage_select._native")]
pub(crate) struct HeldTable {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Where each batch begins.
    starts: Vec<usize>,
    rows: usize,
}

#[pymethods]
impl HeldTable {
    #[new]
    fn new(table: PyTable) -> Self {
        let (batches, schema) = table.into_inner();
        let mut rows = 0;
        let start = |batch: &RecordBatch| {
            rows += batch.num_rows();
            rows - batch.num_rows()
        };
        let starts = batches.iter().map(start).collect();
        Self { schema, batches, starts, rows }
    }
}

impl HeldTable {
    /// The batch and the row of it in which a row lies.
    fn place(&self, row: i64) -> Option<(usize, usize)> {
        let row = usize::try_from(row).ok().filter(|&row| row < self.rows)?;
        // Batches without rows begin where the next does.
        let batch = self.starts.partition_point(|&start| start <= row) - 1;
        Some((batch, row - self.starts[batch]))
    }
}

/// Row `rows[i]` of the table `which[i]`, for each i: a record batch.
///
/// All tables have one schema.
#[pyfunction]
pub(crate) fn interleave<'py>(
    py: Python<'py>,
    tables: Vec<PyRef<'py, HeldTable>>,
    which: PyArray,
    rows: PyArray,
) -> PyResult<Bound<'py, PyAny>> {
    let (which, rows) = (convert::values::<Int64Type>(py, &which)?, convert::values::<Int64Type>(py, &rows)?);
    let refused = |what: String| kernel_error(py, "argument", None, what);
    let Some(first) = tables.first() else { return Err(refused("there is no table".into())) };
    if which.len() != rows.len() {
        return Err(refused(format!("{} tables are named, and {} rows", which.len(), rows.len())));
    }
    let schema = Arc::clone(&first.schema);
    let tables: Vec<&HeldTable> = tables.iter().map(|table| &**table).collect();
    let taken = py.detach(|| taken(&schema, &tables, &which, &rows));
    let batch = taken.map_err(|error| refused(error.to_string()))?;
    PyRecordBatch::new(batch).into_pyarrow(py)
}

fn taken(
    schema: &SchemaRef,
    tables: &[&HeldTable],
    which: &[i64],
    rows: &[i64],
) -> Result<RecordBatch, ArrowError> {
    let invalid = |what: String| ArrowError::InvalidArgumentError(what);
    let mut before = 0;
    let mut firsts = Vec::with_capacity(tables.len());
    for table in tables {
        if table.schema.fields() != schema.fields() {
            return Err(invalid("tables have different columns".into()));
        }
        firsts.push(before);
        before += table.batches.len();
    }
    let place = |(&table, &row): (&i64, &i64)| {
        let table = usize::try_from(table).ok().filter(|&table| table < tables.len());
        let found = table.and_then(|table| {
            let (batch, at) = tables[table].place(row)?;
            Some((firsts[table] + batch, at))
        });
        found.ok_or_else(|| invalid(format!("there is no row {row} in that table")))
    };
    let places = which.iter().zip(rows).map(place).collect::<Result<Vec<_>, _>>()?;
    let batches: Vec<&RecordBatch> = tables.iter().flat_map(|table| &table.batches).collect();
    let column = |at: usize| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| &**batch.column(at)).collect();
        if arrays.is_empty() {
            return Ok(arrow_array::new_empty_array(schema.field(at).data_type()));
        }
        arrow_select::interleave::interleave(&arrays, &places)
    };
    let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}
