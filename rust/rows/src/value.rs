//! Values of rows as trees, for what is read in many spellings: calls, parts of contents, tools.

use std::borrow::Cow;
use std::io::Write as _;

use crate::columns::{Column, Number, Values};
use crate::json::{Fault, Kind, Tape, push_float, push_quoted};

/// A row whose reading is left to the caller: it is wrong, or odder than is worth knowing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsure;

/// A value as JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// The digits of a whole number.
    Int(Cow<'a, str>),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// What a text spells as JSON.
    fn parse(text: &'a str) -> Result<Self, Fault> {
        let tape = Tape::parse(text.as_bytes(), Vec::new())?;
        Self::of(&tape, 0).map_err(|Unsure| Fault::HalfCharacter)
    }

    fn of(tape: &Tape<'a>, at: usize) -> Result<Self, Unsure> {
        let number = || std::str::from_utf8(tape.raw(at)).map_err(|_| Unsure);
        Ok(match tape.nodes[at].kind {
            Kind::Null => Self::Null,
            Kind::True => Self::Bool(true),
            Kind::False => Self::Bool(false),
            Kind::Int => Self::Int(Cow::Borrowed(match number()? {
                "-0" => "0",
                digits => digits,
            })),
            Kind::Float => Self::Float(number()?.parse().map_err(|_| Unsure)?),
            Kind::String if tape.nodes[at].half => return Err(Unsure),
            Kind::String => Self::Text(utf8(tape.text(at))?),
            Kind::List => {
                Self::List(tape.items(at).map(|item| Self::of(tape, item)).collect::<Result<_, _>>()?)
            }
            Kind::Object => {
                let member = |(key, value)| Ok((utf8(key)?, Self::of(tape, value)?));
                Self::Object(tape.members(at).into_iter().map(member).collect::<Result<_, _>>()?)
            }
        })
    }

    /// The value of a row of a column; a null of a struct is no member at all.
    ///
    /// Text under the name `arguments` that is marked as JSON and spells none is text: that is what the model said.
    pub(crate) fn of_row(column: &Column<'a>, row: usize) -> Result<Self, Unsure> {
        if column.is_null(row) {
            return Ok(Self::Null);
        }
        Ok(match &column.values {
            Values::Null => Self::Null,
            Values::Bool(array) => Self::Bool(array.value(row)),
            Values::Number(numbers) => match numbers.value(row) {
                Number::Int(value) => Self::Int(value.to_string().into()),
                Number::Unsigned(value) => Self::Int(value.to_string().into()),
                Number::Float(value) => Self::Float(value),
            },
            Values::Text(texts) => Self::Text(texts.value(row).into()),
            Values::Json(texts) => match Self::parse(texts.value(row)) {
                Ok(value) => value,
                Err(Fault::Syntax) if column.name == "arguments" => Self::Text(texts.value(row).into()),
                Err(_) => return Err(Unsure),
            },
            Values::List(lists, items) => {
                Self::List(lists.range(row).map(|item| Self::of_row(items, item)).collect::<Result<_, _>>()?)
            }
            Values::Struct(members) => {
                let there = members.iter().filter(|member| !member.is_null(row));
                let member = |member: &Column<'a>| Ok((member.name.into(), Self::of_row(member, row)?));
                Self::Object(there.map(member).collect::<Result<_, _>>()?)
            }
            Values::Written(_) | Values::Other => return Err(Unsure),
        })
    }

    /// The object or list that a text spells, or the text where it spells none.
    pub(crate) fn try_json(text: Cow<'a, str>) -> Result<Self, Unsure> {
        if !may_be_json(&text) {
            return Ok(Self::Text(text));
        }
        let read = match &text {
            Cow::Borrowed(text) => Value::parse(text),
            Cow::Owned(text) => Value::parse(text).map(Value::into_owned),
        };
        match read {
            Ok(value @ (Self::List(_) | Self::Object(_))) => Ok(value),
            Ok(_) | Err(Fault::Syntax) => Ok(Self::Text(text)),
            Err(_) => Err(Unsure),
        }
    }

    /// [`Self::try_json`] of a text; any other value as it is.
    pub(crate) fn read(self) -> Result<Self, Unsure> {
        match self {
            Self::Text(text) => Self::try_json(text),
            other => Ok(other),
        }
    }

    fn into_owned(self) -> Value<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(digits) => Value::Int(owned(digits)),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => Value::Text(owned(text)),
            Self::List(items) => Value::List(items.into_iter().map(Self::into_owned).collect()),
            Self::Object(members) => Value::Object(
                members.into_iter().map(|(key, value)| (owned(key), value.into_owned())).collect(),
            ),
        }
    }

    /// The member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes a member out of an object.
    pub(crate) fn take(&mut self, name: &str) -> Option<Self> {
        match self {
            Self::Object(members) => {
                let place = members.iter().position(|(key, _)| key == name)?;
                Some(members.swap_remove(place).1)
            }
            _ => None,
        }
    }

    /// Appends the value as `json.dumps` writes it, characters as they are.
    pub(crate) fn dump(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Float(value) => push_float(out, *value),
            Self::Text(text) => push_quoted(out, text.as_bytes()),
            Self::List(items) => {
                out.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.dump(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (place, (key, value)) in members.iter().enumerate() {
                    if place > 0 {
                        out.extend_from_slice(b", ");
                    }
                    push_quoted(out, key.as_bytes());
                    out.extend_from_slice(b": ");
                    value.dump(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Appends a scalar as the text that it is; null is the empty text.
    pub(crate) fn push_text(&self, out: &mut Vec<u8>) -> Result<(), Unsure> {
        match self {
            Self::Null => {}
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Int(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Float(value) if value.is_finite() => push_float(out, *value),
            Self::Float(value) => {
                let _ = write!(out, "{}", value.to_string().to_lowercase());
            }
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::List(_) | Self::Object(_) => return Err(Unsure),
        }
        Ok(())
    }
}

/// Whether a text may spell an object or a list.
pub(crate) fn may_be_json(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r'))
}

/// Whether a text is nothing but white space, as Python has it.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || ('\x1C'..='\x1F').contains(&character))
}

fn utf8(text: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Unsure> {
    match text {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Unsure),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Unsure),
    }
}
