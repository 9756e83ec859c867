//! What a row says: a text that is the same for rows that say the same.
//!
//! It is the canonical JSON in Unicode's form NFC, with white space at the ends of texts left out and any other run of it
//! as one space. Contents of messages that are typed parts of text are the text that these are in all.

use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;

use crate::json::{Kind, Node, Tape, decode, push_escaped};

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
}

impl Same {
    /// Appends the text of a row of this canonical JSON.
    pub(crate) fn write(&mut self, canonical: &[u8], out: &mut Vec<u8>) {
        let parted = memmem::find(canonical, b"\"content\":[").is_some()
            || memmem::find(canonical, b"\"value\":[").is_some();
        if parted && let Ok(tape) = Tape::parse(canonical, std::mem::take(&mut self.nodes)) {
            self.joined.clear();
            join_contents(&tape, &mut self.joined);
            self.nodes = tape.nodes;
            return spaced(&self.joined, out);
        }
        spaced(canonical, out);
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
    let start = out.len();
    // Whether white space was met that is not written yet.
    let mut space = false;
    let write = |out: &mut Vec<u8>, space: &mut bool, bytes: &[u8]| {
        if std::mem::take(space) && out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(bytes);
    };
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                out.push(b'"');
                return at + 1;
            }
            b' ' => {
                space = true;
                at += 1;
            }
            b'\\' => {
                let rest = &json[at + 1..];
                let (length, is_space) = match rest.first() {
                    Some(b'\\') => {
                        write(out, &mut space, &[BACKSLASH]);
                        at += 2;
                        continue;
                    }
                    Some(b'"') => {
                        write(out, &mut space, &[QUOTE]);
                        at += 2;
                        continue;
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
                    space = true;
                } else {
                    write(out, &mut space, &json[at..end]);
                }
                at = end;
            }
            0..0x80 => {
                let end = json[at..]
                    .iter()
                    .position(|&byte| matches!(byte, b'"' | b'\\' | b' ') || byte >= 0x80)
                    .map_or(json.len(), |length| at + length);
                write(out, &mut space, &json[at..end]);
                at = end;
            }
            _ => {
                let length = match byte {
                    0xF0.. => 4,
                    0xE0.. => 3,
                    _ => 2,
                };
                let end = json.len().min(at + length);
                let character = &json[at..end];
                let is_space =
                    std::str::from_utf8(character).is_ok_and(|text| text.chars().all(char::is_whitespace));
                if is_space {
                    space = true;
                } else {
                    write(out, &mut space, character);
                }
                at = end;
            }
        }
    }
    at
}
