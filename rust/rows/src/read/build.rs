//! Arrow arrays of values, by the layout of their place.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    new_null_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use memchr::memmem;

use super::layout::{Form, Layout};
use super::rows::{Rows, What};
use super::transcribe::{float, push_arguments, push_string};
use crate::json::{decode, same_name};

/// An array on its way.
enum Builder<'l> {
    Bool(Bits),
    Int(Vec<i64>),
    Float(Vec<f64>),
    String(Text),
    Json(Text, bool),
    List(Vec<i32>, Box<Column<'l>>),
    Struct(Vec<Member<'l>>),
}

struct Member<'l> {
    name: &'l [u8],
    /// Which of the objects had it last.
    stamp: usize,
    column: Column<'l>,
}

#[derive(Default)]
struct Text {
    values: Vec<u8>,
    ends: Vec<i32>,
}

/// Arguments within arguments, as they are written.
static INNER: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"\"arguments\":\""));

/// Bits on their way, 64 at a time: arrow's builder looks at its memory with each.
#[derive(Default)]
struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    fn with_room(bits: usize) -> Self {
        Self { words: Vec::with_capacity(bits.div_ceil(64)), len: 0 }
    }

    fn ones(len: usize) -> Self {
        let mut words = vec![u64::MAX; len / 64];
        if !len.is_multiple_of(64) {
            words.push((1 << (len % 64)) - 1);
        }
        Self { words, len }
    }

    #[inline]
    fn push(&mut self, bit: bool) {
        let at = self.len % 64;
        if at == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << at;
        }
        self.len += 1;
    }

    fn finish(self) -> BooleanBuffer {
        let words = self.words.into_iter().map(u64::to_le).collect::<Vec<_>>();
        BooleanBuffer::new(words.into(), 0, self.len)
    }
}

/// An array on its way, with its nulls.
pub(super) struct Column<'l> {
    builder: Builder<'l>,
    len: usize,
    /// Which values are there, from the first null on.
    valid: Option<Bits>,
    /// Whether the values are those of a column of the table, where null and absent are one.
    outer: bool,
}

impl<'l> Column<'l> {
    pub(super) fn new(layout: &'l Layout, rows: usize, outer: bool) -> Self {
        let builder = match &layout.form {
            Form::Bool => Builder::Bool(Bits::with_room(rows)),
            Form::Int => Builder::Int(Vec::with_capacity(rows)),
            Form::Float => Builder::Float(Vec::with_capacity(rows)),
            Form::String => Builder::String(Text::with_room()),
            Form::Json { arguments } => Builder::Json(Text::default(), *arguments),
            Form::List(item) => Builder::List(vec![0], Box::new(Self::new(item, 0, false))),
            Form::Struct(fields) => Builder::Struct(
                fields
                    .iter()
                    .map(|(name, layout)| Member { name, stamp: 0, column: Self::new(layout, 0, false) })
                    .collect(),
            ),
        };
        Self { builder, len: 0, valid: None, outer }
    }

    fn note(&mut self, is_there: bool) {
        match &mut self.valid {
            Some(valid) => valid.push(is_there),
            None if is_there => {}
            None => {
                let mut valid = Bits::ones(self.len);
                valid.push(false);
                self.valid = Some(valid);
            }
        }
        self.len += 1;
    }

    /// Appends a null: a key that is not there, or a null where both are one.
    pub(super) fn push_null(&mut self) {
        self.note(false);
        match &mut self.builder {
            Builder::Bool(values) => values.push(false),
            Builder::Int(values) => values.push(0),
            Builder::Float(values) => values.push(0.0),
            Builder::String(text) | Builder::Json(text, _) => text.end(),
            Builder::List(ends, items) => ends.push(items.len as i32),
            Builder::Struct(members) => members.iter_mut().for_each(|member| member.column.push_null()),
        }
    }

    /// Appends a value.
    pub(super) fn push(&mut self, rows: &Rows<'_>, at: u32) {
        let node = rows.nodes[at as usize];
        if node.what == What::Null && (self.outer || !matches!(self.builder, Builder::Json(..))) {
            return self.push_null();
        }
        match &mut self.builder {
            Builder::Bool(values) => values.push(node.what == What::True),
            Builder::Int(values) => {
                let digits = std::str::from_utf8(rows.raw(node)).unwrap_or_default();
                values.push(digits.parse().unwrap_or_default());
            }
            Builder::Float(values) => values.push(float(rows.raw(node))),
            Builder::String(text) => {
                if node.escaped {
                    decode(&mut text.values, rows.raw(node));
                } else {
                    push_short(&mut text.values, rows.source, node.start as usize, node.end as usize);
                }
                text.end();
            }
            Builder::Json(text, arguments) => {
                if *arguments && node.what == What::String {
                    let start = text.values.len();
                    let spelled = push_arguments(&mut text.values, rows.raw(node), node.escaped, node.normal);
                    // Arguments within arguments: what the model said is not clear, and stays as it is.
                    if spelled && INNER.find(&text.values[start..]).is_some() {
                        text.values.truncate(start);
                        push_string(&mut text.values, rows.raw(node), node.normal);
                    }
                } else {
                    rows.write(at, &mut text.values);
                }
                text.end();
            }
            Builder::List(ends, items) => {
                rows.items(at).for_each(|item| items.push(rows, item));
                ends.push(items.len as i32);
            }
            Builder::Struct(members) => {
                let stamp = self.len + 1;
                push_members(members, rows, at, stamp);
            }
        }
        self.note(true);
    }

    /// The array, of the type of the layout without metadata.
    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.valid.map(|valid| NullBuffer::new(valid.finish()));
        Ok(match self.builder {
            Builder::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Builder::Int(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Builder::Float(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Builder::String(text) | Builder::Json(text, _) => text.finish(nulls)?,
            Builder::List(ends, items) => {
                let items = items.finish()?;
                let field = Arc::new(Field::new("item", items.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, offsets(ends)?, items, nulls)?)
            }
            Builder::Struct(members) => {
                let mut arrays = Vec::with_capacity(members.len());
                let mut fields = Vec::with_capacity(members.len());
                for member in members {
                    let array = member.column.finish()?;
                    let name = String::from_utf8_lossy(member.name).into_owned();
                    fields.push(Field::new(name, array.data_type().clone(), true));
                    arrays.push(array);
                }
                debug_assert!(arrays.iter().all(|array| array.len() == self.len));
                Arc::new(StructArray::try_new(fields.into(), arrays, nulls)?)
            }
        })
    }
}

fn push_members(members: &mut [Member<'_>], rows: &Rows<'_>, at: u32, stamp: usize) {
    let (mut found, mut next) = (0, 0);
    rows.for_each_member(at, |name, value| {
        let is_next = members.get(next).is_some_and(|member| same_name(member.name, name));
        let place =
            if is_next { Some(next) } else { members.iter().position(|member| same_name(member.name, name)) };
        if let Some(place) = place {
            members[place].stamp = stamp;
            members[place].column.push(rows, value);
            (found, next) = (found + 1, place + 1);
        }
    });
    if found < members.len() {
        members
            .iter_mut()
            .filter(|member| member.stamp != stamp)
            .for_each(|member| member.column.push_null());
    }
}

/// The columns of the rows of a part; rows that `skip` says, and bad ones, are null in all.
pub(super) fn build(
    rows: &Rows<'_>,
    columns: &[(Box<[u8]>, Layout)],
    skip: impl Fn(usize) -> bool,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let count = rows.roots.len();
    let mut members: Vec<Member<'_>> = columns
        .iter()
        .map(|(name, layout)| Member { name, stamp: 0, column: Column::new(layout, count, true) })
        .collect();
    for (row, root) in rows.roots.iter().enumerate() {
        match root.filter(|_| !skip(row)) {
            Some(root) => push_members(&mut members, rows, root, row + 1),
            None => members.iter_mut().for_each(|member| member.column.push_null()),
        }
    }
    members.into_iter().map(|member| member.column.finish()).collect()
}

/// Bytes that are copied at once, many or few: the copy of a number that is known takes a few instructions, and any other a
/// call. Most texts are shorter.
const SHORT: usize = 64;

/// Appends a range of a text.
#[inline]
fn push_short(out: &mut Vec<u8>, text: &[u8], start: usize, end: usize) {
    match text[start..].first_chunk::<SHORT>() {
        Some(chunk) if end - start <= SHORT => {
            let length = out.len() + (end - start);
            out.extend_from_slice(chunk);
            out.truncate(length);
        }
        _ => out.extend_from_slice(&text[start..end]),
    }
}

/// Bytes of text that a column has room for at first: what grows in small steps is copied as often.
const ROOM: usize = 256 << 10;

impl Text {
    fn with_room() -> Self {
        Self { values: Vec::with_capacity(ROOM), ends: Vec::new() }
    }

    fn end(&mut self) {
        // Text of more than 2 GiB has its end where no offset can be, which `finish` refuses.
        self.ends.push(i32::try_from(self.values.len()).unwrap_or(-1));
    }

    fn finish(mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        // What grew by doubling would hold up to twice the memory.
        self.values.shrink_to_fit();
        self.ends.insert(0, 0);
        Ok(Arc::new(StringArray::try_new(offsets(self.ends)?, self.values.into(), nulls)?))
    }
}

fn offsets(ends: Vec<i32>) -> Result<OffsetBuffer<i32>, ArrowError> {
    if ends.is_sorted() {
        Ok(OffsetBuffer::new(ends.into()))
    } else {
        Err(ArrowError::OffsetOverflowError(usize::MAX))
    }
}

/// The same values under a type that differs in the metadata of its fields.
pub(super) fn retyped(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    if array.null_count() == array.len() {
        return Ok(new_null_array(wanted, array.len()));
    }
    match wanted {
        DataType::List(item) => {
            let Some(lists) = array.as_any().downcast_ref::<ListArray>() else { return mismatch(wanted) };
            let items = retyped(lists.values(), item.data_type())?;
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?))
        }
        DataType::Struct(fields) => {
            let Some(structs) = array.as_any().downcast_ref::<StructArray>() else { return mismatch(wanted) };
            let members = structs
                .columns()
                .iter()
                .zip(fields)
                .map(|(member, field)| retyped(member, field.data_type()))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), members, structs.nulls().cloned())?))
        }
        _ => mismatch(wanted),
    }
}

fn mismatch(wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    Err(ArrowError::SchemaError(format!("a column was built by another layout than {wanted}")))
}
