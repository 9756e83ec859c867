//! The words of rows, and which rows have anything to train.

use arrow_array::{RecordBatch, StringArray};
use sage_select_core::{Control, Error};

use crate::columns::{Column, Values};
use crate::digests::Strings;
use crate::messages::{Messages, Role, are_tools, members_of, turn_of};
use crate::parallel::{self, chunks};
use crate::value::{Unsure, Value, is_blank};

/// How the columns of a batch make a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A conversation: the column of messages.
    Messages(usize),
    /// A prompt and a completion, either of them a text or messages.
    Prompt(usize, usize),
    /// Texts of two speakers, those of the first joined by a blank line: an instruction and its input, then the answer.
    Parts(Vec<usize>, usize),
    /// Literal texts and columns in turn, a literal first and last.
    Template(Vec<String>, Vec<usize>),
}

/// A shape, and what stands beside it in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How words are made.
    pub shape: Shape,
    /// The column of a system turn, if there is one.
    pub system: Option<usize>,
    /// The column of the tools offered, if there is one.
    pub tools: Option<usize>,
}

/// What rows say.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The words of each row; empty where they are not known.
    pub texts: Vec<StringArray>,
    /// Whether each row has anything to train.
    pub answered: Vec<bool>,
    /// Rows whose words the caller must find out, or refuse.
    pub unknown: Vec<i64>,
    /// Other rows that the caller must look at: perhaps something beside the words is wrong with them.
    pub unsure: Vec<i64>,
}

/// The words of the rows of batches.
///
/// # Errors
/// What `control` stops with, or [`Error::OutOfMemory`] where one row is more than 2 GiB of text.
pub fn render(batches: &[RecordBatch], layout: &Layout, control: &impl Control) -> Result<Rendered, Error> {
    let made = parallel::map(&chunks(batches), control, |chunk| {
        let columns = Column::all(&batches[chunk.batch]);
        let reader = Reader::new(&columns, layout);
        let (mut made, mut strings) = (Rendered::default(), Strings::default());
        let mut known_tools = Known::default();
        for row in chunk.rows.clone() {
            let number = (chunk.first + row - chunk.rows.start) as i64;
            let start = strings.start();
            match reader.row(row, &mut strings.values, start) {
                Ok(found) => {
                    made.answered.push(found.answered);
                    if !found.sure || !reader.others_are_sure(row, found.system, &mut known_tools) {
                        made.unsure.push(number);
                    }
                }
                Err(Unsure) => {
                    strings.values.truncate(start);
                    made.answered.push(false);
                    made.unknown.push(number);
                }
            }
            strings.end()?;
        }
        made.texts = strings.finish();
        Ok(made)
    })?;
    let mut all = Rendered::default();
    for one in made {
        all.texts.extend(one.texts);
        all.answered.extend(one.answered);
        all.unknown.extend(one.unknown);
        all.unsure.extend(one.unsure);
    }
    Ok(all)
}

/// What was found out about a row beside its words.
struct Found {
    answered: bool,
    sure: bool,
    /// Whether a system turn is among its messages.
    system: bool,
}

struct Reader<'c, 'a> {
    columns: &'c [Column<'a>],
    layout: &'c Layout,
    /// The messages of each column that holds lists of structs.
    messages: Vec<Option<Messages<'c, 'a>>>,
}

impl<'c, 'a> Reader<'c, 'a> {
    fn new(columns: &'c [Column<'a>], layout: &'c Layout) -> Self {
        let messages = columns.iter().map(|column| match &column.values {
            Values::List(_, items) => members_of(items),
            _ => None,
        });
        Self { columns, layout, messages: messages.collect() }
    }

    /// Appends the words of a row to `out`, which is `start` bytes long.
    fn row(&self, row: usize, out: &mut Vec<u8>, start: usize) -> Result<Found, Unsure> {
        let mut found = Found { answered: false, sure: true, system: false };
        match &self.layout.shape {
            Shape::Messages(column) => self.conversation(*column, row, true, out, start, &mut found)?,
            Shape::Prompt(prompt, completion) => {
                if self.is_list(*prompt, row)? {
                    self.conversation(*prompt, row, false, out, start, &mut found)?;
                } else {
                    self.text(*prompt, row, out)?;
                }
                if self.is_list(*completion, row)? {
                    self.conversation(*completion, row, true, out, start, &mut found)?;
                } else {
                    found.answered |= self.part(*completion, row, "\n", out, start)?;
                }
            }
            Shape::Parts(questions, answer) => {
                for &question in questions {
                    self.part(question, row, "\n\n", out, start)?;
                }
                found.answered = self.part(*answer, row, "\n", out, start)?;
            }
            Shape::Template(literals, fields) => {
                let mut literals = literals.iter();
                if let Some(first) = literals.next() {
                    out.extend_from_slice(first.as_bytes());
                }
                for (&field, literal) in fields.iter().zip(literals) {
                    self.text(field, row, out)?;
                    out.extend_from_slice(literal.as_bytes());
                }
                found.answered = says_something(&out[start..]);
            }
        }
        Ok(found)
    }

    fn text(&self, column: usize, row: usize, out: &mut Vec<u8>) -> Result<(), Unsure> {
        let column = &self.columns[column];
        match &column.values {
            Values::Text(texts) if !column.is_null(row) => {
                out.extend_from_slice(texts.value(row).as_bytes());
                Ok(())
            }
            _ => Value::of_row(column, row)?.push_text(out),
        }
    }

    /// Appends a text, after the separator where there are words before, and tells whether it says anything.
    fn part(
        &self,
        column: usize,
        row: usize,
        separator: &str,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<bool, Unsure> {
        let before = out.len();
        if before > start {
            out.extend_from_slice(separator.as_bytes());
        }
        let words = out.len();
        self.text(column, row, out)?;
        let said = says_something(&out[words..]);
        if out.len() == words {
            out.truncate(before);
        }
        Ok(said)
    }

    /// Whether a value is a list, or the JSON text of one.
    fn is_list(&self, column: usize, row: usize) -> Result<bool, Unsure> {
        let column = &self.columns[column];
        Ok(match &column.values {
            Values::List(..) => !column.is_null(row),
            Values::Json(_) => matches!(Value::of_row(column, row)?, Value::List(_)),
            _ => false,
        })
    }

    fn conversation(
        &self,
        column: usize,
        row: usize,
        trained: bool,
        out: &mut Vec<u8>,
        start: usize,
        found: &mut Found,
    ) -> Result<(), Unsure> {
        let (values, messages) = (&self.columns[column], &self.messages[column]);
        if values.is_null(row) {
            return Ok(());
        }
        let mut note = |turn: crate::messages::Turn| {
            found.answered |= trained && turn.answer;
            found.sure &= turn.sure;
            found.system |= turn.role == Role::System;
        };
        if let (Values::List(lists, items), Some(messages)) = (&values.values, messages) {
            for message in lists.range(row) {
                if items.is_null(message) {
                    return Err(Unsure);
                }
                note(messages.turn(message, out, start)?);
            }
            return Ok(());
        }
        match Value::of_row(values, row)?.read()? {
            Value::Null => {}
            Value::List(messages) => {
                for message in messages {
                    note(turn_of(message, out, start)?);
                }
            }
            _ => return Err(Unsure),
        }
        Ok(())
    }

    /// Whether the system turn and the tools of a row can be read.
    fn others_are_sure(&self, row: usize, has_system: bool, known: &mut Known<'a>) -> bool {
        if let Some(system) = self.layout.system
            && !has_system
            && self.text(system, row, &mut Vec::new()).is_err()
        {
            return false;
        }
        let Some(tools) = self.layout.tools.map(|tools| &self.columns[tools]) else { return true };
        if tools.is_null(row) {
            return true;
        }
        match &tools.values {
            Values::Text(texts) => {
                known.are_tools(texts.value(row), |text| are_tools(Value::Text(text.into())))
            }
            Values::Json(texts) => {
                known.are_tools(texts.value(row), |_| are_tools(Value::of_row(tools, row)?))
            }
            _ => Value::of_row(tools, row).and_then(are_tools) == Ok(true),
        }
    }
}

fn says_something(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| !is_blank(text))
}

/// Texts of tools that were read before: rows often offer the same.
#[derive(Debug, Default)]
struct Known<'a>(std::collections::HashMap<&'a str, bool>);

impl<'a> Known<'a> {
    fn are_tools(&mut self, text: &'a str, read: impl FnOnce(&'a str) -> Result<bool, Unsure>) -> bool {
        *self.0.entry(text).or_insert_with(|| read(text) == Ok(true))
    }
}
