//! Arrow columns as the kernels look at them: types told apart once, values read by row.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, LargeListArray, LargeStringArray, ListArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};

/// Field metadata of a string that holds JSON text.
pub const JSON_TEXT: &str = "sage.json";
/// Field metadata of a string that is the canonical JSON of a value already.
pub const WRITTEN: &str = "sage.written";
const EXTENSION: &str = "ARROW:extension:name";

/// A column, or a part of one.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    all_null: bool,
}

/// What a column holds.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    Number(Numbers<'a>),
    Text(Texts<'a>),
    /// JSON text.
    Json(Texts<'a>),
    /// Canonical JSON.
    Written(Texts<'a>),
    List(Lists<'a>, Box<Column<'a>>),
    Struct(Vec<Column<'a>>),
    /// A type that has no word in JSON.
    Other,
}

/// Text of any layout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Texts<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

/// Numbers of any width.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbers<'a> {
    I8(&'a PrimitiveArray<Int8Type>),
    I16(&'a PrimitiveArray<Int16Type>),
    I32(&'a PrimitiveArray<Int32Type>),
    I64(&'a PrimitiveArray<Int64Type>),
    U8(&'a PrimitiveArray<UInt8Type>),
    U16(&'a PrimitiveArray<UInt16Type>),
    U32(&'a PrimitiveArray<UInt32Type>),
    U64(&'a PrimitiveArray<UInt64Type>),
    F16(&'a PrimitiveArray<Float16Type>),
    F32(&'a PrimitiveArray<Float32Type>),
    F64(&'a PrimitiveArray<Float64Type>),
}

/// One number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Unsigned(u64),
    Float(f64),
}

/// Lists of any layout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lists<'a> {
    Small(&'a ListArray),
    Large(&'a LargeListArray),
    Fixed(&'a FixedSizeListArray),
}

impl<'a> Column<'a> {
    /// The columns of a batch.
    pub(crate) fn all(batch: &'a RecordBatch) -> Vec<Self> {
        let fields = batch.schema_ref().fields();
        fields.iter().zip(batch.columns()).map(|(field, array)| Self::new(field, array)).collect()
    }

    fn new(field: &'a Field, array: &'a ArrayRef) -> Self {
        Self::named(field, array, field.name())
    }

    /// A column of this name: items of a list are called as the list is.
    fn named(field: &'a Field, array: &'a ArrayRef, name: &'a str) -> Self {
        let metadata = field.metadata();
        let is_json = metadata.contains_key(JSON_TEXT)
            || metadata.get(EXTENSION).is_some_and(|extension| extension == "arrow.json");
        let is_written = metadata.contains_key(WRITTEN);
        let text = |texts| match (is_written, is_json) {
            (true, _) => Values::Written(texts),
            (false, true) => Values::Json(texts),
            (false, false) => Values::Text(texts),
        };
        let list = |lists, item: &'a Field, values: &'a ArrayRef| {
            Values::List(lists, Box::new(Self::named(item, values, name)))
        };
        let number = Values::Number;
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int8 => number(Numbers::I8(array.as_primitive())),
            DataType::Int16 => number(Numbers::I16(array.as_primitive())),
            DataType::Int32 => number(Numbers::I32(array.as_primitive())),
            DataType::Int64 => number(Numbers::I64(array.as_primitive())),
            DataType::UInt8 => number(Numbers::U8(array.as_primitive())),
            DataType::UInt16 => number(Numbers::U16(array.as_primitive())),
            DataType::UInt32 => number(Numbers::U32(array.as_primitive())),
            DataType::UInt64 => number(Numbers::U64(array.as_primitive())),
            DataType::Float16 => number(Numbers::F16(array.as_primitive())),
            DataType::Float32 => number(Numbers::F32(array.as_primitive())),
            DataType::Float64 => number(Numbers::F64(array.as_primitive())),
            DataType::Utf8 => text(Texts::Small(array.as_string())),
            DataType::LargeUtf8 => text(Texts::Large(array.as_string())),
            DataType::Utf8View => text(Texts::View(array.as_string_view())),
            DataType::List(item) => {
                let lists = array.as_list::<i32>();
                list(Lists::Small(lists), item, lists.values())
            }
            DataType::LargeList(item) => {
                let lists = array.as_list::<i64>();
                list(Lists::Large(lists), item, lists.values())
            }
            DataType::FixedSizeList(item, _) => {
                let lists = array.as_fixed_size_list();
                list(Lists::Fixed(lists), item, lists.values())
            }
            DataType::Struct(fields) => {
                let members = fields.iter().zip(array.as_struct().columns());
                Values::Struct(members.map(|(field, member)| Self::new(field, member)).collect())
            }
            _ => Values::Other,
        };
        let all_null = matches!(values, Values::Null);
        Self { name, values, nulls: array.nulls(), all_null }
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.all_null || self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

impl<'a> Texts<'a> {
    #[inline]
    pub(crate) fn value(self, row: usize) -> &'a str {
        match self {
            Self::Small(array) => array.value(row),
            Self::Large(array) => array.value(row),
            Self::View(array) => array.value(row),
        }
    }
}

impl Numbers<'_> {
    pub(crate) fn value(self, row: usize) -> Number {
        match self {
            Self::I8(array) => Number::Int(array.value(row).into()),
            Self::I16(array) => Number::Int(array.value(row).into()),
            Self::I32(array) => Number::Int(array.value(row).into()),
            Self::I64(array) => Number::Int(array.value(row)),
            Self::U8(array) => Number::Int(array.value(row).into()),
            Self::U16(array) => Number::Int(array.value(row).into()),
            Self::U32(array) => Number::Int(array.value(row).into()),
            Self::U64(array) => Number::Unsigned(array.value(row)),
            Self::F16(array) => Number::Float(array.value(row).to_f64()),
            Self::F32(array) => Number::Float(array.value(row).into()),
            Self::F64(array) => Number::Float(array.value(row)),
        }
    }
}

impl Lists<'_> {
    /// Which items a row has.
    #[inline]
    pub(crate) fn range(self, row: usize) -> Range<usize> {
        match self {
            Self::Small(array) => {
                array.value_offsets()[row] as usize..array.value_offsets()[row + 1] as usize
            }
            Self::Large(array) => {
                array.value_offsets()[row] as usize..array.value_offsets()[row + 1] as usize
            }
            Self::Fixed(array) => {
                let start = array.value_offset(row) as usize;
                start..start + array.value_length() as usize
            }
        }
    }
}
