//! JSON text: its tokens, its values, and how they are written again.

mod lexer;
mod number;
mod tape;
mod text;

pub(crate) use lexer::{Lexer, Text};
pub(crate) use number::{push_float, push_whole_float};
pub(crate) use tape::{Kind, Node, Tape};
pub(crate) use text::{decode, half_at, plain_end, push_escaped, push_quoted, same_name};

/// Why a text is not the JSON that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No JSON at all.
    Syntax,
    /// A key stands twice in one object.
    Duplicate,
    /// A string holds half of a surrogate pair.
    HalfCharacter,
    /// Lists and objects lie too deep in each other.
    Deep,
    /// A whole number has more than 64 bits where a column holds it.
    Wide,
}
