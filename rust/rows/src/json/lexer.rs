//! The tokens of JSON, as its standard has them.

use super::Fault;
use super::text::plain_end;

/// Digits of the longest whole number that is read; Python, whose answer must be ours, reads no more.
const MAX_DIGITS: usize = 4300;

/// A string: where its inside lies, and what its escapes are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    /// First byte after the opening quote.
    pub(crate) start: usize,
    /// The closing quote.
    pub(crate) end: usize,
    /// Whether it has escapes at all.
    pub(crate) escaped: bool,
    /// Whether it is written just as it would be written again.
    pub(crate) normal: bool,
    /// Whether it holds half of a surrogate pair.
    pub(crate) half: bool,
}

/// A number: where it lies, and of which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after it.
    pub(crate) end: usize,
    /// Whether it has neither a fraction nor an exponent.
    pub(crate) whole: bool,
    /// Whether it is whole and has more than 64 bits.
    pub(crate) wide: bool,
}

/// A place in a text.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    /// The text.
    pub(crate) source: &'a [u8],
    /// The next byte.
    pub(crate) at: usize,
}

impl<'a> Lexer<'a> {
    /// The beginning of a text.
    pub(crate) fn new(source: &'a [u8]) -> Self {
        Self { source, at: 0 }
    }

    /// The next byte, if there is one.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    /// Passes over white space.
    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes this byte, or refuses another.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Fault::Syntax)
    }

    /// Takes these bytes, or refuses others.
    #[inline]
    pub(crate) fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.source[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(Fault::Syntax)
    }

    /// Takes an opening bracket that lies in `depth` others, of which there may be `most`, and white space after it.
    pub(crate) fn open(&mut self, depth: usize, most: usize) -> Result<(), Fault> {
        if depth == most {
            return Err(Fault::Deep);
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Whether another value follows in a list or an object; the closing bracket is the next byte where none does.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            _ => Err(Fault::Syntax),
        }
    }

    /// Takes the colon after a key, and white space around it.
    #[inline]
    pub(crate) fn colon(&mut self) -> Result<(), Fault> {
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        Ok(())
    }

    /// Takes a string, whose opening quote is the next byte.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        let mut text = Text { start, end: start, escaped: false, normal: true, half: false };
        loop {
            self.at = plain_end(self.source, self.at);
            match self.peek() {
                Some(b'"') => {
                    text.end = self.at;
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape(&mut text)?,
                _ => return Err(Fault::Syntax),
            }
        }
    }

    fn escape(&mut self, text: &mut Text) -> Result<(), Fault> {
        text.escaped = true;
        match self.source.get(self.at + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'/') => {
                text.normal = false;
                self.at += 2;
            }
            Some(b'u') => {
                text.normal = false;
                let unit = self.code_unit(self.at)?;
                self.at += 6;
                match unit {
                    0xD800..=0xDBFF => {
                        let follows = self.source[self.at..].starts_with(b"\\u");
                        match if follows { Some(self.code_unit(self.at)?) } else { None } {
                            Some(0xDC00..=0xDFFF) => self.at += 6,
                            _ => text.half = true,
                        }
                    }
                    0xDC00..=0xDFFF => text.half = true,
                    _ => {}
                }
            }
            _ => return Err(Fault::Syntax),
        }
        Ok(())
    }

    /// The number that `\uXXXX` at a place spells.
    fn code_unit(&self, at: usize) -> Result<u16, Fault> {
        let digits = self.source.get(at + 2..at + 6).ok_or(Fault::Syntax)?;
        digits.iter().try_fold(0, |unit, &digit| {
            let value = char::from(digit).to_digit(16).ok_or(Fault::Syntax)?;
            Ok(unit << 4 | value as u16)
        })
    }

    /// Takes a number, of which the next byte is the first.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.at;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(Fault::Syntax),
        }
        let digits = self.at - first;
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            whole = false;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            whole = false;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        if whole && digits > MAX_DIGITS {
            return Err(Fault::Syntax);
        }
        let wide = whole && digits >= 19 && is_wide(&self.source[start..self.at]);
        Ok(Number { start, end: self.at, whole, wide })
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let before = self.at;
        self.digits();
        if self.at == before { Err(Fault::Syntax) } else { Ok(()) }
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }
}

fn is_wide(digits: &[u8]) -> bool {
    std::str::from_utf8(digits).map_or(true, |digits| digits.parse::<i64>().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<(bool, bool)> {
        let mut lexer = Lexer::new(text.as_bytes());
        let number = lexer.number().ok()?;
        (lexer.at == text.len()).then_some((number.whole, number.wide))
    }

    #[test]
    fn numbers_are_those_of_the_standard() {
        for text in ["0", "-0", "12", "-9223372036854775808", "9223372036854775807"] {
            assert_eq!(number(text), Some((true, false)), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"] {
            assert_eq!(number(text), Some((true, true)), "{text}");
        }
        for text in ["0.5", "1e9", "1E+9", "-1.25e-3", "99999999999999999999.0"] {
            assert_eq!(number(text), Some((false, false)), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "-a", "NaN", "0x1", "1_0"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(number(&"1".repeat(4300)), Some((true, true)));
        assert_eq!(number(&"1".repeat(4301)), None);
    }

    fn string(text: &str) -> Option<(bool, bool, bool)> {
        let mut lexer = Lexer::new(text.as_bytes());
        let text = lexer.string().ok()?;
        (lexer.at == lexer.source.len()).then_some((text.escaped, text.normal, text.half))
    }

    #[test]
    fn strings_are_those_of_the_standard() {
        assert_eq!(string(r#""""#), Some((false, true, false)));
        assert_eq!(string("\"a long plain string of any script: größer 中文\""), Some((false, true, false)));
        assert_eq!(string(r#""\"\\\b\f\n\r\t""#), Some((true, true, false)));
        assert_eq!(string(r#""\/""#), Some((true, false, false)));
        assert_eq!(string(r#""\u00e9\uD83D\uDE00""#), Some((true, false, false)));
        for half in
            [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\u0041""#, r#""\ud83dx""#, r#""\ud83d\ud83d\ude00""#]
        {
            assert_eq!(string(half), Some((true, false, true)), "{half}");
        }
        for bad in [
            "",
            "\"",
            "\"\n\"",
            "\"\u{1f}\"",
            r#""\x""#,
            r#""\u12"#,
            r#""\u12g4""#,
            r#""\"#,
            r#""\ud83d\u12""#,
        ] {
            assert_eq!(string(bad), None, "{bad}");
        }
    }
}
