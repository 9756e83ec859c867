//! What a character beyond ASCII is to words, and how it is compared.

use std::sync::{LazyLock, OnceLock};

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, LineBreak, Script, WordBreak,
};
use icu_properties::{CodePointMapData, CodePointSetData};

const FOLDING: CaseMapperBorrowed<'static> = CaseMapper::new();
const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// What a character does to the word it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It belongs to no word.
    Break,
    /// It begins or continues a word.
    Letter,
    /// It continues what it follows: accents, vowel signs, the marks of half-width kana.
    Mark,
    /// It continues what it follows without a trace: joiners, soft hyphens, marks of direction.
    Ignored,
    /// It is of a script without spaces between words; a dictionary divides them.
    Unspaced,
    /// It is of such a script, of which there is no dictionary: with its marks it is a word.
    Single,
}

/// 256 characters in a row.
struct Block {
    classes: [Class; 256],
    /// The case folding of each; none where it is several characters.
    folded: [Option<char>; 256],
}

/// Made when first met: a text meets few of them.
static BLOCKS: [OnceLock<Box<Block>>; 0x1100] = [const { OnceLock::new() }; 0x1100];

#[inline]
fn block(character: char) -> (&'static Block, usize) {
    let (number, place) = (character as usize >> 8, character as usize & 0xFF);
    (BLOCKS[number].get_or_init(|| Box::new(Block::new(number as u32))), place)
}

impl Block {
    fn new(number: u32) -> Self {
        let character = |place: usize| char::from_u32(number << 8 | place as u32);
        Self {
            classes: std::array::from_fn(|place| character(place).map_or(Class::Break, class_of)),
            folded: std::array::from_fn(|place| character(place).and_then(folded_alone)),
        }
    }
}

/// What a character is to words.
#[inline]
pub(super) fn class(character: char) -> Class {
    let (block, place) = block(character);
    block.classes[place]
}

/// Appends the full case folding of a character.
#[inline]
pub(super) fn push_folded(word: &mut Vec<char>, character: char) {
    let (block, place) = block(character);
    match block.folded[place] {
        Some(folded) => word.push(folded),
        None => word.extend(FOLDING.fold_string(character.encode_utf8(&mut [0; 4])).chars()),
    }
}

fn folded_alone(character: char) -> Option<char> {
    let mut buffer = [0; 4];
    let folded = FOLDING.fold_string(character.encode_utf8(&mut buffer));
    let mut characters = folded.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn class_of(character: char) -> Class {
    let of_words = CodePointMapData::<WordBreak>::new().get(character);
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let script = CodePointMapData::<Script>::new().get(character);
    if character == ZERO_WIDTH_SPACE {
        Class::Break
    } else if CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character) {
        Class::Ignored
    } else if GeneralCategoryGroup::Mark.contains(category) || of_words == WordBreak::Extend {
        Class::Mark
    } else if !character.is_alphanumeric() {
        Class::Break
    } else if CodePointMapData::<LineBreak>::new().get(character) == LineBreak::ComplexContext {
        if matches!(script, Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar) {
            Class::Unspaced
        } else {
            Class::Single
        }
    } else if matches!(script, Script::Han | Script::Hiragana) || of_words == WordBreak::Katakana {
        Class::Unspaced
    } else {
        Class::Letter
    }
}

/// Divides runs of scripts without spaces by ICU's dictionaries, the longest known word first.
pub(super) static DICTIONARIES: LazyLock<icu_segmenter::WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| icu_segmenter::WordSegmenter::new_dictionary(Default::default()));

/// Unicode's form NFC.
pub(super) const COMPOSING: icu_normalizer::ComposingNormalizerBorrowed<'static> =
    icu_normalizer::ComposingNormalizer::new_nfc();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_characters() {
        for (character, class) in [
            ('é', Class::Letter),
            ('д', Class::Letter),
            ('한', Class::Letter),
            ('٣', Class::Letter),
            ('๓', Class::Letter),
            ('½', Class::Letter),
            ('中', Class::Unspaced),
            ('々', Class::Unspaced),
            ('ー', Class::Unspaced),
            ('ｶ', Class::Unspaced),
            ('の', Class::Unspaced),
            ('ก', Class::Unspaced),
            ('ກ', Class::Unspaced),
            ('ក', Class::Unspaced),
            ('က', Class::Unspaced),
            ('\u{1A20}', Class::Single), // Tai Tham
            ('\u{301}', Class::Mark),
            ('\u{94D}', Class::Mark), // the virama of Devanagari
            ('\u{E48}', Class::Mark), // a tone of Thai
            ('ﾟ', Class::Mark),
            ('\u{200D}', Class::Ignored),
            ('\u{200F}', Class::Ignored),
            ('\u{AD}', Class::Ignored),
            ('\u{FE0F}', Class::Ignored),
            ('\u{200B}', Class::Break),
            ('’', Class::Break),
            ('·', Class::Break),
            ('。', Class::Break),
            ('😀', Class::Break),
            ('\u{10FFFF}', Class::Break),
        ] {
            assert_eq!(super::class(character), class, "{character:?}");
        }
    }

    #[test]
    fn folding_is_full() {
        let folded = |text: &str| {
            let mut folded = Vec::new();
            text.chars().for_each(|character| push_folded(&mut folded, character));
            folded.into_iter().collect::<String>()
        };
        assert_eq!(folded("ßÉΣςİﬁẞЖ中"), "sséσσi\u{307}fissж中");
    }
}
