//! How far a text can be compressed: what it says again, in whatever script, takes no room.

use miniz_oxide::deflate::core::deflate_flags::TDEFL_FORCE_ALL_STATIC_BLOCKS;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};

use super::each;
use crate::{Control, Error};

/// zlib's default.
const LEVEL: i32 = 6;
/// A raw stream: neither header nor checksum, which short texts would be charged with.
const RAW: i32 = -15;
/// Up to so many bytes, the table of a text's own codes may take more room than it saves.
const SHORT: usize = 1024;

/// Bytes of each text by DEFLATE (RFC 1951, as `miniz_oxide` writes it at level 6, without header and checksum) divided by
/// its bytes in UTF-8: low where a text repeats itself, around 0.3 to 0.6 for prose, 1 or a little more where nothing can
/// be gained.
///
/// A text of up to 1024 bytes is written by codes of its own and by the fixed ones, and the shorter counts. Nothing much
/// can be gained below some hundred bytes, whatever they say. Repetitions are found up to 32 KiB back. The bytes are the
/// same on every machine: the compressor computes with whole numbers, in one thread, and its version is part of ours.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn ratios(texts: &[&str], control: &impl Control) -> Result<Vec<f32>, Error> {
    let scratch = || [compressor(0), compressor(TDEFL_FORCE_ALL_STATIC_BLOCKS)];
    each(texts, control, scratch, |[own, fixed], text| {
        if text.is_empty() {
            return 0.0;
        }
        let mut bytes = compressed(own, text.as_bytes());
        if text.len() <= SHORT {
            bytes = bytes.min(compressed(fixed, text.as_bytes()));
        }
        bytes as f64 / text.len() as f64
    })
}

fn compressor(flags: u32) -> Box<CompressorOxide> {
    Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW, 0) | flags))
}

/// How many bytes a compressor makes of these, whatever it wrote before.
fn compressed(compressor: &mut CompressorOxide, text: &[u8]) -> usize {
    compressor.reset();
    let mut written = 0;
    let mut rest = text;
    loop {
        let (status, read) = compress_to_output(compressor, rest, TDEFLFlush::Finish, |bytes| {
            written += bytes.len();
            true
        });
        rest = &rest[read..];
        if status != TDEFLStatus::Okay {
            return written;
        }
    }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec;
    use miniz_oxide::inflate::decompress_to_vec;
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;

    /// The definition, by compressors of its own.
    fn plain(text: &str) -> f64 {
        let own = compress_to_vec(text.as_bytes(), LEVEL as u8);
        assert_eq!(decompress_to_vec(&own).unwrap(), text.as_bytes());
        let mut fixed = Vec::new();
        let status = compress_to_output(
            &mut compressor(TDEFL_FORCE_ALL_STATIC_BLOCKS),
            text.as_bytes(),
            TDEFLFlush::Finish,
            |bytes| {
                fixed.extend_from_slice(bytes);
                true
            },
        );
        assert_eq!(status, (TDEFLStatus::Done, text.len()));
        assert_eq!(decompress_to_vec(&fixed).unwrap(), text.as_bytes());
        let bytes = if text.len() <= SHORT { own.len().min(fixed.len()) } else { own.len() };
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
        let text: String =
            (0..400_000u64).map(|at| char::from(b'a' + (crate::rng::keyed_hash(1, at) % 26) as u8)).collect();
        let values = ratios(&[&text, "short", &text], &Unwatched).unwrap();
        assert_eq!(values[0], plain(&text) as f32);
        assert_eq!(values[0], values[2], "nothing is left of the text before");
    }
}
