//! The inside of JSON strings.

/// The first byte from `at` on that is a quote, a backslash or a control character; the end where there is none.
#[inline]
pub(crate) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(Ok(block)) = text.get(at..at + BLOCK).map(<[u8; BLOCK]>::try_from) {
        if let Some(found) = first_special(block) {
            return at + found;
        }
        at += BLOCK;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Bytes that are looked at at once.
const BLOCK: usize = 16;

/// Where the first byte is that does not stand for itself within a string.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[inline]
fn first_special(block: [u8; BLOCK]) -> Option<usize> {
    // SAFETY: SSE2 is part of every x86-64.
    unsafe { first_special_sse2(block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn first_special_sse2(block: [u8; BLOCK]) -> Option<usize> {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let [low, high] = halves(block);
    let bytes = _mm_set_epi64x(high as i64, low as i64);
    let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    let found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// The same, 8 bytes at a time.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn first_special(block: [u8; BLOCK]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    halves(block).into_iter().zip([0, 8]).find_map(|(word, first)| {
        // The lowest bit found is right; those above it may be carried.
        let zero = |bytes: u64| bytes.wrapping_sub(LOW) & !bytes;
        let control = word.wrapping_sub(LOW * 0x20) & !word;
        let found = (zero(word ^ (LOW * b'"' as u64)) | zero(word ^ (LOW * b'\\' as u64)) | control) & HIGH;
        (found != 0).then(|| first + (found.trailing_zeros() >> 3) as usize)
    })
}

fn halves(block: [u8; BLOCK]) -> [u64; 2] {
    let both = u128::from_le_bytes(block);
    [both as u64, (both >> 64) as u64]
}

/// Whether two names are the same; most are so short that a call to compare them would cost more than the comparison.
#[inline]
pub(crate) fn same_name(one: &[u8], other: &[u8]) -> bool {
    fn ends<const N: usize>(name: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
        (name.first_chunk(), name.last_chunk())
    }
    one.len() == other.len()
        && match one.len() {
            0 => true,
            1..=3 => ends::<1>(one) == ends(other) && one[one.len() / 2] == other[one.len() / 2],
            4..=7 => ends::<4>(one) == ends(other),
            8..=16 => ends::<8>(one) == ends(other),
            _ => one == other,
        }
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
    out.reserve(inside.len());
    let mut at = 0;
    loop {
        // Nothing in there stands for something else but a backslash and what follows it.
        let end = plain_end(inside, at);
        out.extend_from_slice(&inside[at..end]);
        let Some(&escape) = inside.get(end + 1) else { return };
        at = end + 2;
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = u32::from(code_unit(&inside[at..]));
                at = inside.len().min(at + 4);
                if (0xD800..0xDC00).contains(&code) && inside[at..].starts_with(b"\\u") {
                    let low = u32::from(code_unit(&inside[at + 2..]));
                    if (0xDC00..0xE000).contains(&low) {
                        code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                        at = inside.len().min(at + 6);
                    }
                }
                push_code(out, code);
            }
            byte => out.push(byte),
        }
    }
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
        fn names_are_the_same_where_their_bytes_are(one in prop::collection::vec(0u8..3, 0..20), place in 0usize..20) {
            let mut other = one.clone();
            prop_assert!(same_name(&one, &other));
            if let Some(byte) = other.get_mut(place) {
                *byte += 1;
                prop_assert!(!same_name(&one, &other));
            }
            other.push(0);
            prop_assert!(!same_name(&one, &other));
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
