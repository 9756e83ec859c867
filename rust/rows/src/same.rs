//! What a row says: a text that is the same for rows that say the same.
//!
//! It is the canonical JSON in Unicode's form NFC, with white space at the ends of texts left out and any other run of it
//! as one space. Contents of messages that are typed parts of text are the text that these are in all.

use std::ops::Range;

use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;

use crate::json::{Kind, Node, Tape, decode, plain_end, push_escaped};
use crate::recent::Recent;

const COMPOSING: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
/// Members of a message that hold what it says.
const CONTENTS: [&[u8]; 2] = [b"content", b"value"];
/// Stand-ins for an escaped backslash and an escaped quote, which no JSON holds as they are.
const BACKSLASH: u8 = 1;
const QUOTE: u8 = 2;

/// Makes such texts of canonical JSON, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Same {
    joined: Vec<u8>,
    nodes: Vec<Node>,
    /// Pieces of canonical JSON and what was made of them.
    made: Recent<[Vec<u8>; 2]>,
}

impl Same {
    /// Appends the text of a row of this canonical JSON, in which values that may come again lie in `pieces`.
    pub(crate) fn write(&mut self, canonical: &[u8], pieces: &[Range<usize>], out: &mut Vec<u8>) {
        let parted = memmem::find(canonical, b"\"content\":[").is_some()
            || memmem::find(canonical, b"\"value\":[").is_some();
        if parted && let Ok(tape) = Tape::parse(canonical, std::mem::take(&mut self.nodes)) {
            self.joined.clear();
            join_contents(&tape, &mut self.joined);
            self.nodes = tape.nodes;
            return spaced(&self.joined, out);
        }
        // What begins and ends with brackets or quotes meets no character that it could be composed with.
        let mut at = 0;
        for piece in pieces {
            spaced(&canonical[at..piece.start], out);
            self.piece(&canonical[piece.clone()], out);
            at = piece.end;
        }
        spaced(&canonical[at..], out);
    }

    fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if let Some([_, made]) = self.made.find(|[known, _]| known == piece) {
            return out.extend_from_slice(made);
        }
        let before = out.len();
        spaced(piece, out);
        self.made.add([piece.to_vec(), out[before..].to_vec()]);
    }
}

/// Appends a row with the contents of messages that are parts of text as one text.
fn join_contents(tape: &Tape<'_>, out: &mut Vec<u8>) {
    let source = tape.source;
    let mut copied = 0;
    if tape.nodes[0].kind == Kind::Object {
        let columns: Vec<usize> = tape.items(0).skip(1).step_by(2).collect();
        for list in columns.into_iter().filter(|&column| tape.nodes[column].kind == Kind::List) {
            for message in tape.items(list).filter(|&item| tape.nodes[item].kind == Kind::Object) {
                let mut members = tape.items(message);
                while let (Some(key), Some(value)) = (members.next(), members.next()) {
                    if !CONTENTS.contains(&&*tape.text(key)) {
                        continue;
                    }
                    if let Some(text) = text_of_parts(tape, value) {
                        let node = tape.nodes[value];
                        out.extend_from_slice(&source[copied..node.start as usize]);
                        out.push(b'"');
                        push_escaped(out, &text);
                        out.push(b'"');
                        copied = node.end as usize;
                    }
                }
            }
        }
    }
    out.extend_from_slice(&source[copied..]);
}

fn text_of_parts(tape: &Tape<'_>, list: usize) -> Option<Vec<u8>> {
    if tape.nodes[list].kind != Kind::List {
        return None;
    }
    let mut text = Vec::new();
    for part in tape.items(list) {
        let string = match tape.nodes[part].kind {
            Kind::String => part,
            Kind::Object => part_text(tape, part)?,
            _ => return None,
        };
        decode(&mut text, tape.raw(string));
    }
    Some(text)
}

fn part_text(tape: &Tape<'_>, part: usize) -> Option<usize> {
    let members = tape.members(part);
    let member = |name: &[u8]| members.iter().find(|(key, _)| &**key == name).map(|&(_, value)| value);
    if let Some(kind) = member(b"type") {
        let is_text = tape.nodes[kind].kind == Kind::String
            && matches!(&*tape.text(kind), b"text" | b"input_text" | b"output_text");
        if !is_text {
            return None;
        }
    }
    [&b"text"[..], b"value", b"content"]
        .into_iter()
        .filter_map(member)
        .find(|&value| tape.nodes[value].kind == Kind::String)
}

/// Appends canonical JSON with white space in texts made one, and none at their ends.
fn spaced(json: &[u8], out: &mut Vec<u8>) {
    if json.is_ascii() {
        return spaced_composed(json, out);
    }
    match std::str::from_utf8(json) {
        Ok(text) => spaced_composed(COMPOSING.normalize(text).as_bytes(), out),
        Err(_) => spaced_composed(json, out),
    }
}

fn spaced_composed(json: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < json.len() {
        let Some(quote) = memchr::memchr(b'"', &json[at..]) else {
            return out.extend_from_slice(&json[at..]);
        };
        out.extend_from_slice(&json[at..=at + quote]);
        at = spaced_text(json, at + quote + 1, out);
    }
}

/// Appends the text that begins at `at` with its closing quote, and returns what follows it.
fn spaced_text(json: &[u8], mut at: usize, out: &mut Vec<u8>) -> usize {
    let mut text = Spaced { start: out.len(), out, space: false };
    while let Some(&byte) = json.get(at) {
        let end = plain_end(json, at);
        if end > at {
            text.run(&json[at..end]);
            at = end;
        } else if byte == b'"' {
            text.out.push(b'"');
            return at + 1;
        } else if byte == b'\\' {
            at = text.escape(json, at);
        } else {
            text.write(&json[at..=at]);
            at += 1;
        }
    }
    at
}

/// A text that is written with one space for each run of white space.
struct Spaced<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    /// Whether white space was met that is not written yet.
    space: bool,
}

impl Spaced<'_> {
    fn write(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.space) && self.out.len() > self.start {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(bytes);
    }

    /// Bytes without quotes and escapes.
    fn run(&mut self, run: &[u8]) {
        // Counted to the end, several bytes at once, rather than looked for.
        let doubles = run
            .iter()
            .zip(&run[1..])
            .fold(0, |found, (one, next)| found | u8::from(*one == b' ') & u8::from(*next == b' '));
        if doubles == 0 && run.is_ascii() {
            self.words(run);
        } else {
            let mut at = 0;
            while at < run.len() {
                at = self.piece(run, at);
            }
        }
    }

    /// ASCII bytes without two spaces in a row.
    fn words(&mut self, run: &[u8]) {
        let inner = run.strip_prefix(b" ").unwrap_or(run);
        self.space |= inner.len() < run.len();
        let inner = match inner.strip_suffix(b" ") {
            Some(inner) => {
                self.write(inner);
                self.space = true;
                return;
            }
            None => inner,
        };
        if !inner.is_empty() {
            self.write(inner);
        }
    }

    /// A space, a character beyond ASCII or what lies before one of these; returns what follows it.
    fn piece(&mut self, run: &[u8], at: usize) -> usize {
        let length = match run[at] {
            b' ' => 1,
            0xF0.. => 4,
            0xE0.. => 3,
            0x80.. => 2,
            _ => run[at..].iter().position(|&byte| byte == b' ' || byte >= 0x80).unwrap_or(run.len() - at),
        };
        let end = run.len().min(at + length);
        let piece = &run[at..end];
        // What is no text is none of white space either.
        let is_space = run[at] == b' '
            || (run[at] >= 0x80
                && std::str::from_utf8(piece).is_ok_and(|text| text.chars().all(char::is_whitespace)));
        if is_space {
            self.space = true;
        } else {
            self.write(piece);
        }
        end
    }

    /// An escape; returns what follows it.
    fn escape(&mut self, json: &[u8], at: usize) -> usize {
        let rest = &json[at + 1..];
        let (length, is_space) = match rest.first() {
            Some(b'\\') => {
                self.write(&[BACKSLASH]);
                return at + 2;
            }
            Some(b'"') => {
                self.write(&[QUOTE]);
                return at + 2;
            }
            Some(b'n' | b'r' | b't' | b'f') => (2, true),
            Some(b'u') => {
                let digits = rest.get(1..5).unwrap_or_default();
                (6, matches!(digits, b"000b" | b"001c" | b"001d" | b"001e" | b"001f"))
            }
            _ => (2, false),
        };
        let end = json.len().min(at + length);
        if is_space {
            self.space = true;
        } else {
            self.write(&json[at..end]);
        }
        end
    }
}
