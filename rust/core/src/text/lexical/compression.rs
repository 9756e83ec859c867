//! How far a text can be compressed: what it says again, in whatever script, takes no room.

use libdeflater::{CompressionLvl, Compressor};

use super::each;
use crate::{Control, Error};

/// Bytes of each text by DEFLATE (RFC 1951, as `libdeflate` writes it at its default level 6, without header and
/// checksum) divided by its bytes in UTF-8: low where a text repeats itself, around 0.3 to 0.6 for prose, 1 or a little
/// more where nothing can be gained.
///
/// Nothing much can be gained below some hundred bytes, whatever they say. Repetitions are found up to 32 KiB back. The
/// bytes are the same on every machine: the compressor computes with whole numbers, in one thread, and its version is
/// part of ours.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn ratios(texts: &[&str], control: &impl Control) -> Result<Vec<f32>, Error> {
    let scratch = || (Compressor::new(CompressionLvl::default()), Vec::new());
    each(texts, control, scratch, |(compressor, written), text| {
        if text.is_empty() { 0.0 } else { compressed(compressor, written, text) as f64 / text.len() as f64 }
    })
}

/// How many bytes a compressor makes of a text, whatever it made before.
fn compressed(compressor: &mut Compressor, written: &mut Vec<u8>, text: &str) -> usize {
    let most = compressor.deflate_compress_bound(text.len());
    if written.len() < most {
        written.resize(most, 0);
    }
    // There is room for whatever becomes of so many bytes, which is the one thing that can be missing.
    compressor.deflate_compress(text.as_bytes(), written).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec;
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition, by a compressor of its own, and what it wrote read by another library.
    fn plain(text: &str) -> f64 {
        let mut compressor = Compressor::new(CompressionLvl::new(6).unwrap());
        let mut written = vec![0; text.len() + 100];
        let bytes = compressor.deflate_compress(text.as_bytes(), &mut written).unwrap();
        assert_eq!(decompress_to_vec(&written[..bytes]).unwrap(), text.as_bytes());
        if text.is_empty() { 0.0 } else { bytes as f64 / text.len() as f64 }
    }

    proptest! {
        #[test]
        fn is_what_compressors_of_each_text_alone_write(
            texts in prop::collection::vec("[a-c中é ]{0,40}|.{0,60}|(ab c){0,400}|[ -~]{0,1200}", 0..12),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected: Vec<f32> = texts.iter().map(|text| plain(text) as f32).collect();
            prop_assert_eq!(ratios(&texts, &Unwatched).unwrap(), expected);
        }
    }

    #[test]
    fn long_texts_are_compressed_to_their_end() {
        let letter = |at: u64| char::from(b'a' + (crate::rng::keyed_hash(1, at) % 26) as u8);
        let text: String = (0..400_000).map(letter).collect();
        let values = ratios(&[&text, "short", &text], &Unwatched).unwrap();
        assert_eq!(values[0], plain(&text) as f32);
        assert_eq!(values[0], values[2], "nothing is left of the text before");
    }
}
