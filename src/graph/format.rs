//! Repairs of a file's looks that are certainly right: white space where it means nothing. Comments, quotes, the order of
//! keys, indentation and everything that stands in columns stay as they are.

use super::differences::differences;
use super::edit::{Edit, apply};
use super::finding::Findings;
use super::parse;
use super::source::{SourceFile, Span};
use super::yaml::{Kind, Tree};
use std::path::Path;

/// Why a file is not formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It has no tree that could stay the same.
    #[error("it is not YAML; `ezrun validate` tells where")]
    NotYaml,
    /// A repair would have changed what it says.
    #[error("its white space means something, and was left as it is")]
    Meaning,
}

/// Formats the text of a graph file: spaces at the ends of lines, the end of the file, and a space inside braces and behind
/// commas; all line breaks become as the first one is. What the file says stays the same.
///
/// # Errors
/// [`FormatError`] where that cannot be made sure.
pub fn format(text: &str) -> Result<String, FormatError> {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let tree = read(&unix)?;
    let mut edits = Vec::new();
    spaces_in_braces(&tree, &unix, &mut edits);
    let kept = kept_lines(&tree, &unix);
    ends_of_lines(&unix, &kept, &mut edits);
    end_of_file(&unix, &kept, &mut edits);
    let (mut formatted, _) = apply(&unix, &edits);
    if text.find('\n').is_some_and(|first| text[..first].ends_with('\r')) {
        formatted = formatted.replace('\n', "\r\n");
    }
    if formatted == text {
        return Ok(formatted);
    }
    let before = if unix == text { tree } else { read(text)? };
    let same = differences(&before, &read(&formatted)?) == 0 && ink(text).eq(ink(&formatted));
    if same { Ok(formatted) } else { Err(FormatError::Meaning) }
}

/// Whether two texts say the same but for so many values.
#[must_use]
pub fn differ_only_in(one: &str, other: &str, values: usize) -> bool {
    let (Ok(one), Ok(other)) = (read(one), read(other)) else { return false };
    differences(&one, &other) == values
}

fn read(text: &str) -> Result<Tree, FormatError> {
    let file = SourceFile::from_text("", Path::new(""), text);
    let mut findings = Findings::default();
    let tree = parse::parse(&file, &mut findings).filter(|_| findings.len() == 0);
    tree.ok_or(FormatError::NotYaml)
}

/// Everything that is not white space.
fn ink(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_whitespace())
}

/// A space behind `{`, before `}` and behind commas, where there is none.
fn spaces_in_braces(tree: &Tree, text: &str, edits: &mut Vec<Edit>) {
    let children: Vec<&Tree> = match &tree.kind {
        Kind::Seq(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => return,
    };
    children.iter().for_each(|child| spaces_in_braces(child, text, edits));
    let opening = text.as_bytes().get(tree.span.start());
    let (Some(first), Some(last), Some(b'{' | b'[')) = (children.first(), children.last(), opening) else { return };
    // A value that is not written has its place beside a space that is there already.
    let is_space = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_whitespace);
    let mut space_at = |at: usize| {
        if !is_space(at - 1) && !is_space(at) {
            edits.push(Edit::replace(Span::new(at, at), "", " "));
        }
    };
    if opening == Some(&b'{') {
        if first.span.start() == tree.span.start() + 1 {
            space_at(first.span.start());
        }
        if text.get(last.span.end()..tree.span.end()) == Some("}") {
            space_at(last.span.end());
        }
    }
    let entry = if matches!(tree.kind, Kind::Map(_)) { 2 } else { 1 };
    let entries: Vec<&[&Tree]> = children.chunks(entry).collect();
    for (before, next) in entries.iter().zip(entries.iter().skip(1)) {
        let end = before.iter().map(|child| child.span.end()).max().unwrap_or(0);
        // Nothing else between the two: no comment, no anchor.
        if text.get(end..next[0].span.start()).is_some_and(|between| between.trim_start() == ",") {
            space_at(next[0].span.start());
        }
    }
}

/// For each line, whether spaces at its end may mean something: it goes on as a text on the next one.
fn kept_lines(tree: &Tree, text: &str) -> Vec<bool> {
    let mut spans = Vec::new();
    texts_of_lines(tree, text, &mut spans);
    spans.sort_unstable();
    let mut kept = Vec::new();
    let (mut end, mut next_span, mut reach) = (0, 0, 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        while spans.get(next_span).is_some_and(|span| span.start() < end) {
            reach = reach.max(spans[next_span].end());
            next_span += 1;
        }
        kept.push(reach >= end);
    }
    kept
}

/// The texts that take up several lines.
fn texts_of_lines(tree: &Tree, text: &str, spans: &mut Vec<Span>) {
    match &tree.kind {
        Kind::Seq(items) => items.iter().for_each(|item| texts_of_lines(item, text, spans)),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            texts_of_lines(key, text, spans);
            texts_of_lines(value, text, spans);
        }),
        _ if text.get(tree.span.start()..tree.span.end()).is_some_and(|written| written.contains('\n')) => {
            spans.push(tree.span);
        }
        _ => {}
    }
}

fn ends_of_lines(text: &str, kept: &[bool], edits: &mut Vec<Edit>) {
    let mut start = 0;
    for (line, kept) in text.split_inclusive('\n').zip(kept) {
        let content = line.trim_end_matches('\n');
        let written = content.trim_end_matches([' ', '\t']).len();
        if written < content.len() && !kept {
            let span = Span::new(start + written, start + content.len());
            edits.push(Edit::replace(span, &content[written..], ""));
        }
        start += line.len();
    }
}

/// One line break at the end, and no empty lines before it.
fn end_of_file(text: &str, kept: &[bool], edits: &mut Vec<Edit>) {
    let written = text.trim_end_matches([' ', '\t', '\n']).len();
    if kept.last().is_some_and(|kept| *kept) || text.is_empty() {
        return;
    }
    let line_end = text[written..].find('\n').map(|at| written + at);
    match line_end {
        None => edits.push(Edit::replace(Span::new(text.len(), text.len()), "", "\n")),
        Some(at) if at + 1 < text.len() => {
            // The spaces of these lines are part of it.
            edits.retain(|edit| edit.span.start() <= at);
            edits.push(Edit::replace(Span::new(at + 1, text.len()), &text[at + 1..], ""));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_that_means_nothing_is_put_in_order() {
        let cases = [
            ("a: 1  \nb: 2\t\n", "a: 1\nb: 2\n"),
            ("a: 1 \r\nb: 2\r\n\r\n", "a: 1\r\nb: 2\r\n"),
            ("a: 1\r\nb: |\n  2\n", "a: 1\r\nb: |\r\n  2\r\n"),
            ("a: 1\nb: 2\r\n", "a: 1\nb: 2\n"),
            ("a: 1", "a: 1\n"),
            ("a: 1\rb: 2\r", "a: 1\nb: 2\n"),
            ("a: 1\n\n  \n\n", "a: 1\n"),
            ("a: {b: 1,c: [2,3]}\n", "a: { b: 1, c: [2, 3] }\n"),
            (
                "- {from: a.out,to: b,  zero_copy: true }   # c  \n",
                "- { from: a.out, to: b,  zero_copy: true }   # c\n",
            ),
            ("a:   \n  - b   \n", "a:\n  - b\n"),
            ("a: {}\nb: []\n", "a: {}\nb: []\n"),
            ("a: {b }\nc: { d }\n", "a: { b }\nc: { d }\n"),
            ("a: [{b: 1},{c: 2}]\n", "a: [{ b: 1 }, { c: 2 }]\n"),
            ("a: [1 ,2]\n", "a: [1 , 2]\n"),
        ];
        for (text, formatted) in cases {
            assert_eq!(format(text).as_deref(), Ok(formatted), "{text:?}");
        }
    }

    #[test]
    fn texts_of_several_lines_are_left_alone() {
        let texts = [
            "a: |\n  two  \n  lines  \nb: 1\n",
            "a: >-\n  one \n\n  more\t\n",
            "a: |+\n  kept\n\n\n",
            "- a: |2\n    x  \n  \n  b: 1\n",
            "a: \"quoted  \n  on\"\n",
            "a: 'quoted  \n\n  on'\n",
        ];
        for text in texts {
            assert_eq!(format(text).as_deref(), Ok(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_not_formatted() {
        assert_eq!(format("a: [1,\n"), Err(FormatError::NotYaml));
    }
}
