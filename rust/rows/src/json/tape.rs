//! JSON text as a flat list of its values, as Python's `json.loads` reads it.
//!
//! That reader takes more than the standard has: `NaN` and `Infinity`, keys given twice (the last counts) and halves of
//! surrogate pairs.

use std::borrow::Cow;

use super::Fault;
use super::lexer::{Lexer, Text};
use super::text::decode;

/// Lists and objects that may lie in each other.
pub(crate) const MAX_DEPTH: usize = 300;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// A whole number.
    Int,
    /// Any other number.
    Float,
    String,
    List,
    Object,
}

/// A value: a string's inside, or all of it, is `start..end` of the text; what follows it is at `next`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// Of a string: whether it has escapes.
    pub(crate) escaped: bool,
    /// Of a string: whether it holds half of a surrogate pair.
    pub(crate) half: bool,
}

/// The values of one text; members of an object are a key and a value in turn.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) source: &'a [u8],
    pub(crate) nodes: Vec<Node>,
}

impl<'a> Tape<'a> {
    /// Reads a text that holds one value, in `nodes`, whose memory is used again.
    pub(crate) fn parse(source: &'a [u8], mut nodes: Vec<Node>) -> Result<Self, Fault> {
        nodes.clear();
        if u32::try_from(source.len()).is_err() {
            return Err(Fault::Deep);
        }
        let mut reader = Reader { lexer: Lexer::new(source), nodes };
        reader.lexer.skip_space();
        reader.value(0)?;
        reader.lexer.skip_space();
        match reader.lexer.peek() {
            None => Ok(Self { source, nodes: reader.nodes }),
            Some(_) => Err(Fault::Syntax),
        }
    }

    /// The bytes of a value as they are written.
    pub(crate) fn raw(&self, at: usize) -> &'a [u8] {
        let node = self.nodes[at];
        &self.source[node.start as usize..node.end as usize]
    }

    /// What a string spells; see [`decode`].
    pub(crate) fn text(&self, at: usize) -> Cow<'a, [u8]> {
        let raw = self.raw(at);
        if !self.nodes[at].escaped {
            return Cow::Borrowed(raw);
        }
        let mut text = Vec::with_capacity(raw.len());
        decode(&mut text, raw);
        Cow::Owned(text)
    }

    /// The places of the items of a list.
    pub(crate) fn items(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[at].next as usize;
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let item = next;
            (item < end).then(|| {
                next = self.nodes[item].next as usize;
                item
            })
        })
    }

    /// The members of an object, keys and the places of values; of a key given twice the last value, in the first place.
    pub(crate) fn members(&self, at: usize) -> Vec<(Cow<'a, [u8]>, usize)> {
        let mut items = self.items(at);
        let mut members: Vec<(Cow<'a, [u8]>, usize)> = Vec::new();
        let mut places = None;
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let name = self.text(key);
            if members.len() == FEW {
                let known = members.iter().enumerate().map(|(place, (name, _))| (name.clone(), place));
                places = Some(known.collect::<std::collections::HashMap<_, _>>());
            }
            let before = match &mut places {
                None => members.iter().position(|(known, _)| *known == name),
                Some(places) => match places.entry(name.clone()) {
                    std::collections::hash_map::Entry::Occupied(entry) => Some(*entry.get()),
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        entry.insert(members.len());
                        None
                    }
                },
            };
            match before {
                Some(place) => members[place].1 = value,
                None => members.push((name, value)),
            }
        }
        members
    }
}

/// Members of an object among which one is looked for one after the other.
pub(crate) const FEW: usize = 16;

struct Reader<'a> {
    lexer: Lexer<'a>,
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            next,
            kind,
            escaped: false,
            half: false,
        });
    }

    fn push_text(&mut self, text: Text) {
        self.push(Kind::String, text.start, text.end);
        if let Some(node) = self.nodes.last_mut() {
            (node.escaped, node.half) = (text.escaped, text.half);
        }
    }

    fn word(&mut self, kind: Kind, word: &[u8]) -> Result<(), Fault> {
        let start = self.lexer.at;
        self.lexer.word(word)?;
        self.push(kind, start, self.lexer.at);
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.lexer.peek() {
            Some(b'"') => {
                let text = self.lexer.string()?;
                self.push_text(text);
                Ok(())
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'n') => self.word(Kind::Null, b"null"),
            Some(b't') => self.word(Kind::True, b"true"),
            Some(b'f') => self.word(Kind::False, b"false"),
            Some(b'N') => self.word(Kind::Float, b"NaN"),
            Some(b'I') => self.word(Kind::Float, b"Infinity"),
            Some(b'-') if self.lexer.source[self.lexer.at..].starts_with(b"-I") => {
                self.word(Kind::Float, b"-Infinity")
            }
            Some(_) => {
                let number = self.lexer.number()?;
                self.push(if number.whole { Kind::Int } else { Kind::Float }, number.start, number.end);
                Ok(())
            }
            None => Err(Fault::Syntax),
        }
    }

    fn open(&mut self, kind: Kind, depth: usize) -> Result<usize, Fault> {
        let at = self.nodes.len();
        self.push(kind, self.lexer.at, self.lexer.at);
        self.lexer.open(depth, MAX_DEPTH)?;
        Ok(at)
    }

    fn close(&mut self, at: usize) {
        self.lexer.at += 1;
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[at];
        (node.end, node.next) = (self.lexer.at as u32, next);
    }

    fn list(&mut self, depth: usize) -> Result<(), Fault> {
        let at = self.open(Kind::List, depth)?;
        if self.lexer.peek() != Some(b']') {
            loop {
                self.value(depth + 1)?;
                if !self.lexer.more(b']')? {
                    break;
                }
            }
        }
        self.close(at);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        let at = self.open(Kind::Object, depth)?;
        if self.lexer.peek() != Some(b'}') {
            loop {
                let key = self.lexer.string()?;
                self.push_text(key);
                self.lexer.colon()?;
                self.value(depth + 1)?;
                if !self.lexer.more(b'}')? {
                    break;
                }
            }
        }
        self.close(at);
        Ok(())
    }
}
