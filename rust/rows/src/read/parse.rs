//! Lines of strict JSON as flat lists of values.

use super::transcribe::{
    Keys, MAX_DEPTH, Transcriber, check_keys, float, is_infinite, more, push_arguments, push_int, push_string,
};
use super::{ARGUMENTS, ITEM, is_content_key, is_text_key};
use crate::json::{Fault, Lexer, Text, decode, push_float, push_quoted};

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
                self.bad.push(BadRow { row, start: at, end });
                self.roots.push(None);
            }
            Err(Refusal::Fault(fault)) => return Err(fault),
        }
        Ok(end)
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

enum Refusal {
    /// It is JSON, and no object with names for all its members.
    NoRow,
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Parser<'r, 'a> {
    lexer: Lexer<'a>,
    nodes: &'r mut Vec<Node>,
    texts: &'r mut Vec<u8>,
    keys: Keys,
    infinite: bool,
}

impl<'r, 'a> Parser<'r, 'a> {
    fn new(rows: &'r mut Rows<'a>, start: usize, end: usize) -> Self {
        let mut lexer = Lexer::new(&rows.source[..end]);
        lexer.at = start;
        Self { lexer, nodes: &mut rows.nodes, texts: &mut rows.texts, keys: Vec::new(), infinite: false }
    }

    fn root(&mut self) -> Result<u32, Refusal> {
        let root = self.nodes.len() as u32;
        let is_object = self.lexer.peek() == Some(b'{');
        self.value(0, ITEM, 0)?;
        if !is_object || self.has_empty_key(root) {
            return Err(Refusal::NoRow);
        }
        Ok(root)
    }

    fn has_empty_key(&self, root: u32) -> bool {
        let end = self.nodes[root as usize].next;
        let mut key = root + 1;
        while key < end {
            let node = self.nodes[key as usize];
            if node.start == node.end {
                return true;
            }
            key = self.nodes[key as usize + 1].next;
        }
        false
    }

    fn push(&mut self, what: What, start: usize, end: usize) {
        let next = self.nodes.len() as u32 + 1;
        let (start, end) = (start as u32, end as u32);
        self.nodes.push(Node { start, end, next, what, escaped: false, normal: true });
    }

    fn push_text(&mut self, text: Text) -> Result<(), Fault> {
        if text.half {
            return Err(Fault::HalfCharacter);
        }
        let next = self.nodes.len() as u32 + 1;
        let (start, end) = (text.start as u32, text.end as u32);
        let (escaped, normal) = (text.escaped, text.normal);
        self.nodes.push(Node { start, end, next, what: What::String, escaped, normal });
        Ok(())
    }

    fn word(&mut self, what: What, word: &[u8]) -> Result<(), Fault> {
        let start = self.lexer.at;
        self.lexer.word(word)?;
        self.push(what, start, self.lexer.at);
        Ok(())
    }

    /// Takes a value under a name, so many objects and lists below the row (`level`), in so many in all (`depth`).
    fn value(&mut self, level: usize, name: &[u8], depth: usize) -> Result<(), Fault> {
        match self.lexer.peek() {
            Some(b'"') => {
                let text = self.lexer.string()?;
                self.push_text(text)
            }
            Some(open @ (b'{' | b'[')) => {
                let is_object = open == b'{';
                // The row itself is no value of a column.
                let is_text =
                    depth > 0 && (is_text_key(name) || (is_object && level > 0 && is_content_key(name)));
                match (is_text, is_object) {
                    (true, true) => self.json(What::JsonObject, depth),
                    (true, false) => self.json(What::JsonList, depth),
                    (false, true) => self.object(level, depth),
                    (false, false) => self.list(level, depth),
                }
            }
            Some(b'n') => self.word(What::Null, b"null"),
            Some(b't') => self.word(What::True, b"true"),
            Some(b'f') => self.word(What::False, b"false"),
            Some(_) => {
                let number = self.lexer.number()?;
                if number.wide {
                    return Err(Fault::Wide);
                }
                self.push(if number.whole { What::Int } else { What::Float }, number.start, number.end);
                self.infinite |= !number.whole && is_infinite(&self.lexer.source[number.start..number.end]);
                Ok(())
            }
            None => Err(Fault::Syntax),
        }
    }

    /// Takes a value that is held as JSON text.
    fn json(&mut self, what: What, depth: usize) -> Result<(), Fault> {
        let start = self.texts.len();
        let (lexer, infinite, keys) = (&mut self.lexer, &mut self.infinite, &mut self.keys);
        Transcriber { lexer, infinite, keys, objects: true }.value(depth, self.texts)?;
        let end = self.texts.len();
        if u32::try_from(end).is_err() {
            return Err(Fault::Deep);
        }
        self.push(what, start, end);
        Ok(())
    }

    fn open(&mut self, what: What, depth: usize) -> Result<usize, Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::Deep);
        }
        let at = self.nodes.len();
        self.push(what, self.lexer.at, self.lexer.at);
        self.lexer.at += 1;
        self.lexer.skip_space();
        Ok(at)
    }

    fn close(&mut self, at: usize) {
        self.lexer.at += 1;
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[at];
        (node.end, node.next) = (self.lexer.at as u32, next);
    }

    fn list(&mut self, level: usize, depth: usize) -> Result<(), Fault> {
        let at = self.open(What::List, depth)?;
        if self.lexer.peek() != Some(b']') {
            loop {
                self.value(level + 1, ITEM, depth + 1)?;
                if !more(&mut self.lexer, b']')? {
                    break;
                }
            }
        }
        self.close(at);
        Ok(())
    }

    fn object(&mut self, level: usize, depth: usize) -> Result<(), Fault> {
        let at = self.open(What::Object, depth)?;
        let first = self.keys.len();
        if self.lexer.peek() != Some(b'}') {
            loop {
                let key = self.lexer.string()?;
                self.push_text(key)?;
                self.keys.push((key.start as u32, key.end as u32, key.escaped));
                self.lexer.skip_space();
                self.lexer.expect(b':')?;
                self.lexer.skip_space();
                // Members of the row are at level 0.
                let below = if depth == 0 { 0 } else { level + 1 };
                if key.escaped {
                    let mut name = Vec::new();
                    decode(&mut name, &self.lexer.source[key.start..key.end]);
                    self.value(below, &name, depth + 1)?;
                } else {
                    let name = &self.lexer.source[key.start..key.end];
                    self.value(below, name, depth + 1)?;
                }
                if !more(&mut self.lexer, b'}')? {
                    break;
                }
            }
        }
        check_keys(self.lexer.source, &self.keys[first..])?;
        self.keys.truncate(first);
        self.close(at);
        Ok(())
    }
}
