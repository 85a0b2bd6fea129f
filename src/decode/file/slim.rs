//! The text of a Job without what no verdict needs: its Pod template, and who manages which of its fields.
//!
//! That is most of the text, and of it only the end is looked for: 64 bytes at a time, by quotes and brackets. So what
//! is cut out may be wrong within, as long as it has as many brackets of each kind that open as that close. All else is
//! left for the parser to check.

use memchr::memchr2;
use wide::u8x16;

/// Bytes that are looked at together: as many as there are bits in a mask.
const BLOCK: usize = 64;

/// Put the object that a text begins with into `slim`, with null for what is cut out. How long the object is in the
/// text; `None` if no end of it can be found there.
pub(super) fn slim(text: &str, slim: &mut String) -> Option<usize> {
    slim.clear();
    let mut cut = Cut {
        text,
        at: 0,
        copied: 0,
        slim,
    };
    cut.object(|cut, name| match name {
        "spec" => cut.out(),
        "metadata" if cut.next() == Some(b'{') => cut.object(|cut, name| match name {
            "managedFields" => cut.out(),
            _ => cut.value(),
        }),
        _ => cut.value(),
    })?;
    cut.copy();
    Some(cut.at)
}

/// A walk over a text.
struct Cut<'a> {
    text: &'a str,
    at: usize,
    /// How much of the text is in `slim`, or left out of it.
    copied: usize,
    slim: &'a mut String,
}

impl<'a> Cut<'a> {
    /// Step over an object, and let `member` step over each value in it.
    fn object(&mut self, member: impl Fn(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.blank();
        if self.next() == Some(b'}') {
            return self.expect(b'}');
        }
        loop {
            let start = self.at + 1;
            if self.next()? != b'"' {
                return None;
            }
            self.value()?;
            let name: &'a str = &self.text[start..self.at - 1];
            self.blank();
            self.expect(b':')?;
            self.blank();
            member(self, name)?;
            self.blank();
            if self.next()? == b'}' {
                return self.expect(b'}');
            }
            self.expect(b',')?;
            self.blank();
        }
    }

    /// Step over a value.
    fn value(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += match rest.first()? {
            b'{' | b'[' => end_of_brackets(rest)?,
            b'"' => end_of_string(rest)?,
            _ => rest
                .iter()
                .position(|byte| is_blank(*byte) || b",}]".contains(byte))?,
        };
        Some(())
    }

    /// Step over a value, and leave it out if it is an object or array, as what is to be cut out always is.
    fn out(&mut self) -> Option<()> {
        if !matches!(self.next(), Some(b'{' | b'[')) {
            return self.value();
        }
        self.copy();
        self.value()?;
        self.copied = self.at;
        self.slim.push_str("null");
        Some(())
    }

    /// Copy what has been stepped over since the last time.
    fn copy(&mut self) {
        self.slim.push_str(&self.text[self.copied..self.at]);
        self.copied = self.at;
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next() == Some(byte)).then(|| self.at += 1)
    }

    /// Step over white space.
    fn blank(&mut self) {
        while self.next().is_some_and(is_blank) {
            self.at += 1;
        }
    }
}

/// Whether a byte between the parts of JSON is white space.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// How long the string is that a text begins with, with its quotes.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// How long the object or array is that a text begins with.
fn end_of_brackets(text: &[u8]) -> Option<usize> {
    let (blocks, rest) = text.as_chunks();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let mut depth = 0;
    // How many more square ones are open.
    let mut square = 0;
    let mut strings = Strings::default();
    for (number, block) in blocks.iter().chain([&last]).enumerate() {
        let block = Block::new(block);
        let strings = strings.within(&block);
        let are = |bracket| block.is(bracket) & !strings;
        let (square_open, square_close) = (are(b'['), are(b']'));
        let (open, close) = (square_open | are(b'{'), square_close | are(b'}'));
        let square_in = |part: u64| {
            let (open, close) = (square_open & part, square_close & part);
            open.count_ones().cast_signed() - close.count_ones().cast_signed()
        };
        let closed = close.count_ones();
        // It cannot end in this block if less is closed there than was open before.
        if closed < depth {
            depth = depth + open.count_ones() - closed;
        } else {
            let mut brackets = open | close;
            while brackets != 0 {
                let first = brackets & brackets.wrapping_neg();
                if open & first != 0 {
                    depth += 1;
                } else {
                    depth -= 1;
                }
                if depth == 0 {
                    let is_even = square + square_in(first | (first - 1)) == 0;
                    return is_even.then(|| number * BLOCK + first.trailing_zeros() as usize + 1);
                }
                brackets ^= first;
            }
        }
        square += square_in(u64::MAX);
    }
    None
}

/// A part of a text, each byte of which is a bit in a mask: the first one is the lowest.
struct Block([u8x16; 4]);

impl Block {
    fn new(bytes: &[u8; BLOCK]) -> Block {
        let (quarters, _) = bytes.as_chunks();
        let quarter = |number: usize| u8x16::new(quarters[number]);
        Block([quarter(0), quarter(1), quarter(2), quarter(3)])
    }

    /// Which bytes are this one.
    fn is(&self, byte: u8) -> u64 {
        let byte = u8x16::splat(byte);
        let bits = |quarter: usize| u64::from(self.0[quarter].simd_eq(byte).to_bitmask());
        bits(0) | bits(1) << 16 | bits(2) << 32 | bits(3) << 48
    }
}

/// What is known of the strings of a text from the blocks before.
#[derive(Default)]
struct Strings {
    /// Whether one goes on: all bits, or none.
    go_on: u64,
    /// Whether the first byte of the next block is escaped.
    is_escaped: bool,
}

impl Strings {
    /// Which bytes of the next block are within strings, the quotes at their beginnings included.
    fn within(&mut self, block: &Block) -> u64 {
        let quotes = block.is(b'"') & !self.escaped(block.is(b'\\'));
        // Each bit becomes the parity of the quotes up to it.
        let mut strings = quotes ^ quotes << 1;
        strings ^= strings << 2;
        strings ^= strings << 4;
        strings ^= strings << 8;
        strings ^= strings << 16;
        strings ^= strings << 32;
        strings ^= self.go_on;
        self.go_on = (strings >> (BLOCK - 1)).wrapping_neg();
        strings
    }

    /// Which bytes follow a backslash that is not escaped itself.
    fn escaped(&mut self, mut backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.is_escaped);
        self.is_escaped = false;
        backslashes &= !escaped;
        while backslashes != 0 {
            let first = backslashes & backslashes.wrapping_neg();
            let next = first << 1;
            self.is_escaped = next == 0;
            escaped |= next;
            backslashes &= !(first | next);
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use serde_json::{Map, Value};

    use super::*;

    fn slimmed(text: &str) -> Option<(usize, String)> {
        let mut out = String::new();
        slim(text, &mut out).map(|length| (length, out))
    }

    #[test]
    fn the_template_and_the_managed_fields_are_cut_out() {
        for (text, expected) in [
            ("{}", "{}"),
            (r#"{"spec":{"a":[1,{}]}}"#, r#"{"spec":null}"#),
            (
                r#"{ "kind" : "Job" , "spec" : { } , "status" : { "spec" : true } }"#,
                r#"{ "kind" : "Job" , "spec" : null , "status" : { "spec" : true } }"#,
            ),
            (
                r#"{"metadata":{"managedFields":[{}],"name":"a","spec":"b"},"managedFields":[]}"#,
                r#"{"metadata":{"managedFields":null,"name":"a","spec":"b"},"managedFields":[]}"#,
            ),
            (
                r#"{"metadata":null,"spec":12}"#,
                r#"{"metadata":null,"spec":12}"#,
            ),
            (r#"{"metadata":[{}]}"#, r#"{"metadata":[{}]}"#),
        ] {
            let behind = format!(r#"{text},{{"spec":2}}"#);
            assert_eq!(slimmed(text), Some((text.len(), expected.to_owned())));
            assert_eq!(slimmed(&behind), Some((text.len(), expected.to_owned())));
        }
    }

    #[test]
    fn strings_end_where_they_do_wherever_they_stand() {
        for string in [
            r"",
            r"{",
            r"}]",
            r#"\""#,
            r#"\"}"#,
            r"\\",
            r#"}\\\"{"#,
            r#"\\\\\"\\"#,
            "ä}ü",
        ] {
            for before in 0..2 * BLOCK {
                let before = "x".repeat(before);
                let text = format!(r#"{{"spec":["{before}","{string}",{{"{string}":0}}],"a":1}}"#);
                let expected = r#"{"spec":null,"a":1}"#.to_owned();
                assert_eq!(slimmed(&text), Some((text.len(), expected)), "{text}");
            }
        }
    }

    /// Texts in which quotes, brackets and backslashes stand everywhere, under names that matter and others.
    fn any_value(rng: &mut Rng, depth: usize) -> Value {
        const TEXTS: [&str; 10] = [
            "",
            "{",
            "}",
            "[\"]",
            "\\",
            "\\\"",
            "\"\\\\",
            "ä\u{1f600}",
            "a\nb",
            ",:",
        ];
        const NAMES: [&str; 6] = ["metadata", "managedFields", "spec", "status", "\"", "}\\"];
        let of = |rng: &mut Rng| rng.usize(..6);
        match rng.usize(..if depth < 5 { 8 } else { 5 }) {
            0 => Value::Null,
            1 => rng.bool().into(),
            2 => rng.i32(..).into(),
            3 => TEXTS[rng.usize(..TEXTS.len())].into(),
            4 => TEXTS[rng.usize(..TEXTS.len())].repeat(of(rng) * 20).into(),
            5 => (0..of(rng)).map(|_| any_value(rng, depth + 1)).collect(),
            _ => {
                let member = |_| {
                    let name = NAMES[rng.usize(..NAMES.len())].to_owned();
                    (name, any_value(rng, depth + 1))
                };
                Value::Object((0..6).map(member).collect())
            }
        }
    }

    /// Null instead of an object or array.
    fn cut_out(object: &mut Map<String, Value>, name: &str) {
        if let Some(value @ (Value::Object(_) | Value::Array(_))) = object.get_mut(name) {
            *value = Value::Null;
        }
    }

    #[test]
    fn all_else_is_left_as_it_stands() {
        let mut rng = Rng::with_seed(1);
        let mut cut = 0;
        for _ in 0..3_000 {
            let whole = any_value(&mut rng, 0);
            let Value::Object(mut expected) = whole.clone() else {
                continue;
            };
            cut_out(&mut expected, "spec");
            if let Some(Value::Object(metadata)) = expected.get_mut("metadata") {
                cut_out(metadata, "managedFields");
            }
            cut += usize::from(whole.as_object() != Some(&expected));
            for text in [format!("{whole}"), format!("{whole:#}")] {
                let (length, slim) = slimmed(&text).expect("an object");
                assert_eq!(length, text.len(), "{text}");
                let left: Value = serde_json::from_str(&slim).expect("JSON");
                assert_eq!(left.as_object(), Some(&expected), "{text}");
            }
        }
        assert!(cut > 100, "{cut}");
    }

    #[test]
    fn what_does_not_end_or_is_no_json_is_not_cut() {
        let whole = format!(
            r#"{{"metadata":{{"name":"a\"b","managedFields":[{{"f":"{}"}}]}},"spec":{{"a":"\\"}},"b":12}}"#,
            "x".repeat(3 * BLOCK)
        );
        assert!(slimmed(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(slimmed(&whole[..end]), None, "{}", &whole[..end]);
        }
        for text in [
            "",
            "1",
            "[]",
            r#""a""#,
            "{,}",
            "{1:2}",
            r#"{"a" 1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,}"#,
            r#"{"spec":]}"#,
            r#"{"spec":[}}"#,
            r#"{"spec":{"a":[}},"b":1}"#,
            r#"{"spec":{"a":{]},"b":1}"#,
        ] {
            assert_eq!(slimmed(text), None, "{text}");
        }
    }
}
