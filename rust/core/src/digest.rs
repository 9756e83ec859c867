//! Content digests: the first 128 bits of BLAKE3, as 32 lower-case hexadecimal digits.

use crate::blocks;
use crate::{Control, Error};

/// Length of a digest in hexadecimal digits.
pub const HEX_DIGITS: usize = 32;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
const BLOCK: usize = 1024;

/// The digest of a text's UTF-8 bytes.
#[must_use]
pub fn hex128(text: &str) -> [u8; HEX_DIGITS] {
    hex128_of_bytes(text.as_bytes())
}

/// The digest of bytes.
#[must_use]
pub fn hex128_of_bytes(bytes: &[u8]) -> [u8; HEX_DIGITS] {
    let hash = blake3::hash(bytes);
    let mut hex = [0; HEX_DIGITS];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(hash.as_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

/// The digests of many texts, one after the other in one buffer of ASCII bytes.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn hex128_of_rows(texts: &[&str], control: &impl Control) -> Result<Vec<u8>, Error> {
    let mut digits = blocks::zeroed(texts.len().saturating_mul(HEX_DIGITS))?;
    blocks::fill(&mut digits, HEX_DIGITS, BLOCK, control, |first, block| {
        for (hex, text) in block.chunks_exact_mut(HEX_DIGITS).zip(&texts[first..]) {
            hex.copy_from_slice(&hex128(text));
        }
        Ok(())
    })?;
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

    #[test]
    fn digests_are_the_start_of_blake3() {
        // From the test vectors of the BLAKE3 paper: the empty input.
        assert_eq!(&hex128(""), b"af1349b9f5f9a1a6a0404dea36dcc949");
        assert_eq!(&hex128("a"), b"17762fddd969a453925d65717ac3eea2");
    }

    #[test]
    fn digests_of_rows_lie_one_after_the_other() {
        let texts: Vec<&str> = std::iter::repeat_n(["", "a", "b"], 700).flatten().collect();
        let digits = hex128_of_rows(&texts, &Unwatched).unwrap();
        assert_eq!(digits.len(), texts.len() * HEX_DIGITS);
        assert!(digits.chunks(HEX_DIGITS).zip(&texts).all(|(digest, text)| digest == hex128(text)));
        assert!(hex128_of_rows(&[], &Unwatched).unwrap().is_empty());
    }
}
