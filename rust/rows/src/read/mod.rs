//! Strict JSON, a row an object, as Arrow columns.
//!
//! Nothing that two readers would understand differently is taken: `NaN`, keys given twice, halves of surrogate pairs,
//! whole numbers beyond 64 bits in columns, very deep nesting. Text is read in parts of about 2 MiB, cut at line ends:
//! each is parsed once into a flat list of values, what all hold is observed, and columns are built of it.
//!
//! How columns hold their values:
//!
//! - One kind of scalar, list or object at a place is held as that Arrow type.
//! - Objects in lists (messages) become structs over the union of their keys; an absent key is null there.
//! - Any other object whose keys vary by row, `tools`, `arguments` and `parameters`, and objects that are the content of
//!   a message are held as JSON text.
//! - A place with several kinds (content: a string here, a list of parts there) is held as JSON text.
//! - Where a key of list objects is null in some and missing in others, a struct could not tell the two apart: the whole
//!   column is held as JSON text.

mod apart;
mod build;
mod cut;
mod facts;
mod layout;
mod parse;
mod recent;
mod rows;
mod seen;
mod table;
mod transcribe;

pub use facts::{Change, ColumnFacts, Inexact, Place, Taken};
pub use rows::BadRow;
pub use seen::Kind;
pub use table::JsonTable;

/// Names whose objects differ from row to row by their nature.
const TEXT_KEYS: [&[u8]; 3] = [b"tools", ARGUMENTS, b"parameters"];
/// The name under which strings are the objects that they spell.
const ARGUMENTS: &[u8] = b"arguments";
/// Members of messages that are text in most rows, and in some the objects that a tool gave.
const CONTENT_KEYS: [&[u8]; 2] = [b"content", b"value"];
/// Name of the items of a list.
const ITEM: &[u8] = b"item";

fn is_text_key(name: &[u8]) -> bool {
    TEXT_KEYS.contains(&name)
}

fn is_content_key(name: &[u8]) -> bool {
    CONTENT_KEYS.contains(&name)
}
