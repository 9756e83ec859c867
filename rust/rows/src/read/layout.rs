//! How the values of a place are held.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};

use super::ARGUMENTS;
use super::seen::{Kind, Seen};
use crate::columns::JSON_TEXT;

/// Field metadata that says what a null is where the default (in structs: absent, in columns: null) is wrong.
const NULL_KEY: &str = "sage.null";

/// How the values of a place are held.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) form: Form,
    /// Whether a null stands for a key that is there and null; it changes no bytes of the column.
    null_is_value: bool,
}

/// The type of a place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Bool,
    Int,
    Float,
    String,
    /// JSON text; whether strings that are JSON objects are held as those objects.
    Json {
        arguments: bool,
    },
    List(Box<Layout>),
    Struct(Vec<(Box<[u8]>, Layout)>),
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

impl Layout {
    /// How the values of a column are held.
    pub(super) fn of_column(column: &Seen) -> Self {
        if !is_text(column) && is_ambiguous(column) {
            return Self { form: Form::Json { arguments: *column.name == *ARGUMENTS }, null_is_value: false };
        }
        Self::of(column)
    }

    fn of(seen: &Seen) -> Self {
        if is_text(seen) {
            return Self { form: Form::Json { arguments: *seen.name == *ARGUMENTS }, null_is_value: false };
        }
        let form = if seen.holds(Kind::Object) {
            Form::Struct(seen.fields.iter().map(|field| (field.name.clone(), Self::of(field))).collect())
        } else if let (true, Some(item)) = (seen.holds(Kind::List), &seen.item) {
            Form::List(Box::new(Self::of(item)))
        } else if seen.holds(Kind::Float) {
            Form::Float
        } else if seen.holds(Kind::Int) {
            Form::Int
        } else if seen.holds(Kind::Bool) {
            Form::Bool
        } else {
            Form::String
        };
        Self { form, null_is_value: seen.depth > 0 && !seen.in_list && seen.null }
    }

    fn data_type(&self) -> DataType {
        match &self.form {
            Form::Bool => DataType::Boolean,
            Form::Int => DataType::Int64,
            Form::Float => DataType::Float64,
            Form::String | Form::Json { .. } => DataType::Utf8,
            Form::List(item) => DataType::List(Arc::new(item.field(b"item"))),
            Form::Struct(fields) => {
                DataType::Struct(fields.iter().map(|(name, layout)| layout.field(name)).collect::<Fields>())
            }
        }
    }

    fn field(&self, name: &[u8]) -> Field {
        let mut metadata = HashMap::new();
        if matches!(self.form, Form::Json { .. }) {
            metadata.insert(JSON_TEXT.to_owned(), "1".to_owned());
        }
        if self.null_is_value {
            metadata.insert(NULL_KEY.to_owned(), "explicit".to_owned());
        }
        Field::new(String::from_utf8_lossy(name), self.data_type(), true).with_metadata(metadata)
    }
}

/// The Arrow field of a column.
pub(super) fn column_field(column: &Seen) -> Field {
    let mut field = Layout::of_column(column).field(&column.name);
    if column.absent && !column.null {
        field.metadata_mut().insert(NULL_KEY.to_owned(), "absent".to_owned());
    }
    field
}

/// Whether a place is held as JSON text; a list is where its items would be, an object without keys always.
fn is_text(seen: &Seen) -> bool {
    if seen.text || (seen.holds(Kind::Object) && seen.fields.is_empty()) {
        return true;
    }
    seen.holds(Kind::List) && seen.item.as_deref().is_some_and(is_text)
}

/// Whether somewhere in the typed part a null could be a null or an absent key.
fn is_ambiguous(seen: &Seen) -> bool {
    if is_text(seen) {
        return false;
    }
    if seen.depth > 0 && seen.null && seen.absent {
        return true;
    }
    seen.fields.iter().chain(seen.item.as_deref()).any(is_ambiguous)
}
