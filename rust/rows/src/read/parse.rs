//! Strict JSON taken apart into the flat list of its values.

use super::recent::{RecentValues, Written};
use super::rows::{Node, Rows, What};
use super::transcribe::{Keys, MAX_DEPTH, Transcriber, check_keys, is_infinite};
use super::{ITEM, is_content_key, is_text_key};
use crate::json::{Fault, Lexer, Text, decode};

/// Why a value is no row.
pub(super) enum Refusal {
    /// It is JSON, and no object with names for all its members.
    NoRow,
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A place in the source of rows, from which the next is taken.
pub(super) struct Parser<'r, 'a> {
    pub(super) lexer: Lexer<'a>,
    nodes: &'r mut Vec<Node>,
    texts: &'r mut Vec<u8>,
    recent: &'r mut RecentValues,
    keys: Keys,
    /// Whether a number is too large for a float.
    pub(super) infinite: bool,
}

impl<'r, 'a> Parser<'r, 'a> {
    pub(super) fn new(rows: &'r mut Rows<'a>, start: usize, end: usize) -> Self {
        let mut lexer = Lexer::new(&rows.source[..end]);
        lexer.at = start;
        let (nodes, texts, recent) = (&mut rows.nodes, &mut rows.texts, &mut rows.recent);
        Self { lexer, nodes, texts, recent, keys: Vec::new(), infinite: false }
    }

    /// Takes a row, an object with names for all its members.
    pub(super) fn root(&mut self) -> Result<u32, Refusal> {
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
        let source = self.lexer.at;
        if let Some(same) = self.recent.find(self.lexer.source, source, depth) {
            self.lexer.at += same.source.len();
            self.push(what, same.text.start, same.text.end);
            return Ok(());
        }
        let start = self.texts.len();
        let mut infinite = false;
        let (lexer, keys) = (&mut self.lexer, &mut self.keys);
        Transcriber { lexer, infinite: &mut infinite, keys, objects: true }.value(depth, self.texts)?;
        let end = self.texts.len();
        if u32::try_from(end).is_err() {
            return Err(Fault::Deep);
        }
        self.push(what, start, end);
        self.infinite |= infinite;
        if !infinite {
            self.recent.add(Written { source: source..self.lexer.at, text: start..end, depth });
        }
        Ok(())
    }

    fn open(&mut self, what: What, depth: usize) -> Result<usize, Fault> {
        let at = self.nodes.len();
        self.push(what, self.lexer.at, self.lexer.at);
        self.lexer.open(depth, MAX_DEPTH)?;
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
                if !self.lexer.more(b']')? {
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
                self.lexer.colon()?;
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
                if !self.lexer.more(b'}')? {
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
