//! Strict JSON to Arrow.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3_arrow::PyTable;
use sage_select_rows::read::{self, Taken};

use crate::detach::Call;
use crate::error::from_core;

/// What was found in a chunk of text, as a dict.
#[derive(IntoPyObject)]
pub(crate) struct Found<'py> {
    rows: usize,
    /// None where row after row has the next line.
    lines: Option<Bound<'py, PyArray1<u32>>>,
    line_count: usize,
    names: Vec<String>,
    bad: Vec<(usize, usize, usize)>,
    changes: Vec<(String, usize, &'static str, usize, &'static str)>,
    infinite: Vec<(usize, String, bool)>,
    inexact: Option<(String, usize, usize)>,
}

impl<'py> Found<'py> {
    fn new(py: Python<'py>, taken: Taken) -> Self {
        let is_plain = taken.lines.iter().zip(0..).all(|(&line, row)| line == row);
        let changes = taken.changes.into_iter();
        Self {
            rows: taken.rows,
            lines: if is_plain { None } else { Some(taken.lines.into_pyarray(py)) },
            line_count: taken.line_count,
            names: taken.names,
            bad: taken.bad.into_iter().map(|bad| (bad.row, bad.start, bad.end)).collect(),
            changes: changes
                .map(|change| {
                    let (at, before) = (change.at, change.before);
                    (change.column, at.row, at.kind.words(), before.row, before.kind.words())
                })
                .collect(),
            infinite: taken.infinite,
            inexact: taken.inexact.map(|inexact| (inexact.column, inexact.decimal, inexact.whole)),
        }
    }
}

/// JSON rows on their way into a table.
#[pyclass(module = "sage_select._native")]
#[derive(Default)]
pub(crate) struct JsonTable(read::JsonTable);

#[pymethods]
impl JsonTable {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes in JSON lines, or a whole JSON array; None where it is no array.
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        text: PyBackedBytes,
        array: bool,
        threads: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Option<Found<'py>>> {
        let taken = Call { py, threads, progress }.run(|watch| {
            if array { self.0.take_array(&text) } else { self.0.take_lines(&text, watch).map(Some) }
        })?;
        Ok(taken.map(|taken| Found::new(py, taken)))
    }

    /// How many of the first chunks have to be brought once more.
    fn stale(&self) -> usize {
        self.0.stale()
    }

    /// Builds a chunk again; False where it is not what was taken.
    fn rebuild(
        &mut self,
        py: Python<'_>,
        chunk: usize,
        text: PyBackedBytes,
        array: bool,
        threads: usize,
    ) -> PyResult<bool> {
        Call { py, threads, progress: None }.run(|watch| self.0.rebuild(chunk, &text, array, watch))
    }

    /// The rows of a chunk as they are built so far.
    fn chunk(&self, py: Python<'_>, chunk: usize) -> PyResult<PyTable> {
        let (schema, batches) = self.0.chunk(chunk).map_err(|error| from_core(py, &error))?;
        PyTable::try_new(batches, schema)
    }

    /// Holds the rows of a chunk where this table holds them; False where it is not the one of `chunk`.
    fn put(&mut self, chunk: usize, table: PyTable) -> bool {
        self.0.put(chunk, table.into_inner().0)
    }

    /// The columns: name, whether null in some rows, whether missing in some.
    fn columns(&self) -> Vec<(String, bool, bool)> {
        self.0.facts().into_iter().map(|facts| (facts.name, facts.null, facts.absent)).collect()
    }

    /// The table; this object is then empty.
    fn finish(&mut self, py: Python<'_>) -> PyResult<PyTable> {
        let (schema, batches) =
            std::mem::take(&mut self.0).finish().map_err(|error| from_core(py, &error))?;
        PyTable::try_new(batches, Arc::clone(&schema))
    }
}
