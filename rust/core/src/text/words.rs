//! Words: runs of letters, digits and `_`, with the marks that follow them, by Unicode's case folding.
//!
//! They follow Unicode's text segmentation (UAX #29), but punctuation always ends one: `it's` and `3.5` are two. Scripts
//! without spaces between words are divided by ICU's dictionaries (Chinese, Japanese, Thai, Lao, Khmer, Burmese; in
//! others of Southeast Asia each letter with its marks is a word). A text is taken in Unicode's form NFC, so that it does
//! not matter how accents are spelled; joiners, soft hyphens and marks of direction within a word do not matter either.
//! Emoji are no words.

use super::characters::{self, COMPOSING, Class, DICTIONARIES};
use super::word_sink::{Collector, Counter, WordSink, is_word_byte};
use crate::rng::mix64;
use crate::{Control, Error, blocks};

/// Texts in a block.
const BLOCK: usize = 256;

/// How many words each text has: as often as [`for_each_word`] would call.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with.
pub fn counts(texts: &[&str], control: &impl Control) -> Result<Vec<i64>, Error> {
    let mut counts = blocks::zeroed(texts.len())?;
    blocks::fill(&mut counts, 1, BLOCK, control, |first, block| {
        block.iter_mut().zip(&texts[first..]).for_each(|(count, text)| *count = count_of(text));
        Ok(())
    })?;
    Ok(counts)
}

fn count_of(text: &str) -> i64 {
    let mut counter = Counter::default();
    segment(text, &mut counter);
    counter.words
}

/// Calls `visit` with the characters of each word in order; `buffer` is scratch.
#[inline]
pub fn for_each_word(text: &str, buffer: &mut Vec<char>, visit: impl FnMut(&[char])) {
    buffer.clear();
    segment(text, &mut Collector { word: buffer, visit });
}

/// A word as it lies in a text or was gathered from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    /// In ASCII, not folded yet.
    Ascii(&'a [u8]),
    /// Folded.
    Folded(&'a [char]),
}

impl Word<'_> {
    /// Appends the characters of the word, folded.
    pub(super) fn push_to(self, characters: &mut Vec<char>) {
        match self {
            Self::Ascii(word) => {
                characters.extend(word.iter().map(|byte| char::from(byte.to_ascii_lowercase())))
            }
            Self::Folded(word) => characters.extend_from_slice(word),
        }
    }
}

/// Calls `visit` with the [`hash`] of each word that [`for_each_word`] would visit, and the word; `buffer` is scratch.
#[inline]
pub(super) fn for_each_hash(text: &str, buffer: &mut Vec<char>, mut visit: impl FnMut(u64, Word<'_>)) {
    if !text.is_ascii() {
        return for_each_word(text, buffer, |word| visit(hash(word), Word::Folded(word)));
    }
    let mut rest = text.as_bytes();
    while let Some(start) = rest.iter().position(|&byte| FOLDED[byte as usize] != 0) {
        // Hashed as it is found, without a copy.
        let (mut state, mut end) = (0, start);
        while let Some(&byte) = rest.get(end) {
            let folded = FOLDED[byte as usize];
            if folded == 0 {
                break;
            }
            state = step(state, folded.into());
            end += 1;
        }
        visit(mix64(state), Word::Ascii(&rest[start..end]));
        rest = &rest[end..];
    }
}

/// Of each byte the ASCII character of words that it is, folded, or 0.
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if is_word_byte(byte) {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// Hands the words of a text to a sink, in order.
#[inline]
fn segment(text: &str, sink: &mut impl WordSink) {
    if text.is_ascii() {
        sink.ascii(text.as_bytes());
    } else {
        segment_any_script(&COMPOSING.normalize(text), sink);
    }
    sink.end();
}

fn segment_any_script(text: &str, sink: &mut impl WordSink) {
    // Where a run of scripts without spaces began.
    let mut unspaced = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let at = text.len() - rest.len();
        let class = if character.is_ascii() { Class::Letter } else { characters::class(character) };
        if matches!(class, Class::Unspaced | Class::Single) {
            sink.end();
            unspaced.get_or_insert(at);
        } else if unspaced.is_none() || !matches!(class, Class::Mark | Class::Ignored) {
            if let Some(start) = unspaced.take() {
                segment_unspaced(&text[start..at], sink);
            }
            match class {
                _ if character.is_ascii() => {
                    let length = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
                    sink.ascii(&rest.as_bytes()[..length]);
                    rest = &rest[length..];
                    continue;
                }
                Class::Letter => sink.push(character),
                Class::Mark if sink.in_word() => sink.push(character),
                Class::Break => sink.end(),
                _ => {}
            }
        }
        rest = &rest[character.len_utf8()..];
    }
    if let Some(start) = unspaced {
        segment_unspaced(&text[start..], sink);
    }
}

/// Hands on each word of a run of scripts without spaces; before it and after it no word has begun.
fn segment_unspaced(run: &str, sink: &mut impl WordSink) {
    let mut start = 0;
    for end in DICTIONARIES.segment_str(run).skip(1) {
        for character in run[start..end].chars() {
            match characters::class(character) {
                Class::Ignored => continue,
                Class::Mark if !sink.in_word() => continue,
                Class::Single => sink.end(),
                _ => {}
            }
            sink.push(character);
        }
        sink.end();
        start = end;
    }
}

/// The running hash of a sequence of characters after one more of them; [`mix64`] finishes it.
#[inline]
pub(crate) const fn step(state: u64, character: char) -> u64 {
    (state.rotate_left(5) ^ character as u64).wrapping_mul(0x517C_C1B7_2722_0A95)
}

/// A 64-bit hash of a word's characters.
#[inline]
pub(crate) fn hash(word: &[char]) -> u64 {
    mix64(word.iter().fold(0, |state, &character| step(state, character)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{THREADS, with_threads};

    fn words(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_word(text, &mut Vec::new(), |word| found.push(word.iter().collect()));
        found
    }

    #[test]
    fn words_are_runs_of_alphanumerics_and_underscores() {
        assert_eq!(words("get_user(id=42), it's 3.5!"), ["get_user", "id", "42", "it", "s", "3", "5"]);
        assert_eq!(words(" \t\n.,;- \u{2028}"), [""; 0]);
        assert_eq!(words(""), [""; 0]);
    }

    /// Texts of any characters, and of some that meet in one word.
    fn text() -> impl Strategy<Value = String> {
        let meeting = "[a-cA_1é东京都今天のーカｶﾟกินข้ชอ한\u{1112}\u{1161}\u{301}\u{94D}कि\u{200D}\u{200B}\u{AD}\u{1A20}½😀’ .\0]{0,30}";
        prop_oneof![".{0,30}", meeting, "[a-c_1é½ .]{0,30}"]
    }

    /// The definition, one step after the other, over properties of characters as they are.
    fn plain(text: &str) -> Vec<String> {
        let composed: Vec<char> = COMPOSING.normalize(text).chars().collect();
        // Marks, and what is ignored, belong with what they follow; at the start of a text with nothing.
        let mut runs: Vec<(Class, String)> = Vec::new();
        for character in composed {
            let class = match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Class::Letter,
                '\0'..='\x7F' => Class::Break,
                _ => characters::class(character),
            };
            let joined = |of: Class| if of == Class::Single { Class::Unspaced } else { of };
            match runs.last_mut() {
                Some((_, run)) if class == Class::Mark || class == Class::Ignored => run.push(character),
                Some((last, run)) if *last == joined(class) => run.push(character),
                _ => runs.push((joined(class), character.to_string())),
            }
        }
        let kept = |text: &str| -> String {
            text.chars().filter(|&c| c.is_ascii() || characters::class(c) != Class::Ignored).collect()
        };
        let folded = |word: &str| icu_casemap::CaseMapper::new().fold_string(word).into_owned();
        let mut found = Vec::new();
        for (class, run) in runs {
            match class {
                Class::Letter => found.push(folded(&kept(&run))),
                Class::Unspaced => {
                    let ends: Vec<usize> = DICTIONARIES.segment_str(&run).collect();
                    for pair in ends.windows(2) {
                        let segment = kept(&run[pair[0]..pair[1]]);
                        let singles: Vec<usize> = segment
                            .char_indices()
                            .filter(|&(at, c)| at == 0 || characters::class(c) == Class::Single)
                            .map(|(at, _)| at)
                            .chain([segment.len()])
                            .collect();
                        let parts = singles.windows(2).map(|pair| &segment[pair[0]..pair[1]]);
                        found.extend(
                            parts
                                .map(|part| part.trim_start_matches(|c| characters::class(c) == Class::Mark))
                                .filter(|part| !part.is_empty())
                                .map(folded),
                        );
                    }
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn letters_of_every_script_count_and_are_folded() {
        assert_eq!(words("Straße STRASSE ÉCOLE été"), ["strasse", "strasse", "école", "été"]);
        assert_eq!(words("Ωμέγα\u{a0}ΣΑΣ σας"), ["ωμέγα", "σασ", "σασ"]);
        // The folding of one letter may be several characters.
        assert_eq!(words("İ"), ["i\u{307}"]);
        assert_eq!(words("½ ² m²"), ["½", "²", "m²"]);
        assert_eq!(words("Привет, как дела?"), ["привет", "как", "дела"]);
        assert_eq!(words("저는 오늘 학교에 갔어요."), ["저는", "오늘", "학교에", "갔어요"]);
        assert_eq!(words("मैं आज स्कूल गया।"), ["मैं", "आज", "स्कूल", "गया"]);
        assert_eq!(words("أنا ذاهبٌ إلى المدرسةِ، اليوم"), ["أنا", "ذاهبٌ", "إلى", "المدرسةِ", "اليوم"]);
        assert_eq!(words("שלום\u{200F}, עולם"), ["שלום", "עולם"]);
    }

    #[test]
    fn scripts_without_spaces_are_divided_into_words() {
        let cases: [(&str, &[&str]); 8] = [
            (
                "我今天早上在北京大学学习机器学习。",
                &["我", "今天", "早上", "在", "北京", "大学", "学习", "机器", "学习"],
            ),
            (
                "私は昨日東京タワーに行きました。",
                &["私", "は", "昨日", "東京", "タワー", "に", "行き", "まし", "た"],
            ),
            ("ฉันชอบกินข้าวผัดที่ร้านอาหาร", &["ฉัน", "ชอบ", "กิน", "ข้าว", "ผัด", "ที่", "ร้าน", "อาหาร"]),
            ("ຂ້ອຍມັກໜຽວ", &["ຂ້ອຍ", "ມັກ", "ໜຽວ"]),
            ("ខ្ញុំចូលចិត្តបាយ", &["ខ្ញុំ", "ចូលចិត្ត", "បាយ"]),
            ("ကျွန်တော်ချင်တယ်", &["ကျွန်တော်", "ချင်", "တယ်"]),
            ("买iPhone手机2024年 ok", &["买", "iphone", "手机", "2024", "年", "ok"]),
            ("\u{1A20}\u{1A60}\u{1A20}a", &["\u{1A20}\u{1A60}", "\u{1A20}", "a"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected);
        }
    }

    #[test]
    fn spelling_of_accents_joiners_and_direction_does_not_matter() {
        assert_eq!(words("e\u{301}te\u{301}"), words("été"));
        assert_eq!(words("\u{1112}\u{1161}\u{11AB}"), words("한"));
        assert_eq!(words("カ\u{3099}ス"), words("ガス"));
        assert_eq!(words("x\u{301}y"), ["x\u{301}y"]);
        assert_eq!(words("co\u{AD}operate \u{FEFF}می\u{200C}خواهم"), ["cooperate", "میخواهم"]);
        assert_eq!(words("a\u{200B}b"), ["a", "b"]);
        assert_eq!(words("1\u{FE0F}\u{20E3}"), ["1\u{20E3}"]);
    }

    #[test]
    fn what_is_no_letter_or_digit_is_no_word() {
        for text in [
            "😀a😀",
            "👩\u{200D}👩\u{200D}👧a🏳\u{FE0F}\u{200D}🌈",
            "\0\u{1}a\u{7F}",
            "。，a！",
            "\u{301}\u{301} a",
            "\u{E48}a",
            "\u{202E}\u{200F}a\u{2066}",
        ] {
            assert_eq!(words(text), ["a"], "{text:?}");
        }
        assert_eq!(
            words("https://example.com/a_b?q=%E4%B8%AD 1,234.5"),
            ["https", "example", "com", "a_b", "q", "e4", "b8", "ad", "1", "234", "5"]
        );
    }

    #[test]
    fn long_texts_take_time_by_their_length_alone() {
        // By its square any of these would take hours.
        for part in
            ["中", "我们去学校", "ก", "ฉันชอบ", "\u{301}", "e\u{301}\u{316}", "😀", "\u{200F}", "a", "ｶﾞ"]
        {
            let text = part.repeat(1_000_000 / part.len());
            let mut characters = 0;
            for_each_word(&text, &mut Vec::new(), |word| characters += word.len());
            assert!(characters <= text.chars().count(), "{part:?}");
        }
    }

    #[test]
    fn long_texts_are_counted_across_every_boundary() {
        // Runs of ASCII longer than a byte counts, with words everywhere, ended now and then by another letter.
        for length in (200..1400).step_by(7) {
            let character = |at: u64| b"abc_9 ."[crate::rng::keyed_hash(length, at) as usize % 7] as char;
            let ascii: String = (0..length).map(character).collect();
            for text in [ascii.replacen('.', "é", 3), ascii] {
                assert_eq!(count_of(&text), words(&text).len() as i64, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn are_those_of_the_definition(text in text()) {
            prop_assert_eq!(words(&text), plain(&text));
        }

        #[test]
        fn hashes_are_those_of_the_words_visited(text in prop_oneof![text(), "[ -~]{0,60}"]) {
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            for_each_word(&text, &mut Vec::new(), |word| expected.push((hash(word), word.to_vec())));
            for_each_hash(&text, &mut Vec::new(), |hash, word| {
                let mut characters = Vec::new();
                word.push_to(&mut characters);
                found.push((hash, characters));
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn are_those_of_unicode_where_words_have_spaces(
            text in "[a-cA-C1_é\\u{301}\\u{AD}\\u{200D}\\u{FE0F}\\u{5D0}-\\u{5EA}\\u{627}-\\u{64A}\\u{915}-\\u{939}\\u{93E}\\u{94D}가-힣а-яА-Я😀 \n(/-]{0,40}",
        ) {
            let expected: Vec<String> = unicode_segmentation::UnicodeSegmentation::split_word_bounds(text.as_str())
                .map(|segment| words(segment).concat())
                .filter(|word| !word.is_empty())
                .collect();
            prop_assert_eq!(words(&text), expected);
        }

        #[test]
        fn do_not_depend_on_the_normal_form(text in text()) {
            let decomposed = icu_normalizer::DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
            prop_assert_eq!(words(&decomposed), words(&text));
        }

        #[test]
        fn do_not_depend_on_other_lines(texts in prop::collection::vec(text(), 0..6)) {
            let apart: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
            prop_assert_eq!(words(&texts.join("\n")), apart);
        }

        #[test]
        fn counts_are_those_of_the_words_visited(texts in prop::collection::vec(text(), 0..600)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected: Vec<i64> = texts.iter().map(|text| words(text).len() as i64).collect();
            for threads in THREADS {
                prop_assert_eq!(&with_threads(threads, || counts(&texts, &Unwatched)).unwrap(), &expected);
            }
        }
    }

    #[test]
    fn hashes_tell_words_apart() {
        let mut hashes = Vec::new();
        for_each_word("a b ab ba aa _ 1 é e", &mut Vec::new(), |word| hashes.push(hash(word)));
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }
}
