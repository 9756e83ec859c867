//! Canonical JSON of many rows, and digests of it.

use arrow_array::{RecordBatch, StringArray};
use arrow_buffer::OffsetBuffer;
use sage_select_core::digest::{HEX_DIGITS, hex128_of_bytes};
use sage_select_core::{Control, Error};

use crate::canonical::{Refused, Writer};
use crate::columns::Column;
use crate::parallel::{self, Chunk, chunks};
use crate::same::Same;

/// Digests of rows, 32 hexadecimal digits each, one after the other.
#[derive(Debug, Default)]
pub struct Digests {
    /// Of the canonical JSON.
    pub exact: Vec<u8>,
    /// Of what rows say, the same for rows that say the same.
    pub alike: Vec<u8>,
    /// The first row that has no canonical JSON.
    pub refused: Option<Refused>,
}

/// Digests of the rows of batches, those asked for.
///
/// # Errors
/// What `control` stops with.
pub fn digests(
    batches: &[RecordBatch],
    exact: bool,
    alike: bool,
    control: &impl Control,
) -> Result<Digests, Error> {
    let made = parallel::map(&chunks(batches), control, |chunk| {
        let mut made = Digests::default();
        let (mut text, mut said, mut same) = (Vec::new(), Vec::new(), Same::default());
        let columns = Column::all(&batches[chunk.batch]);
        let mut writer = Writer::new(&columns);
        for row in chunk.rows.clone() {
            text.clear();
            if let Err((fault, text)) = writer.write(row, &mut text) {
                made.refused = Some(refused(chunk, row, fault, text));
                return Ok(made);
            }
            if exact {
                made.exact.extend(hex128_of_bytes(&text));
            }
            if alike {
                said.clear();
                same.write(&text, writer.pieces(), &mut said);
                made.alike.extend(hex128_of_bytes(&said));
            }
        }
        Ok(made)
    })?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut all = Digests::default();
    all.exact.reserve_exact(if exact { rows * HEX_DIGITS } else { 0 });
    all.alike.reserve_exact(if alike { rows * HEX_DIGITS } else { 0 });
    for one in made {
        all.exact.extend(one.exact);
        all.alike.extend(one.alike);
        all.refused = all.refused.or(one.refused);
    }
    Ok(all)
}

fn refused(chunk: &Chunk, row: usize, fault: crate::json::Fault, text: &str) -> Refused {
    Refused { row: chunk.first + row - chunk.rows.start, fault, text: text.to_owned() }
}

/// Which text of rows is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The canonical JSON.
    Exact,
    /// What rows say, the same for rows that say the same.
    Alike,
}

/// The texts of rows, or the first row that has none.
///
/// # Errors
/// What `control` stops with, or [`Error::OutOfMemory`] where one row is more than 2 GiB of text.
pub fn texts(
    batches: &[RecordBatch],
    form: Form,
    control: &impl Control,
) -> Result<Result<Vec<StringArray>, Refused>, Error> {
    let made = parallel::map(&chunks(batches), control, |chunk| {
        let (mut text, mut strings, mut same) = (Vec::new(), Strings::default(), Same::default());
        let columns = Column::all(&batches[chunk.batch]);
        let mut writer = Writer::new(&columns);
        for row in chunk.rows.clone() {
            text.clear();
            if let Err((fault, text)) = writer.write(row, &mut text) {
                return Ok(Err(refused(chunk, row, fault, text)));
            }
            match form {
                Form::Exact => strings.values.extend_from_slice(&text),
                Form::Alike => same.write(&text, writer.pieces(), &mut strings.values),
            }
            strings.end()?;
        }
        Ok(Ok(strings.finish()))
    })?;
    Ok(made.into_iter().collect::<Result<Vec<_>, _>>().map(|arrays| arrays.into_iter().flatten().collect()))
}

/// Texts on their way into arrays.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// The bytes, which a writer appends.
    pub(crate) values: Vec<u8>,
    ends: Vec<i32>,
    done: Vec<StringArray>,
}

impl Strings {
    /// Where the text that is being written starts.
    pub(crate) fn start(&self) -> usize {
        self.ends.last().map_or(0, |&end| end as usize)
    }

    /// Ends a text.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        if i32::try_from(self.values.len()).is_err() {
            let last = self.values.split_off(self.start());
            self.cut();
            self.values = last;
        }
        let end =
            i32::try_from(self.values.len()).map_err(|_| Error::OutOfMemory { bytes: self.values.len() })?;
        self.ends.push(end);
        Ok(())
    }

    fn cut(&mut self) {
        let (values, ends) = (std::mem::take(&mut self.values), std::mem::take(&mut self.ends));
        if !ends.is_empty() {
            let offsets = std::iter::once(0).chain(ends).collect::<Vec<i32>>();
            // The writers append UTF-8 alone; a check costs next to nothing.
            if let Ok(array) = StringArray::try_new(OffsetBuffer::new(offsets.into()), values.into(), None) {
                self.done.push(array);
            }
        }
    }

    /// The arrays.
    pub(crate) fn finish(mut self) -> Vec<StringArray> {
        self.cut();
        self.done
    }
}
