//! JSON's structure without its values: one pass, no recursion, no memory by depth.

use std::borrow::Cow;
use std::ops::Range;

use crate::envelope::{MAX_DEPTH, bad_json, too_deep};
use crate::rejection::Rejection;

/// Walks over one message. Whatever serde_json takes, this takes with the same structure, so the
/// two never disagree on where a key stands.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where the first value stands that JSON forbids, within the member that is walked over.
    forbidden: Option<Range<usize>>,
    /// Whether there was one anywhere. All of them are never held: a message may be full of them.
    has_forbidden: bool,
    /// A copy of the text in which they become harmless ones, where that was asked for.
    mended: Option<Vec<u8>>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            forbidden: None,
            has_forbidden: false,
            mended: None,
        }
    }

    /// A scanner that also writes a text of the same length without what JSON forbids.
    pub(super) fn mending(text: &'a str) -> Self {
        Self {
            mended: Some(text.into()),
            ..Self::new(text)
        }
    }

    /// Whether a value was passed that JSON forbids.
    pub(super) fn has_forbidden(&self) -> bool {
        self.has_forbidden
    }

    /// The text without what JSON forbids, of a scanner that mends.
    pub(super) fn into_mended(self) -> Option<String> {
        let mended = self.mended?;
        Some(String::from_utf8(mended).expect("ASCII was replaced by ASCII"))
    }

    /// Calls `member` with each key of the outermost object, where its value stands, and where in
    /// that value the first thing stands that JSON forbids.
    ///
    /// # Errors
    ///
    /// When the text is not one object, or is nested too deeply.
    #[inline]
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(Cow<'a, str>, Range<usize>, Option<Range<usize>>),
    ) -> Result<(), Rejection> {
        self.expect(b'{')?;
        if self.next_is(b'}') {
            return self.end();
        }
        loop {
            let key = self.key()?;
            // A key with half of a surrogate pair in it is no key of ours, and no fault of theirs.
            self.forbidden = None;
            let start = self.at;
            self.value()?;
            member(key, start..self.at, self.forbidden.take());
            self.space();
            match self.take()? {
                b',' => {}
                b'}' => return self.end(),
                _ => return Err(bad_json()),
            }
        }
    }

    fn end(&mut self) -> Result<(), Rejection> {
        self.space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(bad_json())
        }
    }

    /// A key and its colon, up to where the value begins.
    fn key(&mut self) -> Result<Cow<'a, str>, Rejection> {
        self.space();
        let start = self.at;
        let escaped = self.string()?;
        let end = self.at;
        self.expect(b':')?;
        self.space();
        if escaped {
            // A key may be spelled `"\u0074ype"`, and serde would see `type` there. One that is
            // no text because of a lone surrogate equals no key of ours.
            let key = serde_json::from_str(&self.text[start..end]);
            return Ok(Cow::Owned(key.unwrap_or_default()));
        }
        Ok(Cow::Borrowed(&self.text[start + 1..end - 1]))
    }

    /// One value. Depth is a bit for each container: set for an object, clear for an array.
    fn value(&mut self) -> Result<(), Rejection> {
        const { assert!(MAX_DEPTH == u128::BITS) };
        let (mut objects, mut depth) = (0u128, 0);
        loop {
            let byte = self.peek()?;
            match byte {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.at += 1;
                    // The outermost object is a level, too, and stands on no stack.
                    if depth + 2 >= MAX_DEPTH {
                        return Err(too_deep());
                    }
                    let is_object = byte == b'{';
                    if !self.next_is(if is_object { b'}' } else { b']' }) {
                        objects = objects << 1 | u128::from(is_object);
                        depth += 1;
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                b'N' => self.forbidden("NaN", 0)?,
                b'I' => self.forbidden("Infinity", 0)?,
                _ => return Err(bad_json()),
            }
            // A value has ended, and with it perhaps containers.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                match (self.take()?, objects & 1 == 1) {
                    (b',', true) => {
                        self.key()?;
                        break;
                    }
                    (b',', false) => {
                        self.space();
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        objects >>= 1;
                        depth -= 1;
                    }
                    _ => return Err(bad_json()),
                }
            }
        }
    }

    /// A string with its quotes; whether it holds an escape.
    #[inline]
    fn string(&mut self) -> Result<bool, Rejection> {
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            self.plain();
            match self.take()? {
                b'"' => return Ok(escaped),
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(bad_json()),
            }
        }
    }

    /// Over the bytes of a string that mean themselves, eight at a time.
    #[inline]
    fn plain(&mut self) {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let quote = word ^ u64::from_ne_bytes([b'"'; 8]);
            let slash = word ^ u64::from_ne_bytes([b'\\'; 8]);
            // A byte's top bit is set where it was zero after the xor, or below a space. Carries
            // can only spoil bytes above a true hit, and the lowest hit is the one that is used.
            let hits = (quote.wrapping_sub(ONES) & !quote
                | slash.wrapping_sub(ONES) & !slash
                | word.wrapping_sub(u64::from_ne_bytes([b' '; 8])) & !word)
                & TOPS;
            if hits != 0 {
                self.at += hits.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let rest = &self.bytes[self.at..];
        let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | ..=0x1f);
        self.at += rest.iter().take_while(|byte| plain(byte)).count();
    }

    /// What follows a backslash. Half of a surrogate pair is noted as forbidden.
    fn escape(&mut self) -> Result<(), Rejection> {
        let start = self.at - 1;
        match self.take()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Ok(()),
            b'u' => {}
            _ => return Err(bad_json()),
        }
        match self.hex()? {
            0xd800..=0xdbff => {
                let after = self.at;
                if self.bytes[after..].starts_with(b"\\u") {
                    self.at += 2;
                    if let 0xdc00..=0xdfff = self.hex()? {
                        return Ok(());
                    }
                    self.at = after;
                }
                self.forbid(start..after);
            }
            0xdc00..=0xdfff => self.forbid(start..self.at),
            _ => {}
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u16, Rejection> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = char::from(self.take()?).to_digit(16).ok_or_else(bad_json)?;
            value = value << 4 | digit as u16;
        }
        Ok(value)
    }

    /// A number by JSON's grammar, or Python's `-Infinity`.
    fn number(&mut self) -> Result<(), Rejection> {
        let negative = self.eat(b'-');
        if negative && self.bytes.get(self.at) == Some(&b'I') {
            return self.forbidden("Infinity", 1);
        }
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Rejection> {
        let digits = self.bytes[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += digits;
        if digits == 0 { Err(bad_json()) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str) -> Result<(), Rejection> {
        if !self.text[self.at..].starts_with(word) {
            return Err(bad_json());
        }
        self.at += word.len();
        Ok(())
    }

    /// A word that JSON forbids, after `signs` bytes that belong to it.
    fn forbidden(&mut self, word: &str, signs: usize) -> Result<(), Rejection> {
        let start = self.at - signs;
        self.literal(word)?;
        self.forbid(start..self.at);
        Ok(())
    }

    /// Notes what JSON forbids: a number that it does not have, or half of a surrogate pair.
    #[cold]
    fn forbid(&mut self, span: Range<usize>) {
        if let Some(mended) = &mut self.mended {
            let (first, rest) = match mended[span.start] {
                b'\\' => (b'?', b'?'),
                _ => (b'0', b' '),
            };
            mended[span.clone()].fill(rest);
            mended[span.start] = first;
        }
        self.has_forbidden = true;
        self.forbidden.get_or_insert(span);
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// After white space, this byte.
    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Rejection> {
        self.space();
        if self.take()? == byte {
            Ok(())
        } else {
            Err(bad_json())
        }
    }

    /// After white space, whether this byte is next; it is taken then.
    fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        self.eat(byte)
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let is = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(is);
        is
    }

    #[inline]
    fn peek(&self) -> Result<u8, Rejection> {
        self.bytes.get(self.at).copied().ok_or_else(bad_json)
    }

    #[inline]
    fn take(&mut self) -> Result<u8, Rejection> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }
}
