//! Rows as flat lists of their values.

use super::ARGUMENTS;
use super::parse::{Parser, Refusal};
use super::recent::RecentValues;
use super::transcribe::{float, push_arguments, push_int, push_string};
use crate::json::{Fault, decode, push_float, push_quoted};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Null,
    True,
    False,
    Int,
    Float,
    String,
    List,
    Object,
    /// A list that is held as JSON text, which is written already.
    JsonList,
    /// Such an object.
    JsonObject,
}

/// A value: `start..end` is a string's inside or all of a number in the source, or JSON text among the texts; what
/// follows the value is at `next`. Members of an object are a key and a value in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) next: u32,
    pub(super) what: What,
    /// Of a string: whether it has escapes.
    pub(super) escaped: bool,
    /// Of a string: whether it is written as it would be again.
    pub(super) normal: bool,
}

/// A row that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRow {
    /// Which row of the part, or of the text.
    pub row: usize,
    /// Where its text begins and ends.
    pub start: usize,
    /// See `start`.
    pub end: usize,
}

/// The rows of a part of a text.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) source: &'a [u8],
    pub(super) nodes: Vec<Node>,
    /// JSON text of values that are held as such.
    pub(super) texts: Vec<u8>,
    /// Of such values, the last that were written.
    pub(super) recent: RecentValues,
    /// The object of each row; none where it is bad.
    pub(super) roots: Vec<Option<u32>>,
    /// The line of each row, counted from 0 within the part.
    pub(super) lines: Vec<u32>,
    /// Lines of the part.
    pub(super) line_count: u32,
    pub(super) bad: Vec<BadRow>,
    /// Rows with a number that is too large for a float.
    pub(super) infinite: Vec<usize>,
}

/// Whether a line holds nothing, as Python's `bytes.strip` has it.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C))
}

impl<'a> Rows<'a> {
    /// Reads lines, the last of which need not end.
    pub(super) fn of_lines(source: &'a [u8]) -> Self {
        let mut rows = Self { source, ..Self::default() };
        rows.nodes.reserve(source.len() / 24);
        let is_utf8 = std::str::from_utf8(source).is_ok();
        let mut start = 0;
        while start < source.len() {
            let end = memchr::memchr(b'\n', &source[start..]).map_or(source.len(), |length| start + length);
            let line = &source[start..end];
            if !is_blank(line) {
                let row = rows.roots.len();
                rows.lines.push(rows.line_count);
                let root = if is_utf8 || std::str::from_utf8(line).is_ok() {
                    rows.row(start, end)
                } else {
                    Err(Fault::Syntax)
                };
                if root.is_err() {
                    rows.bad.push(BadRow { row, start, end });
                }
                rows.roots.push(root.ok());
            }
            rows.line_count += 1;
            start = end + 1;
        }
        rows
    }

    /// Reads an element of an array that begins at `at`, which is on this line, and returns what follows it.
    ///
    /// # Errors
    /// Where there is no JSON. What is JSON but no row is a bad row.
    pub(super) fn element(&mut self, at: usize, line: u32) -> Result<usize, Fault> {
        let row = self.roots.len();
        let (nodes, texts) = (self.nodes.len(), self.texts.len());
        let mut parser = Parser::new(self, at, self.source.len());
        let read = parser.root();
        let (end, infinite) = (parser.lexer.at, parser.infinite);
        self.lines.push(line);
        match read {
            Ok(root) => {
                if infinite {
                    self.infinite.push(row);
                }
                self.roots.push(Some(root));
            }
            Err(Refusal::NoRow) => {
                self.nodes.truncate(nodes);
                self.texts.truncate(texts);
                self.recent.truncate(texts);
                self.bad.push(BadRow { row, start: at, end });
                self.roots.push(None);
            }
            Err(Refusal::Fault(fault)) => return Err(fault),
        }
        Ok(end)
    }

    /// Forgets what the rows hold, but not which there are.
    pub(super) fn forget_values(&mut self) {
        (self.nodes, self.texts, self.recent) = (Vec::new(), Vec::new(), RecentValues::default());
    }

    /// Reads lines once more whose values were forgotten.
    pub(super) fn remember_values(&mut self) {
        if self.nodes.is_empty() && self.roots.iter().any(Option::is_some) {
            *self = Self::of_lines(self.source);
        }
    }

    fn row(&mut self, start: usize, end: usize) -> Result<u32, Fault> {
        let row = self.roots.len();
        let (nodes, texts) = (self.nodes.len(), self.texts.len());
        let mut parser = Parser::new(self, start, end);
        parser.lexer.skip_space();
        let read = parser.root().map_err(|_| Fault::Syntax).and_then(|root| {
            parser.lexer.skip_space();
            if parser.lexer.at == end { Ok(root) } else { Err(Fault::Syntax) }
        });
        let infinite = parser.infinite;
        match read {
            Ok(_) if infinite => self.infinite.push(row),
            Ok(_) => {}
            Err(_) => {
                self.nodes.truncate(nodes);
                self.texts.truncate(texts);
                self.recent.truncate(texts);
            }
        }
        read
    }

    /// The bytes of a value in the source.
    pub(super) fn raw(&self, node: Node) -> &'a [u8] {
        &self.source[node.start as usize..node.end as usize]
    }

    /// The places of the items of a list, or of keys and values of an object in turn.
    pub(super) fn items(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.nodes[at as usize].next;
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let item = next;
            (item < end).then(|| {
                next = self.nodes[item as usize].next;
                item
            })
        })
    }

    /// Calls `visit` with the name and the place of each member of an object.
    pub(super) fn for_each_member(&self, at: u32, mut visit: impl FnMut(&[u8], u32)) {
        let mut buffer = Vec::new();
        let mut items = self.items(at);
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let node = self.nodes[key as usize];
            if node.escaped {
                buffer.clear();
                decode(&mut buffer, self.raw(node));
                visit(&buffer, value);
            } else {
                visit(self.raw(node), value);
            }
        }
    }

    /// Appends a value as JSON text: compact, keys in their order, arguments that spell objects as these.
    pub(super) fn write(&self, at: u32, out: &mut Vec<u8>) {
        let node = self.nodes[at as usize];
        match node.what {
            What::Null => out.extend_from_slice(b"null"),
            What::True => out.extend_from_slice(b"true"),
            What::False => out.extend_from_slice(b"false"),
            What::Int => push_int(out, self.raw(node)),
            What::Float => push_float(out, float(self.raw(node))),
            What::String => push_string(out, self.raw(node), node.normal),
            What::JsonList | What::JsonObject => {
                out.extend_from_slice(&self.texts[node.start as usize..node.end as usize]);
            }
            What::List => {
                out.push(b'[');
                for (place, item) in self.items(at).enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    self.write(item, out);
                }
                out.push(b']');
            }
            What::Object => {
                out.push(b'{');
                let mut first = true;
                self.for_each_member(at, |name, value| {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    push_quoted(out, name);
                    out.push(b':');
                    let node = self.nodes[value as usize];
                    if name == ARGUMENTS && node.what == What::String {
                        push_arguments(out, self.raw(node), node.escaped, node.normal);
                    } else {
                        self.write(value, out);
                    }
                });
                out.push(b'}');
            }
        }
    }
}
