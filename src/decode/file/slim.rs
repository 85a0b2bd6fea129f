//! The text of a Job without what no verdict needs: its Pod template, and who manages which of its fields.
//!
//! Strings, brackets and layout are told apart, 64 bytes at a time, and no more. So what is cut out may be wrong within, as long
//! as each string in it ends where a string may end, and its brackets match. All else is left for the parser to check.

use wide::u8x16;

/// Bytes that are looked at together: as many as there are bits in a mask.
const BLOCK: usize = 64;

/// How long the object is that a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes up to the end of it.
    pub(super) length: usize,
    /// How many of them are no more than layout.
    layout: usize,
}

impl Extent {
    /// Bytes that it has if it is printed on one line.
    pub(super) fn printed(self) -> usize {
        self.length - self.layout
    }
}

/// Bytes that a text of JSON has if it is printed on one line.
pub(super) fn printed(text: &str) -> usize {
    let layout = Blocks::new(text).map(|block| block.blanks.count_ones() as usize);
    text.len() - layout.sum::<usize>()
}

/// Put the object that a text begins with into `out`, with null for what is cut out; `None` if no object can be told from
/// what follows.
pub(super) fn slim(text: &str, out: &mut String) -> Option<Extent> {
    out.clear();
    if !text.starts_with('{') {
        return None;
    }
    let bytes = text.as_bytes();
    let mut nesting = Nesting::default();
    let mut is_in_metadata = false;
    // The depth of what is being cut out.
    let mut cut = None;
    // How much of the text is in `out`, or left out of it.
    let mut copied = 0;
    let mut layout = 0;
    for (number, block) in Blocks::new(text).enumerate() {
        if block.is_torn {
            return None;
        }
        let mut brackets = block.brackets;
        while brackets != 0 {
            let first = brackets & brackets.wrapping_neg();
            brackets ^= first;
            let at = number * BLOCK + first.trailing_zeros() as usize;
            let depth = nesting.depth;
            if !nesting.step(bytes[at])? {
                if cut == Some(nesting.depth) {
                    copied = at + 1;
                    cut = None;
                }
                if nesting.depth == 0 {
                    out.push_str(&text[copied..=at]);
                    layout += (block.blanks & (first - 1)).count_ones() as usize;
                    return Some(Extent {
                        length: at + 1,
                        layout,
                    });
                }
            } else if cut.is_none() && (depth == 1 || depth == 2 && is_in_metadata) {
                match (depth, name_before(&bytes[..at]).unwrap_or_default()) {
                    (1, b"spec") | (2, b"managedFields") => {
                        out.push_str(&text[copied..at]);
                        out.push_str("null");
                        cut = Some(depth);
                    }
                    (1, name) => is_in_metadata = name == b"metadata",
                    _ => {}
                }
            }
        }
        // To count bits takes a while, and text on one line has none here.
        if block.blanks != 0 {
            layout += block.blanks.count_ones() as usize;
        }
    }
    None
}

/// The brackets that are open at a place in a text.
#[derive(Debug, Clone, Copy, Default)]
struct Nesting {
    /// How many there are.
    depth: u32,
    /// Whether each is a square one; the last one is the lowest bit.
    are_square: u64,
}

impl Nesting {
    /// Go past a bracket, and say whether it opens; `None` if it is none, or does not match the last one that is open, or if
    /// more are open than can be kept.
    fn step(&mut self, bracket: u8) -> Option<bool> {
        let is_square = matches!(bracket, b'[' | b']');
        match bracket {
            b'{' | b'[' if self.depth < u64::BITS => {
                self.are_square = self.are_square << 1 | u64::from(is_square);
                self.depth += 1;
                Some(true)
            }
            b'}' | b']' if self.are_square & 1 == u64::from(is_square) => {
                self.are_square >>= 1;
                self.depth -= 1;
                Some(false)
            }
            _ => None,
        }
    }
}

/// The name of the member of an object whose value follows.
fn name_before(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_end().strip_suffix(b":")?;
    let text = text.trim_ascii_end().strip_suffix(b"\"")?;
    let begin = text.iter().rposition(|byte| *byte == b'"')?;
    // A quote that is escaped is not the beginning.
    (!text[..begin].ends_with(b"\\")).then_some(&text[begin + 1..])
}

/// Whether a byte between the parts of JSON is white space.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// What stands in a block of a text outside of strings, a bit for each byte: the first one is the lowest.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Brackets, and what JSON does not have there.
    brackets: u64,
    blanks: u64,
    /// Whether a string ends where none may end: then a quote is missing somewhere, and what is taken for strings is not.
    is_torn: bool,
}

/// The blocks of a text.
struct Blocks<'a> {
    rest: &'a [u8],
    strings: Strings,
}

impl<'a> Blocks<'a> {
    fn new(text: &'a str) -> Blocks<'a> {
        Blocks {
            rest: text.as_bytes(),
            strings: Strings::default(),
        }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let bytes = match self.rest.split_first_chunk() {
            Some((block, rest)) => {
                self.rest = rest;
                Bytes::new(block)
            }
            None if self.rest.is_empty() => return None,
            None => {
                let mut last = [b'0'; BLOCK];
                last[..self.rest.len()].copy_from_slice(self.rest);
                self.rest = &[];
                Bytes::new(&last)
            }
        };
        let (within, behind) = self.strings.find(&bytes);
        let brackets = bytes.brackets() & !within;
        let blanks = bytes.blanks() & !within;
        let separators = bytes.are(b',') | bytes.are(b':');
        Some(Block {
            brackets,
            blanks,
            is_torn: behind & !(brackets | blanks | separators) != 0,
        })
    }
}

/// The bytes of a block.
struct Bytes([u8x16; 4]);

impl Bytes {
    fn new(bytes: &[u8; BLOCK]) -> Bytes {
        let (quarters, _) = bytes.as_chunks();
        let quarter = |number: usize| u8x16::new(quarters[number]);
        Bytes([quarter(0), quarter(1), quarter(2), quarter(3)])
    }

    /// Which bytes are this one.
    fn are(&self, byte: u8) -> u64 {
        self.mask(|quarter| quarter.simd_eq(u8x16::splat(byte)))
    }

    /// Which bytes are brackets, or `Y`, `_`, `y` or DEL, which one comparison finds as well.
    fn brackets(&self) -> u64 {
        self.mask(|quarter| (quarter & u8x16::splat(0xd9)).simd_eq(u8x16::splat(0x59)))
    }

    /// Which bytes are blanks or control characters.
    fn blanks(&self) -> u64 {
        self.mask(|quarter| quarter.min(u8x16::splat(b' ')).simd_eq(quarter))
    }

    fn mask(&self, look: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = |quarter: usize| u64::from(look(self.0[quarter]).to_bitmask());
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
    /// Whether a string has ended right before the next block: the lowest bit, or none.
    has_ended: u64,
}

impl Strings {
    /// Which bytes of the next block are within strings, the quotes at their beginnings included, and which come right
    /// behind a string.
    fn find(&mut self, block: &Bytes) -> (u64, u64) {
        let quotes = block.are(b'"') & !self.escaped(block.are(b'\\'));
        // Each bit becomes the parity of the quotes up to it.
        let mut strings = quotes ^ quotes << 1;
        strings ^= strings << 2;
        strings ^= strings << 4;
        strings ^= strings << 8;
        strings ^= strings << 16;
        strings ^= strings << 32;
        strings ^= self.go_on;
        self.go_on = (strings >> (BLOCK - 1)).wrapping_neg();
        let ends = quotes & !strings;
        let behind = ends << 1 | self.has_ended;
        self.has_ended = ends >> (BLOCK - 1);
        (strings, behind)
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
        slim(text, &mut out).map(|extent| (extent.length, out))
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

    /// A quote that is missing makes a string of what stands between strings, so that a cut could go past its Job.
    #[test]
    fn a_string_ends_where_a_string_may_end() {
        for before in 0..2 * BLOCK {
            let before = "x".repeat(before);
            for behind in ["", ",", " ,", "\n,", "\t,", ":", " :", ",{}"] {
                for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                    let text = format!(r#"{{"spec":{open}"{before}"{behind}{close}}}"#);
                    assert!(slimmed(&text).is_some(), "{text}");
                }
            }
            for behind in ["a", "1", "\"\"", "-", "\\", "ä"] {
                let text = format!(r#"{{"spec":["{before}"{behind}]}}"#);
                assert_eq!(slimmed(&text), None, "{text}");
            }
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
        const NAMES: [&str; 8] = [
            "metadata",
            "managedFields",
            "spec",
            "status",
            "\"",
            "}\\",
            "\"spec",
            "\\\"spec",
        ];
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
                let mut slimmed = String::new();
                let extent = slim(&format!("{text} , "), &mut slimmed).expect("an object");
                assert_eq!(extent.length, text.len(), "{text}");
                assert_eq!(extent.printed(), format!("{whole}").len(), "{text}");
                assert_eq!(printed(&text), extent.printed(), "{text}");
                let left: Value = serde_json::from_str(&slimmed).expect("JSON");
                assert_eq!(left.as_object(), Some(&expected), "{text}");
            }
        }
        assert!(cut > 100, "{cut}");
    }

    #[test]
    fn what_does_not_end_or_match_is_not_cut() {
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
            r#"{"spec":]}"#,
            r#"{"spec":[}}"#,
            r#"{"spec":{"a":[}},"b":1}"#,
            r#"{"spec":{"a":{]},"b":1}"#,
            r#"{"spec":{_},"b":1}"#,
            r#"{"metadata":{},"spec":{"x":"1},"z":{}},{"metadata":{},"spec":{"x":2"}}"#,
        ] {
            assert_eq!(slimmed(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_does_not_become_json() {
        for text in [
            "{,}",
            "{1:2}",
            r#"{"a" 1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,}"#,
            r#"{"spec":{}:1}"#,
            r#"{"spec"{}}"#,
            r#"{spec":{}}"#,
            r#"{x"spec":{}}"#,
            r#"{"x"spec":{}}"#,
            r#"{"x\\"spec":{}}"#,
            r#"{,"spec":{}}"#,
            r#"{:{},"spec":{}}"#,
            r#"{"metadata":{"managedFields":[]]},"spec":{}}"#,
        ] {
            let read = slimmed(text).map(|(_, slim)| serde_json::from_str::<Value>(&slim));
            assert!(!matches!(read, Some(Ok(_))), "{text}");
        }
    }

    #[test]
    fn brackets_are_followed_into_a_limited_depth() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"spec":{open}{close}}}"#)
        };
        let deepest = nested(63);
        let expected = r#"{"spec":null}"#.to_owned();
        assert_eq!(slimmed(&deepest), Some((deepest.len(), expected)));
        assert_eq!(slimmed(&nested(64)), None);
    }
}
