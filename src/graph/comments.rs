//! What the tree of a file does not keep: its comments, and whether it means to be a graph although it is broken.

use super::source::{SourceFile, Span};
use granit_parser::{Event, Parser, Scanner, StrInput, TokenType};
use std::ops::Range;

/// A comment of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comment<'f> {
    /// What follows the `#`.
    pub text: &'f str,
    /// Where that stands.
    pub span: Span,
    /// Counted from 1.
    pub line: usize,
    /// Whether nothing else stands on its line.
    pub alone: bool,
}

/// The comments of `file`, up to where it is no YAML: all that begins with a `#` between its words. A `#` in a text is none.
pub(super) fn comments(file: &SourceFile) -> Vec<Comment<'_>> {
    let text = file.text();
    let mut comments = Vec::new();
    let mut behind = 0;
    for token in Scanner::new(StrInput::new(text)) {
        let Ok(token) = token else { return comments };
        let Some(range) = token.span().byte_range() else { continue };
        comments_within(behind..range.start, file, &mut comments);
        // A text of several lines that has none begins at its `|` or `>`, which a comment may follow.
        let is_blank = matches!(token.token_type(), TokenType::Scalar(_, text) if text.trim().is_empty());
        behind = behind.max(if is_blank { range.start } else { range.end });
    }
    comments_within(behind..text.len(), file, &mut comments);
    comments
}

/// Adds the comments that begin in a part of `file` where no words are.
fn comments_within<'f>(part: Range<usize>, file: &'f SourceFile, comments: &mut Vec<Comment<'f>>) {
    let text = file.text();
    let mut start = part.start;
    while let Some(at) = text.get(start..part.end).and_then(|rest| rest.find('#')) {
        start += at;
        let end = text[start..].find(['\n', '\r']).map_or(text.len(), |length| start + length);
        comments.push(comment(file, Span::new(start, end).in_file(file.id())));
        start = end;
    }
}

fn comment(file: &SourceFile, whole: Span) -> Comment<'_> {
    let place = file.place(whole);
    let before = Span::new(file.offset(place.line, 1), whole.start());
    let span = whole.part((whole.start() + 1).min(whole.end()), whole.end());
    Comment { text: file.slice(span), span, line: place.line, alone: file.slice(before).trim().is_empty() }
}

/// The key by which a file says that it is a graph.
const SAYS_SO: &[&str] = &["ezrun"];

/// Whether a file says that it is a graph: it is a mapping with a key `ezrun`, as far as it can be read.
#[must_use]
pub fn is_graph(file: &SourceFile) -> bool {
    has_keys(file, &[SAYS_SO])
}

/// Whether a file is a graph, or looks like one that does not say so: it has nodes and edges.
#[must_use]
pub fn looks_like_graph(file: &SourceFile) -> bool {
    has_keys(file, &[SAYS_SO, &["nodes", "edges"]])
}

/// Whether bytes that are no text, or only the beginning of one, have a line that says that they are a graph.
#[must_use]
pub fn says_it_is_a_graph(bytes: &[u8]) -> bool {
    has_line_with(bytes, "ezrun")
}

/// Whether a file is a mapping with all keys of one of these sets; one that cannot be read, whether it has lines that begin
/// with them.
fn has_keys(file: &SourceFile, sets: &[&[&str]]) -> bool {
    let mut depth = 0_usize;
    let mut is_key = false;
    let mut missing: Vec<Vec<&str>> = sets.iter().map(|set| set.to_vec()).collect();
    for event in Parser::new_from_str(file.text()) {
        let Ok((event, _)) = event else {
            let has_line = |key: &&str| has_line_with(file.text().as_bytes(), key);
            return sets.iter().any(|set| set.iter().all(has_line));
        };
        match event {
            Event::MappingStart(..) if depth == 0 => (depth, is_key) = (1, true),
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                is_key = if depth == 1 { !is_key } else { is_key };
            }
            Event::Scalar(text, ..) if depth == 1 => {
                missing.iter_mut().for_each(|set| set.retain(|key| !is_key || *key != text));
                if missing.iter().any(Vec::is_empty) {
                    return true;
                }
                is_key = !is_key;
            }
            Event::Alias(..) if depth == 1 => is_key = !is_key,
            _ => {}
        }
    }
    false
}

/// Whether a line begins with the key and its colon, a brace before it or not.
fn has_line_with(text: &[u8], key: &str) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = line.strip_prefix(b"{").map_or(line, <[u8]>::trim_ascii_start);
        line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(text: &str) -> SourceFile {
        SourceFile::from_text("x.yaml", Path::new("/"), text)
    }

    #[test]
    fn a_hash_within_a_text_is_no_comment() {
        let file = file(
            "# one\na: '# no'\nb: \"x # no\" # two\nc: |\n  # no\n  # no\nd: x#no\n  # three\ne: [1, # four\n 2]\nf: http://x/#no\ng: > # five\n  | # no\nh: |+ # six\n\n",
        );
        let found: Vec<_> = comments(&file).iter().map(|c| (c.text.trim(), c.line, c.alone)).collect();
        assert_eq!(
            found,
            [
                ("one", 1, true),
                ("two", 3, false),
                ("three", 8, true),
                ("four", 9, false),
                ("five", 12, false),
                ("six", 14, false)
            ]
        );
    }

    #[test]
    fn any_number_of_comments_is_read() {
        let text = "# x\n".repeat(1000) + "a:\n" + &"  # y\n".repeat(1000) + "  - 1\n";
        assert_eq!(comments(&file(&text)).len(), 2000);
    }

    #[test]
    fn a_graph_is_known_by_its_key_however_it_is_written() {
        for text in
            ["ezrun: 1\n", "{a: [1, {b: c}], \"ezrun\": 1}", "a: {x: y}\nb: [z]\nezrun : 1\n", "ezrun: 1\n a: [\n"]
        {
            assert!(is_graph(&file(text)), "{text}");
        }
        let broken = ["{ezrun: 1, a: [}\n", "# c\n{ ezrun: 1, nodes: {\n"];
        assert!(broken.iter().all(|text| is_graph(&file(text))));
        for text in ["", "a: ezrun\n", "ezrun\n", "- ezrun: 1\n", "a: { ezrun: 1 }\n", "a: |\n  ezrun: 1\n", "a: [\n"] {
            assert!(!is_graph(&file(text)), "{text}");
        }
    }

    #[test]
    fn nodes_and_edges_look_like_a_graph_whether_it_says_so_or_not() {
        for text in ["ezrn: 1\nnodes: {}\nedges: []\n", "edges: [\nnodes: {\n", "{nodes: {}, edges: []}"] {
            assert!(looks_like_graph(&file(text)) && !is_graph(&file(text)), "{text}");
        }
        for text in ["nodes: {}\n", "nodes: { edges: 1 }\n", "nodes: edges\n", "a: { nodes: 1, edges: 2 }\n"] {
            assert!(!looks_like_graph(&file(text)), "{text}");
        }
    }
}
