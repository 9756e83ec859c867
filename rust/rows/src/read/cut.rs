//! Text cut into parts, each parsed by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use sage_select_core::{Control, Error};

use super::rows::Rows;
use crate::json::{Fault, Lexer};

/// Bytes of a part, and the rest of its last line.
pub(super) const PART_BYTES: usize = 2 << 20;

/// The first parts are smaller: all others wait for what they show, so that all threads should have some of them.
pub(super) const FIRST_PARTS: usize = 8;

/// The parts of JSON lines, each of so many bytes and the rest of its last line; the first ones together of as many.
pub(super) fn line_parts(text: &[u8], bytes: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let size = if parts.len() < FIRST_PARTS { bytes.div_ceil(FIRST_PARTS) } else { bytes };
        let least = text.len().min(start + size);
        let end = memchr::memchr(b'\n', &text[least..]).map_or(text.len(), |length| least + length + 1);
        parts.push(&text[start..end]);
        start = end;
    }
    parts
}

/// What `read` makes of each part of a text, while `control` is told of bytes.
pub(super) fn read_parts<'t, T: Send>(
    parts: Vec<&'t [u8]>,
    control: &impl Control,
    read: impl Fn(&'t [u8]) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let (done, all) = (AtomicU64::new(0), parts.iter().map(|part| part.len() as u64).sum());
    let made: Vec<Result<T, Error>> = parts
        .into_par_iter()
        .map(|part| {
            let made = read(part);
            let bytes = part.len() as u64;
            control.tick(done.fetch_add(bytes, Ordering::Relaxed) + bytes, all).map(|()| made)
        })
        .collect();
    made.into_iter().collect()
}

/// The rows of a JSON array.
pub(super) fn array_parts(text: &[u8]) -> Result<Vec<Rows<'_>>, Fault> {
    let mut lexer = Lexer::new(text);
    lexer.skip_space();
    lexer.expect(b'[')?;
    lexer.skip_space();
    let mut parts: Vec<Rows<'_>> = Vec::new();
    let (mut base, mut line, mut counted) = (0, 0, 0);
    let mut open = lexer.peek() != Some(b']');
    while open {
        if parts.is_empty() || lexer.at - base > PART_BYTES {
            base = lexer.at;
            let end = text.len().min(base + u32::MAX as usize);
            parts.push(Rows { source: &text[base..end], ..Rows::default() });
        }
        line += memchr::memchr_iter(b'\n', &text[counted..lexer.at]).count() as u32;
        counted = lexer.at;
        let Some(part) = parts.last_mut() else { break };
        lexer.at = base + part.element(lexer.at - base, line)?;
        lexer.skip_space();
        match lexer.peek() {
            Some(b',') => {
                lexer.at += 1;
                lexer.skip_space();
            }
            Some(b']') => open = false,
            _ => return Err(Fault::Syntax),
        }
    }
    lexer.at += 1;
    lexer.skip_space();
    if lexer.peek().is_some() { Err(Fault::Syntax) } else { Ok(parts) }
}
