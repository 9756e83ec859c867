//! Values that are checked and written again at once: compact, numbers and strings in one form.

use std::collections::HashSet;

use super::ARGUMENTS;
use crate::json::{Fault, Lexer, Text, decode, push_float, push_quoted, same_name};

/// Lists and objects that may lie in each other.
pub(super) const MAX_DEPTH: usize = 128;
/// Keys among which one is looked for one after the other.
const FEW: usize = 16;

/// Keys of an object, to find one that is given twice.
pub(super) type Keys = Vec<(u32, u32, bool)>;

/// The float that a number spells.
pub(super) fn float(digits: &[u8]) -> f64 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(f64::NAN)
}

pub(super) fn push_int(out: &mut Vec<u8>, digits: &[u8]) {
    out.extend_from_slice(if digits == b"-0" { b"0" } else { digits });
}

/// Appends a string of which this is the inside.
pub(super) fn push_string(out: &mut Vec<u8>, inside: &[u8], normal: bool) {
    if normal {
        out.push(b'"');
        out.extend_from_slice(inside);
        out.push(b'"');
    } else {
        let mut text = Vec::with_capacity(inside.len());
        decode(&mut text, inside);
        push_quoted(out, &text);
    }
}

/// Appends the object that a string of arguments spells, or the string where it spells none; tells whether it does.
pub(super) fn push_arguments(out: &mut Vec<u8>, inside: &[u8], escaped: bool, normal: bool) -> bool {
    let mut decoded = Vec::new();
    let text = if escaped {
        decode(&mut decoded, inside);
        &decoded
    } else {
        inside
    };
    let before = out.len();
    if transcribe(text, out).is_err() {
        out.truncate(before);
        push_string(out, inside, normal);
        return false;
    }
    true
}

/// Appends the strict JSON object that a text holds.
fn transcribe(text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut lexer = Lexer::new(text);
    lexer.skip_space();
    if lexer.peek() != Some(b'{') {
        return Err(Fault::Syntax);
    }
    let mut infinite = false;
    let mut keys = Vec::new();
    Transcriber { lexer: &mut lexer, infinite: &mut infinite, keys: &mut keys, objects: false }
        .value(0, out)?;
    lexer.skip_space();
    if lexer.peek().is_some() || infinite { Err(Fault::Syntax) } else { Ok(()) }
}

/// Whether a number with a fraction or an exponent is too large for a float.
pub(super) fn is_infinite(digits: &[u8]) -> bool {
    // Without an exponent it takes more digits than any number has.
    let exponent = digits.iter().any(|byte| byte | 0x20 == b'e');
    (exponent || digits.len() > 300) && float(digits).is_infinite()
}

/// Refuses a key that is given twice.
pub(super) fn check_keys(source: &[u8], keys: &[(u32, u32, bool)]) -> Result<(), Fault> {
    let raw = |&(start, end, _): &(u32, u32, bool)| &source[start as usize..end as usize];
    if keys.iter().any(|&(_, _, escaped)| escaped) {
        let decoded = keys.iter().map(|key| {
            let mut name = Vec::new();
            decode(&mut name, raw(key));
            name
        });
        let mut seen = HashSet::new();
        return if decoded.into_iter().all(|name| seen.insert(name)) {
            Ok(())
        } else {
            Err(Fault::Duplicate)
        };
    }
    let twice = if keys.len() <= FEW {
        (1..keys.len()).any(|later| keys[..later].iter().any(|key| same_name(raw(key), raw(&keys[later]))))
    } else {
        let mut seen = HashSet::new();
        !keys.iter().all(|key| seen.insert(raw(key)))
    };
    if twice { Err(Fault::Duplicate) } else { Ok(()) }
}

/// Checks values and writes them again at once: compact, numbers and strings in one form.
pub(super) struct Transcriber<'t, 'a> {
    pub(super) lexer: &'t mut Lexer<'a>,
    pub(super) infinite: &'t mut bool,
    pub(super) keys: &'t mut Keys,
    /// Whether arguments that spell objects are written as these.
    pub(super) objects: bool,
}

impl Transcriber<'_, '_> {
    /// Takes a value, in so many lists and objects, and appends it.
    pub(super) fn value(&mut self, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.lexer.peek() {
            Some(b'"') => {
                let text = self.string()?;
                push_string(out, &self.lexer.source[text.start..text.end], text.normal);
                Ok(())
            }
            Some(b'{') => self.object(depth, out),
            Some(b'[') => self.list(depth, out),
            Some(b'n') => self.word(b"null", out),
            Some(b't') => self.word(b"true", out),
            Some(b'f') => self.word(b"false", out),
            Some(_) => {
                let number = self.lexer.number()?;
                let digits = &self.lexer.source[number.start..number.end];
                if number.whole {
                    push_int(out, digits);
                } else {
                    let value = float(digits);
                    *self.infinite |= value.is_infinite();
                    push_float(out, value);
                }
                Ok(())
            }
            None => Err(Fault::Syntax),
        }
    }

    fn string(&mut self) -> Result<Text, Fault> {
        let text = self.lexer.string()?;
        if text.half { Err(Fault::HalfCharacter) } else { Ok(text) }
    }

    fn word(&mut self, word: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.lexer.word(word)?;
        out.extend_from_slice(word);
        Ok(())
    }

    fn list(&mut self, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.lexer.open(depth, MAX_DEPTH)?;
        out.push(b'[');
        if self.lexer.peek() != Some(b']') {
            loop {
                self.value(depth + 1, out)?;
                if !self.lexer.more(b']')? {
                    break;
                }
                out.push(b',');
            }
        }
        self.lexer.at += 1;
        out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.lexer.open(depth, MAX_DEPTH)?;
        out.push(b'{');
        let first = self.keys.len();
        if self.lexer.peek() != Some(b'}') {
            loop {
                let key = self.string()?;
                self.keys.push((key.start as u32, key.end as u32, key.escaped));
                let inside = &self.lexer.source[key.start..key.end];
                push_string(out, inside, key.normal);
                out.push(b':');
                self.lexer.colon()?;
                if self.objects && self.lexer.peek() == Some(b'"') && is_arguments(inside, key.escaped) {
                    let text = self.string()?;
                    let inside = &self.lexer.source[text.start..text.end];
                    push_arguments(out, inside, text.escaped, text.normal);
                } else {
                    self.value(depth + 1, out)?;
                }
                if !self.lexer.more(b'}')? {
                    break;
                }
                out.push(b',');
            }
        }
        check_keys(self.lexer.source, &self.keys[first..])?;
        self.keys.truncate(first);
        self.lexer.at += 1;
        out.push(b'}');
        Ok(())
    }
}

fn is_arguments(inside: &[u8], escaped: bool) -> bool {
    if !escaped {
        return inside == ARGUMENTS;
    }
    let mut name = Vec::new();
    decode(&mut name, inside);
    name == ARGUMENTS
}
