//! The plain part of YAML that nearly all of a large graph is written in, read in a fraction of the time that the parser
//! takes.
//!
//! Plain are lists and mappings that have their items and keys on lines of their own, or stand in brackets that are closed on
//! their line; their keys are words, their values words or texts in quotes without escapes; and all of it is ASCII. A text
//! with anything else in it is left to the parser, which then reads all of it. Both make the same tree.

use super::parse::Builder;
use super::yaml::{Kind, Tree, plain_scalar};
use std::ops::Range;

/// Longest key that is read here, in bytes: far shorter than what the parser takes for a key.
const MAX_KEY_BYTES: usize = 128;

/// Makes what `builder` makes of `text`, if that is plain.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Option<()> {
    let is_plain = text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte));
    if !is_plain {
        return None;
    }
    let mut reader = Reader { text, at: 0, indent: None, builder };
    reader.next_line();
    reader.block()?;
    reader.indent.is_none().then_some(())
}

/// Where in a text the reader is: where it has read all of a line, at the first word of the next one that says something.
struct Reader<'t, 'b, 'f> {
    text: &'t str,
    at: usize,
    /// By how much that line is indented; nothing at the end of the text.
    indent: Option<usize>,
    builder: &'b mut Builder<'f>,
}

impl Reader<'_, '_, '_> {
    /// The list or mapping whose first item or key is next.
    fn block(&mut self) -> Option<()> {
        let indent = self.indent?;
        if !self.is_at_item() {
            return self.mapping(indent);
        }
        self.begin(self.at, false)?;
        self.items(indent)
    }

    fn items(&mut self, indent: usize) -> Option<()> {
        while self.indent == Some(indent) && self.is_at_item() {
            let item = self.behind_dash();
            let inner = indent + item - self.at;
            self.at = item;
            if self.key_end().is_some() {
                self.mapping(inner)?;
            } else {
                self.value(false)?;
                self.end_line()?;
            }
        }
        self.end_block(indent)
    }

    fn mapping(&mut self, indent: usize) -> Option<()> {
        self.begin(self.at, true)?;
        loop {
            self.key()?;
            let value = self.behind_spaces(self.at);
            if matches!(self.text.as_bytes().get(value), None | Some(b'\n' | b'#')) {
                self.end_line()?;
                self.below_key(indent)?;
            } else {
                self.at = value;
                self.value(false)?;
                self.end_line()?;
            }
            if self.indent != Some(indent) {
                return self.end_block(indent);
            }
        }
    }

    /// What stands below a key of a mapping. A list that is indented like the key begins with the first item, not its dash, as
    /// the parser has it.
    fn below_key(&mut self, indent: usize) -> Option<()> {
        if self.indent == Some(indent) && self.is_at_item() {
            self.begin(self.behind_dash(), false)?;
            return self.items(indent);
        }
        if self.indent > Some(indent) { self.block() } else { None }
    }

    /// What follows is part of what is around, and not indented by more than that.
    fn end_block(&mut self, indent: usize) -> Option<()> {
        if self.indent <= Some(indent) { self.end(self.at..self.at) } else { None }
    }

    fn brackets(&mut self, closing: u8) -> Option<()> {
        let is_map = closing == b'}';
        self.begin(self.at, is_map)?;
        self.at += 1;
        self.skip_spaces();
        while self.byte()? != closing {
            if is_map {
                self.key()?;
                self.skip_spaces();
            }
            self.value(true)?;
            self.skip_spaces();
            match self.byte()? {
                b',' => self.at += 1,
                byte if byte == closing => break,
                _ => return None,
            }
            self.skip_spaces();
        }
        self.at += 1;
        self.end(self.at - 1..self.at)
    }

    fn key(&mut self) -> Option<()> {
        let end = self.key_end()?;
        self.word_to(end)?;
        self.at += 1;
        Some(())
    }

    /// Where the key ends that is next, before its colon.
    fn key_end(&self) -> Option<usize> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !is_key_byte(*byte))?;
        let is_key = (1..=MAX_KEY_BYTES).contains(&length) && rest[0] != b'-' && rest[0] != b'.';
        let has_colon = rest[length] == b':' && matches!(rest.get(length + 1), None | Some(b' ' | b'\n'));
        (is_key && has_colon).then_some(self.at + length)
    }

    fn value(&mut self, in_brackets: bool) -> Option<()> {
        match self.byte()? {
            b'{' => self.brackets(b'}'),
            b'[' => self.brackets(b']'),
            quote @ (b'"' | b'\'') => self.quoted(quote),
            _ => self.word(in_brackets),
        }
    }

    fn quoted(&mut self, quote: u8) -> Option<()> {
        let start = self.at + 1;
        let end = start + self.text[start..].find(quote as char)?;
        let text = &self.text[start..end];
        let is_plain = !text.contains(['\\', '\n']) && self.text.as_bytes().get(end + 1) != Some(&quote);
        if !is_plain {
            return None;
        }
        self.scalar(end + 1, Kind::String(text.into()))
    }

    /// A scalar without quotes, which ends before a comment, and in brackets with what ends a value there.
    fn word(&mut self, in_brackets: bool) -> Option<()> {
        let bytes = self.text.as_bytes();
        let next = bytes.get(self.at + 1);
        let begins = match bytes[self.at] {
            b'-' => next.is_some_and(u8::is_ascii_alphanumeric),
            b'.' => next.is_some_and(|next| next.is_ascii_digit() || b"./".contains(next)),
            first => first.is_ascii_alphanumeric() || b"_/$+".contains(&first),
        };
        if !begins {
            return None;
        }
        let mut end = self.at;
        for at in self.at..bytes.len() {
            match bytes[at] {
                b' ' => continue,
                b'\n' => break,
                b'#' if bytes[at - 1] == b' ' => break,
                b',' | b'}' | b']' if in_brackets => break,
                b'{' | b'[' if in_brackets => return None,
                b':' if !bytes.get(at + 1).is_some_and(|next| is_key_byte(*next) || b"/:$".contains(next)) => {
                    return None;
                }
                _ => end = at + 1,
            }
        }
        self.word_to(end)
    }

    fn word_to(&mut self, end: usize) -> Option<()> {
        self.scalar(end, plain_scalar(&self.text[self.at..end]))
    }

    /// Goes on with the next line that says something.
    fn end_line(&mut self) -> Option<()> {
        let end = self.at;
        self.skip_spaces();
        match self.byte() {
            Some(b'\n') | None => {}
            Some(b'#') if self.at > end => {}
            _ => return None,
        }
        self.next_line();
        Some(())
    }

    /// Skips the rest of this line, which says nothing, and all others that say nothing.
    fn next_line(&mut self) {
        let bytes = self.text.as_bytes();
        let mut start = self.at;
        loop {
            self.skip_spaces();
            match self.byte() {
                Some(b'\n') => self.at += 1,
                Some(b'#') => {
                    self.at += bytes[self.at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - self.at)
                }
                Some(_) => break self.indent = Some(self.at - start),
                None => break self.indent = None,
            }
            if bytes[self.at - 1] == b'\n' {
                start = self.at;
            }
        }
    }

    fn skip_spaces(&mut self) {
        self.at = self.behind_spaces(self.at);
    }

    fn behind_dash(&self) -> usize {
        self.behind_spaces(self.at + 1)
    }

    fn behind_spaces(&self, at: usize) -> usize {
        let rest = &self.text.as_bytes()[at..];
        at + rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len())
    }

    fn is_at_item(&self) -> bool {
        self.text.as_bytes()[self.at..].starts_with(b"- ")
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What is next, up to `end`, is a scalar.
    fn scalar(&mut self, end: usize, kind: Kind) -> Option<()> {
        let tree = Tree::new(self.builder.span(self.at..end), kind);
        self.builder.value(tree, 0, 1).ok()?;
        self.at = end;
        Some(())
    }

    fn begin(&mut self, at: usize, is_map: bool) -> Option<()> {
        self.builder.begin(self.builder.span(at..at), is_map, 0).ok()
    }

    fn end(&mut self, closing: Range<usize>) -> Option<()> {
        let closing = self.builder.span(closing);
        self.builder.end(closing).ok()
    }
}

/// Whether keys are made of such bytes here.
fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::super::finding::Findings;
    use super::super::parallel::tests::graphs;
    use super::super::parse::parse;
    use super::super::source::SourceFile;
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    /// Whether `text` is plain. What is read is held against what the parser makes of it, with every text in every test.
    fn is_plain(text: &str) -> bool {
        let file = SourceFile::from_text("x.yaml", Path::new("/"), text);
        parse(&file, &mut Findings::default());
        read(text, &mut Builder::new(&file, &mut Findings::default())).is_some()
    }

    #[test]
    fn most_graphs_are_plain() {
        let graphs = graphs();
        let plain = graphs.iter().filter(|graph| is_plain(graph)).count();
        assert!(plain * 2 > graphs.len(), "{plain} of {}", graphs.len());
    }

    #[test]
    fn what_is_plain() {
        for text in [
            "a: 1",
            "# c\n\n  a: 1 # d\n\n  # e\n  b-c.d: -0.5e3\n",
            "a:\n- b\n-   c: 1\n    d: x y  z  # e\n- {}\n- []\nf: [1, 'two', \"th'ree\", { g: [/x/y] }]\n",
            "a:\n    b:\n      - c: http://d:80/#e\n        f: a:b,c ]}\n    g: +1\n",
            "a: # b\n  c: # d\n  - e\n",
            "a: [b, ]\nc: { d: [e,], }\n",
            "- a\n- b: c # d\n  # e\n-  d: { e: {} }\n",
            "true: null\n1: 0x1f\n1e3: .5\nx: ../y\n",
        ] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_is_left_to_the_parser() {
        for text in [
            "",
            "# c\n",
            "a",
            "a:",
            "a:\nb: 1",
            "a: 1\n b: 2",
            "a: 1\n  b",
            "a: b: c",
            "a: b:",
            "a:b",
            "a: *b",
            "a: &b c",
            "a: !b c",
            "a: |\n  b",
            "a: é",
            "a:\tb",
            "a: b\r\n",
            "a: 'it''s'",
            "a: \"\\n\"",
            "a: 'b\n  c'",
            "a: 'b'c",
            "a: [b,\n  c]",
            "a: [,]",
            "a: [b,,c]",
            "a: { b: }",
            "a: { b }",
            "a: { b:1 }",
            "a: [b: c]",
            "a: [b[c]",
            "a: [b}",
            "a: {b: c]",
            "a: [b]#c",
            "'a': b",
            "? a\n: b",
            "<<: { a: b }",
            "- - a",
            "-\n  a",
            "- a\n b",
            "a: 1\n- b",
            "- a\nb: 1",
            "  a: 1\nb: 2",
            "a:\n    b: 1\n  c: 2",
            "- a: 1\n   b: 2",
            "- a: 1\n b: 2",
            "---\na: 1",
            "a: 1\n...\n",
            "a: -",
            "a: - b",
            "a: --- b",
            "a: [-]",
            "%YAML 1.2\n---\na: 1",
            "a: @b",
            "a: `b`",
            "a: ?b",
            "a: ~",
            "a: .nan",
            "a: -.inf",
            "a: b # c\n  d",
        ] {
            assert!(!is_plain(text), "{text}");
        }
        let key = |bytes: usize| format!("{}: 1", "k".repeat(bytes));
        assert!(is_plain(&key(MAX_KEY_BYTES)) && !is_plain(&key(MAX_KEY_BYTES + 1)));
        let nested = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_plain(&nested(63)) && !is_plain(&nested(64)));
    }

    proptest! {
        /// Pieces in any order: most are no YAML, and what is plain is read as by the parser.
        #[test]
        fn any_text_is_read_as_by_the_parser(pieces in proptest::collection::vec(prop_oneof![
            4 => Just("\n"), 3 => Just("\n  "), 1 => Just("\n    "), 3 => Just("- "), 4 => Just("a: "), 1 => Just("b:"),
            4 => Just("c"), 1 => Just(" "), 1 => Just("1.5"), 1 => Just("{ "), 1 => Just(" }"), 1 => Just("["), 1 => Just("]"),
            2 => Just(", "), 1 => Just("'d'"), 1 => Just("\"e\""), 1 => Just(" # f"), 1 => Just(":"), 1 => Just("-"), 1 => Just("#"),
            1 => Just("/"), 1 => Just("."), 1 => Just("{ g: h, i: [j] }"), 1 => Just("$"),
        ], 1..20)) {
            is_plain(&pieces.concat());
        }

        /// Lines that are plain each, however they are indented.
        #[test]
        fn any_lines_are_read_as_by_the_parser(lines in proptest::collection::vec((0..4_usize, prop_oneof![
            Just("a:"), Just("b: 1"), Just("- c"), Just("- d: 2"), Just("-   e: x y"), Just("# f"), Just(""), Just("g: { h: [i, 'j'] } # k"),
            Just("- { l: m:n }"), Just("- []"), Just("o: p,q # r"),
        ]), 1..12)) {
            let text: String = lines.iter().map(|(indent, line)| format!("{}{line}\n", " ".repeat(*indent))).collect();
            is_plain(&text);
        }
    }
}
