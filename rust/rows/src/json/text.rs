//! The inside of JSON strings.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The first byte from `at` on that is a quote, a backslash or a control character; the end where there is none.
#[inline]
pub(crate) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(Ok(block)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(block);
        // The lowest bit found is right; those above it may be carried.
        let zero = |bytes: u64| bytes.wrapping_sub(LOW) & !bytes;
        let control = word.wrapping_sub(LOW * 0x20) & !word;
        let found = (zero(word ^ (LOW * b'"' as u64)) | zero(word ^ (LOW * b'\\' as u64)) | control) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() >> 3) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Appends a text as the inside of a JSON string.
#[inline]
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut start = 0;
    loop {
        let end = plain_end(text, start);
        out.extend_from_slice(&text[start..end]);
        let Some(&byte) = text.get(end) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
        }
        start = end + 1;
    }
}

/// Appends a text as a JSON string.
#[inline]
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends what the inside of a JSON string spells, in UTF-8; halves of surrogate pairs as three bytes each.
///
/// The inside must be one that the lexer took.
pub(crate) fn decode(out: &mut Vec<u8>, inside: &[u8]) {
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&escape, after)) = rest.split_first() else { return };
        rest = after;
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = u32::from(code_unit(rest));
                rest = &rest[rest.len().min(4)..];
                if (0xD800..0xDC00).contains(&code) && rest.starts_with(b"\\u") {
                    let low = u32::from(code_unit(&rest[2..]));
                    if (0xDC00..0xE000).contains(&low) {
                        code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                        rest = &rest[rest.len().min(6)..];
                    }
                }
                push_code(out, code);
            }
            byte => out.push(byte),
        }
    }
    out.extend_from_slice(rest);
}

fn code_unit(digits: &[u8]) -> u16 {
    digits
        .iter()
        .take(4)
        .fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0) as u16)
}

fn push_code(out: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([
            0xE0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3F) as u8,
            0x80 | (code & 0x3F) as u8,
        ]),
    }
}

/// Where a text holds half of a surrogate pair, as [`decode`] writes it.
pub(crate) fn half_at(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xED, text).find(|&at| text.get(at + 1).is_some_and(|&next| next >= 0xA0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Lexer;

    proptest! {
        #[test]
        fn the_end_of_what_is_plain_is_the_first_byte_that_is_not(text in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), 0u8..0x22, Just(b'!'), Just(b'#'), Just(b'['), any::<u8>(), Just(b'a'), Just(b'a'), Just(b'a')], 0..60), at in 0usize..8) {
            let at = at.min(text.len());
            let plain = text[at..].iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain_end(&text, at), plain.map_or(text.len(), |end| at + end));
        }

        #[test]
        fn what_is_escaped_reads_back(text in ".*|[\\x00-\\x1f\"\\\\é]*") {
            let mut quoted = Vec::new();
            push_quoted(&mut quoted, text.as_bytes());
            let read = Lexer::new(&quoted).string().unwrap();
            let mut back = Vec::new();
            decode(&mut back, &quoted[read.start..read.end]);
            prop_assert_eq!(back, text.as_bytes());
        }
    }

    #[test]
    fn escapes_are_what_they_spell() {
        let decoded = |inside: &str| {
            let mut out = Vec::new();
            decode(&mut out, inside.as_bytes());
            out
        };
        assert_eq!(decoded(r"a\/b\u00e9\n\uD83D\uDE00"), "a/bé\n😀".as_bytes());
        assert_eq!(decoded(r"\ud83d"), [0xED, 0xA0, 0xBD]);
        assert_eq!(half_at(&decoded(r"x\udc00")), Some(1));
        assert_eq!(half_at("힣\u{D7FF}\u{E000}".as_bytes()), None);
    }
}
