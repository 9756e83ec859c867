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
use super::cut::{FIRST_PARTS, PART_BYTES, array_parts, line_parts, read_parts};
use super::facts::{ColumnFacts, Taken};
use super::layout::{Layout, column_field};
use super::rows::{BadRow, Rows};
use super::seen::{Columns, Seen};

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
#[derive(Debug)]
pub struct JsonTable {
    seen: Columns,
    rows: usize,
    chunks: Vec<Chunk>,
    part_bytes: usize,
}

impl Default for JsonTable {
    fn default() -> Self {
        Self::in_parts_of(PART_BYTES)
    }
}

/// A part of a text that was read.
pub(super) struct Read<'t> {
    pub(super) rows: Rows<'t>,
    observed: Columns,
    /// Rows that cannot be held beside the others.
    pub(super) apart: BTreeSet<usize>,
    /// Its columns by a guess of their layouts; then the values of the rows are forgotten.
    built: Option<Vec<ArrayRef>>,
}

impl<'t> Read<'t> {
    fn of(rows: Rows<'t>) -> Self {
        let observed = Columns::observe(&rows, |_| false);
        Self { rows, observed, apart: BTreeSet::new(), built: None }
    }

    /// Builds lines while they are in the cache of the processor: as a rule a part tells nothing new.
    fn by_guess(text: &'t [u8], guess: &Layouts) -> Self {
        let mut read = Self::of(Rows::of_lines(text));
        if !guess.is_empty() && read.rows.infinite.is_empty() {
            // What cannot be built by a guess may be built by what is known in the end, or fails then.
            read.built = build(&read.rows, guess, |_| false).ok();
        }
        if read.built.is_some() {
            read.rows.forget_values();
        }
        read
    }

    /// Undoes a guess.
    fn remember(&mut self) {
        if self.built.take().is_some() {
            self.rows.remember_values();
        }
    }

    /// Observes the rows once more, but for those set apart.
    fn observe(&mut self) {
        self.observed = Columns::observe(&self.rows, |row| self.apart.contains(&row));
    }

    fn part(self, layouts: &Layouts) -> Result<Part, ArrowError> {
        let Self { rows, apart, built, .. } = self;
        let arrays = match built {
            Some(arrays) => arrays,
            None => build(&rows, layouts, |row| apart.contains(&row))?,
        };
        Ok(Part { rows: rows.roots.len(), apart, arrays })
    }
}

fn layouts(seen: &Columns) -> Layouts {
    seen.columns.iter().map(|column| (column.name.clone(), Layout::of_column(column))).collect()
}

/// How a text holds its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Lines,
    Array,
}

impl JsonTable {
    /// A table of lines that are read in parts of so many bytes, at least 1, each by itself: which does not show.
    #[must_use]
    pub fn in_parts_of(bytes: usize) -> Self {
        Self { seen: Columns::default(), rows: 0, chunks: Vec::new(), part_bytes: bytes }
    }

    /// Takes a chunk of JSON lines in: it begins where a line does, and ends where one ends.
    ///
    /// # Errors
    /// What `control` stops with, or [`Error::OutOfMemory`] where a value is more than 2 GiB.
    pub fn take_lines(&mut self, text: &[u8], control: &impl Control) -> Result<Taken, Error> {
        let mut parts = line_parts(text, self.part_bytes);
        let mut read = Vec::new();
        let mut guess = self.layouts();
        if guess.is_empty() && parts.len() > 1 {
            let first = parts.drain(..parts.len().min(FIRST_PARTS)).collect::<Vec<_>>();
            read = first.into_par_iter().map(|part| Read::of(Rows::of_lines(part))).collect();
            guess = layouts(&self.merged(&read));
        }
        read.extend(read_parts(parts, control, |part| Read::by_guess(part, &guess))?);
        self.take(text, read, &guess, Shape::Lines)
    }

    /// Takes a whole JSON array in; `None` where it is none that can be read.
    ///
    /// # Errors
    /// As [`Self::take_lines`].
    pub fn take_array(&mut self, text: &[u8]) -> Result<Option<Taken>, Error> {
        match array_parts(text) {
            Ok(parts) => {
                let read = parts.into_par_iter().map(Read::of).collect();
                self.take(text, read, &Layouts::new(), Shape::Array).map(Some)
            }
            Err(_) => Ok(None),
        }
    }

    /// How many different columns there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.seen.columns.len()
    }

    fn take(
        &mut self,
        text: &[u8],
        mut read: Vec<Read<'_>>,
        guess: &Layouts,
        shape: Shape,
    ) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        for Read { rows: part, .. } in &read {
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
        let mut seen = self.merged(&read);
        if seen.columns.iter().any(|column| column.refuses_mixture() && column.has_families()) {
            read.par_iter_mut().for_each(Read::remember);
            taken.changes = changes(&self.seen, self.rows, &mut read, &seen);
            read.par_iter_mut().filter(|read| !read.apart.is_empty()).for_each(Read::observe);
            seen = self.merged(&read);
        }
        let mut names = BTreeSet::new();
        let all = read.iter().flat_map(|read| &read.observed.columns);
        taken.names =
            all.filter(|column| names.insert(&column.name)).map(|column| text_of(&column.name)).collect();
        let held = self.seen.columns.len();
        debug_assert!(seen.columns.len() >= held);
        taken.inexact = inexact(&seen);
        self.seen = seen;
        let layouts = self.layouts();
        if *guess != layouts {
            read.par_iter_mut().for_each(Read::remember);
        }
        taken.infinite = infinite(&mut read, &layouts);
        let made: Result<Vec<Part>, ArrowError> =
            read.into_par_iter().map(|read| read.part(&layouts)).collect();
        self.rows += taken.rows;
        self.chunks.push(Chunk { layouts, parts: made.map_err(too_large)? });
        Ok(taken)
    }

    fn layouts(&self) -> Layouts {
        layouts(&self.seen)
    }

    fn merged(&self, read: &[Read<'_>]) -> Columns {
        let mut seen = self.seen.clone();
        let mut first = self.rows;
        for read in read {
            seen.merge(read.observed.clone(), first);
            first += read.rows.roots.len();
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
        let (last, part_bytes) = (self.layouts(), self.part_bytes);
        let Some(chunk) = self.chunks.get_mut(chunk) else { return Ok(false) };
        let rows = match array {
            true => match array_parts(text) {
                Ok(rows) => rows,
                Err(_) => return Ok(false),
            },
            false => read_parts(line_parts(text, part_bytes), control, Rows::of_lines)?,
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
