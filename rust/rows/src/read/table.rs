//! A table of JSON rows, in memory bounded by the text at hand and the table itself.
//!
//! Text comes in chunks, each built by what is known so far. Columns whose layout turns out too narrow (a key first seen
//! later, say) are built again at the end, of text that the caller brings once more; most need none.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use rayon::prelude::*;
use sage_select_core::{Control, Error};

use super::apart::{changes, inexact, infinite};
use super::build::{build, retyped};
use super::cut::{array_parts, line_parts};
use super::layout::{Layout, column_field};
use super::rows::{BadRow, Rows};
use super::seen::{Columns, Kind, Seen};

/// A row of a column, by its number among all rows that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number.
    pub row: usize,
    /// What the value is.
    pub kind: Kind,
}

/// A row in which a column has another type than in the good rows before: it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which column.
    pub column: String,
    /// Where it changes.
    pub at: Place,
    /// What it was before.
    pub before: Place,
}

/// A column of decimal numbers with a whole number that a float cannot hold: such rows cannot be read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inexact {
    /// Which column.
    pub column: String,
    /// The first row with a decimal number.
    pub decimal: usize,
    /// The first row with such a whole number.
    pub whole: usize,
}

/// What was found in a chunk of text. Rows are counted from the first of the chunk, but for those of [`Place`].
#[derive(Debug, Default)]
pub struct Taken {
    /// How many rows there are.
    pub rows: usize,
    /// The line of each row, from 0.
    pub lines: Vec<u32>,
    /// How many lines there are.
    pub line_count: usize,
    /// The columns that rows name, in their order.
    pub names: Vec<String>,
    /// Rows that are no JSON, or no object.
    pub bad: Vec<BadRow>,
    /// Rows in which a column changes its type.
    pub changes: Vec<Change>,
    /// Rows with a number too large for a float, the column, and whether it is held as JSON text.
    pub infinite: Vec<(usize, String, bool)>,
    /// A column that cannot be held at all.
    pub inexact: Option<Inexact>,
}

/// What is known of a column in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Whether it is null in some rows.
    pub null: bool,
    /// Whether it is missing in some.
    pub absent: bool,
}

/// The layouts of columns by which a chunk was built.
pub(super) type Layouts = Vec<(Box<[u8]>, Layout)>;

#[derive(Debug)]
struct Part {
    rows: usize,
    /// Rows that are null in all columns though they are objects.
    apart: BTreeSet<usize>,
    arrays: Vec<ArrayRef>,
}

#[derive(Debug)]
struct Chunk {
    layouts: Layouts,
    parts: Vec<Part>,
}

/// Rows on their way into a table.
#[derive(Debug, Default)]
pub struct JsonTable {
    seen: Columns,
    rows: usize,
    chunks: Vec<Chunk>,
}

/// How a text holds its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Lines,
    Array,
}

impl JsonTable {
    /// Takes a chunk of JSON lines in: it begins where a line does, and ends where one ends.
    ///
    /// # Errors
    /// What `control` stops with, or [`Error::OutOfMemory`] where a value is more than 2 GiB.
    pub fn take_lines(&mut self, text: &[u8], control: &impl Control) -> Result<Taken, Error> {
        let parts = line_parts(text, control)?;
        self.take(text, parts, Shape::Lines)
    }

    /// Takes a whole JSON array in; `None` where it is none that can be read.
    ///
    /// # Errors
    /// As [`Self::take_lines`].
    pub fn take_array(&mut self, text: &[u8]) -> Result<Option<Taken>, Error> {
        match array_parts(text) {
            Ok(parts) => self.take(text, parts, Shape::Array).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// How many different columns there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.seen.columns.len()
    }

    fn take(&mut self, text: &[u8], parts: Vec<Rows<'_>>, shape: Shape) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        for part in &parts {
            let start = part.source.as_ptr() as usize - text.as_ptr() as usize;
            let place = |bad: &BadRow| BadRow {
                row: taken.rows + bad.row,
                start: start + bad.start,
                end: start + bad.end,
            };
            taken.bad.extend(part.bad.iter().map(place));
            let before = if shape == Shape::Lines { taken.line_count as u32 } else { 0 };
            taken.lines.extend(part.lines.iter().map(|line| before + line));
            taken.rows += part.roots.len();
            taken.line_count += part.line_count as usize;
        }
        let mut observed: Vec<Columns> =
            parts.par_iter().map(|part| Columns::observe(part, |_| false)).collect();
        let mut apart = vec![BTreeSet::new(); parts.len()];
        let mut seen = self.merged(&parts, &observed);
        if seen.columns.iter().any(|column| column.refuses_mixture() && column.has_families()) {
            taken.changes = changes(&self.seen, self.rows, &parts, &seen, &mut apart);
            observed = parts
                .par_iter()
                .zip(&apart)
                .zip(observed)
                .map(|((part, apart), before)| match apart.is_empty() {
                    true => before,
                    false => Columns::observe(part, |row| apart.contains(&row)),
                })
                .collect();
            seen = self.merged(&parts, &observed);
        }
        let mut names = BTreeSet::new();
        let all = observed.iter().flat_map(|columns| &columns.columns);
        taken.names =
            all.filter(|column| names.insert(&column.name)).map(|column| text_of(&column.name)).collect();
        let held = self.seen.columns.len();
        debug_assert!(seen.columns.len() >= held);
        taken.inexact = inexact(&seen);
        self.seen = seen;
        let layouts = self.layouts();
        taken.infinite = infinite(&parts, &layouts, &mut apart);
        let made: Result<Vec<Part>, ArrowError> = parts
            .par_iter()
            .zip(apart)
            .map(|(part, apart)| {
                let arrays = build(part, &layouts, |row| apart.contains(&row))?;
                Ok(Part { rows: part.roots.len(), apart, arrays })
            })
            .collect();
        self.rows += taken.rows;
        self.chunks.push(Chunk { layouts, parts: made.map_err(too_large)? });
        Ok(taken)
    }

    fn layouts(&self) -> Layouts {
        self.seen.columns.iter().map(|column| (column.name.clone(), Layout::of_column(column))).collect()
    }

    fn merged(&self, parts: &[Rows<'_>], observed: &[Columns]) -> Columns {
        let mut seen = self.seen.clone();
        let mut first = self.rows;
        for (part, columns) in parts.iter().zip(observed) {
            seen.merge(columns.clone(), first);
            first += part.roots.len();
        }
        seen
    }

    /// How many of the first chunks hold a column that later rows have widened: these are to be brought once more.
    #[must_use]
    pub fn stale(&self) -> usize {
        let last = self.layouts();
        let is_stale = |chunk: &Chunk| {
            chunk.parts.iter().any(|part| stale_columns(&chunk.layouts, part, &last).next().is_some())
        };
        self.chunks.iter().rposition(is_stale).map_or(0, |chunk| chunk + 1)
    }

    /// Builds what is stale in a chunk again; `false` where the text is not the one that was taken.
    ///
    /// # Errors
    /// As [`Self::take_lines`].
    pub fn rebuild(
        &mut self,
        chunk: usize,
        text: &[u8],
        array: bool,
        control: &impl Control,
    ) -> Result<bool, Error> {
        let last = self.layouts();
        let Some(chunk) = self.chunks.get_mut(chunk) else { return Ok(false) };
        let rows = match array {
            true => match array_parts(text) {
                Ok(rows) => rows,
                Err(_) => return Ok(false),
            },
            false => line_parts(text, control)?,
        };
        let counts = rows.iter().map(|rows| rows.roots.len());
        if !counts.eq(chunk.parts.iter().map(|part| part.rows)) {
            return Ok(false);
        }
        let layouts = &chunk.layouts;
        let made: Result<(), ArrowError> = chunk
            .parts
            .par_iter_mut()
            .zip(&rows)
            .map(|(part, rows)| {
                let stale: Vec<usize> = stale_columns(layouts, part, &last).collect();
                let wanted: Layouts = stale.iter().map(|&column| last[column].clone()).collect();
                let arrays = build(rows, &wanted, |row| part.apart.contains(&row))?;
                stale.into_iter().zip(arrays).for_each(|(column, array)| part.arrays[column] = array);
                Ok(())
            })
            .collect();
        made.map_err(too_large)?;
        chunk.layouts = last[..chunk.layouts.len()].to_vec();
        Ok(true)
    }

    /// The rows of a chunk as they are built so far, for a caller who has another place for them than memory.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where they cannot be had.
    pub fn chunk(&self, chunk: usize) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
        let Some(chunk) = self.chunks.get(chunk) else { return Ok((Arc::new(Schema::empty()), Vec::new())) };
        let first = chunk.parts.iter().find(|part| part.rows > 0);
        let arrays = first.map(|part| part.arrays.as_slice()).unwrap_or_default();
        let names = chunk.layouts.iter().map(|(name, _)| text_of(name));
        let field = |(name, array): (String, &ArrayRef)| Field::new(name, array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(names.zip(arrays).map(field).collect::<Vec<_>>()));
        let parts = chunk.parts.iter().filter(|part| part.rows > 0);
        let batches = parts
            .map(|part| RecordBatch::try_new(Arc::clone(&schema), part.arrays.clone()))
            .collect::<Result<Vec<_>, _>>();
        Ok((schema, batches.map_err(too_large)?))
    }

    /// Holds the rows of a chunk where these batches hold them; `false` where they are not those of [`Self::chunk`].
    pub fn put(&mut self, chunk: usize, batches: Vec<RecordBatch>) -> bool {
        let Some(chunk) = self.chunks.get_mut(chunk) else { return false };
        let parts: Vec<&mut Part> = chunk.parts.iter_mut().filter(|part| part.rows > 0).collect();
        let are_same = |(part, batch): (&&mut Part, &RecordBatch)| {
            let types = batch.columns().iter().map(|column| column.data_type());
            part.rows == batch.num_rows() && types.eq(part.arrays.iter().map(|array| array.data_type()))
        };
        if parts.len() != batches.len() || !parts.iter().zip(&batches).all(are_same) {
            return false;
        }
        parts.into_iter().zip(batches).for_each(|(part, batch)| part.arrays = batch.columns().to_vec());
        true
    }

    /// The columns in their order.
    #[must_use]
    pub fn facts(&self) -> Vec<ColumnFacts> {
        let facts = |column: &Seen| ColumnFacts {
            name: text_of(&column.name),
            null: column.null,
            absent: column.absent,
        };
        self.seen.columns.iter().map(facts).collect()
    }

    /// The table; nothing of it may be [`Self::stale`].
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where it cannot be had.
    pub fn finish(self) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
        let fields: Vec<_> = self.seen.columns.iter().map(column_field).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = |part: Part| {
            let mut arrays = part.arrays.into_iter();
            let columns = schema.fields().iter().map(|field| match arrays.next() {
                Some(array) => retyped(&array, field.data_type()),
                None => Ok(new_null_array(field.data_type(), part.rows)),
            });
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(part.rows));
            RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
        };
        let parts = self.chunks.into_iter().flat_map(|chunk| chunk.parts);
        let batches = parts.map(batch).collect::<Result<Vec<_>, _>>().map_err(too_large)?;
        Ok((schema, batches))
    }
}

pub(super) fn text_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn too_large(_: ArrowError) -> Error {
    Error::OutOfMemory { bytes: i32::MAX as usize }
}

/// The columns of a part that were built by another layout than the last one, but for those without values.
fn stale_columns<'p>(
    layouts: &'p Layouts,
    part: &'p Part,
    last: &'p Layouts,
) -> impl Iterator<Item = usize> + 'p {
    (0..part.arrays.len()).filter(move |&column| {
        let array = &part.arrays[column];
        layouts[column].1 != last[column].1 && array.null_count() < array.len()
    })
}
