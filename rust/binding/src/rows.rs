//! Rows as Arrow: their digests and their words.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::{PyChunkedArray, PyTable};
use sage_select_core::Error;
use sage_select_rows::canonical::Refused;
use sage_select_rows::digests::{self, Form};
use sage_select_rows::json::Fault;
use sage_select_rows::render::{self, Layout, Shape};

use crate::detach::Call;
use crate::error::kernel_error;

/// A row that was refused: its number, what is wrong with it as a stable word, and the JSON text that is wrong.
type Refusal = (usize, &'static str, String);

fn refusal(refused: Refused) -> Refusal {
    let word = match refused.fault {
        Fault::Syntax => "syntax",
        Fault::Duplicate => "duplicate",
        Fault::HalfCharacter => "half_character",
        Fault::Deep => "deep",
        Fault::Wide => "wide",
    };
    (refused.row, word, refused.text)
}

fn strings(arrays: Vec<StringArray>) -> PyResult<PyChunkedArray> {
    let chunks = arrays.into_iter().map(|array| Arc::new(array) as ArrayRef).collect();
    PyChunkedArray::try_new(chunks, Arc::new(Field::new("", DataType::Utf8, false)))
}

/// Digests of the canonical JSON of rows, of what they say, and the first row that has none.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "a tuple for Python")]
pub(crate) fn row_digests<'py>(
    py: Python<'py>,
    table: PyTable,
    exact: bool,
    alike: bool,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u8>>, Option<Refusal>)> {
    let (batches, _) = table.into_inner();
    let made = Call { py, threads, progress }.run(|watch| digests::digests(&batches, exact, alike, watch))?;
    Ok((made.exact.into_pyarray(py), made.alike.into_pyarray(py), made.refused.map(refusal)))
}

/// The canonical JSON of rows, or what they say; or the first row that has none.
#[pyfunction]
pub(crate) fn row_texts(
    py: Python<'_>,
    table: PyTable,
    alike: bool,
    threads: usize,
) -> PyResult<(Option<PyChunkedArray>, Option<Refusal>)> {
    let (batches, _) = table.into_inner();
    let form = if alike { Form::Alike } else { Form::Exact };
    let made = Call { py, threads, progress: None }.run(|watch| digests::texts(&batches, form, watch))?;
    match made {
        Ok(arrays) => Ok((Some(strings(arrays)?), None)),
        Err(refused) => Ok((None, Some(refusal(refused)))),
    }
}

/// How a row is read: `kind` with its columns (and the literals of a template), the columns of system turn and tools.
#[derive(FromPyObject)]
pub(crate) struct RowLayout {
    kind: String,
    columns: Vec<usize>,
    literals: Vec<String>,
    system: Option<usize>,
    tools: Option<usize>,
}

impl RowLayout {
    fn layout(self, columns: usize) -> Result<Layout, Error> {
        let refused = |what: &str| Error::Argument { what: what.to_owned() };
        if self.columns.iter().chain(&self.system).chain(&self.tools).any(|&column| column >= columns) {
            return Err(refused("a column of the shape is not there"));
        }
        let shape = match (self.kind.as_str(), self.columns.as_slice()) {
            ("messages", &[messages]) => Shape::Messages(messages),
            ("prompt", &[prompt, completion]) => Shape::Prompt(prompt, completion),
            ("parts", [questions @ .., answer]) => Shape::Parts(questions.to_vec(), *answer),
            ("template", fields) if self.literals.len() == fields.len() + 1 => {
                Shape::Template(self.literals, self.columns)
            }
            _ => return Err(refused("no such shape")),
        };
        Ok(Layout { shape, system: self.system, tools: self.tools })
    }
}

/// The words of rows, which of them have anything to train, those whose words are not known, and those to look at.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "a tuple for Python")]
pub(crate) fn render_rows<'py>(
    py: Python<'py>,
    table: PyTable,
    layout: RowLayout,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<(
    PyChunkedArray,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
)> {
    let (batches, schema) = table.into_inner();
    let layout = layout
        .layout(schema.fields().len())
        .map_err(|error| kernel_error(py, error.kind(), None, error.to_string()))?;
    let made = Call { py, threads, progress }.run(|watch| render::render(&batches, &layout, watch))?;
    Ok((
        strings(made.texts)?,
        made.answered.into_pyarray(py),
        made.unknown.into_pyarray(py),
        made.unsure.into_pyarray(py),
    ))
}
