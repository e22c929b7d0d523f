//! Edges that only name their ends, as in `a -> b`, `[a, b]`, `[a, out, b, in]` or `{ a: [b, c] }`: no edge is written so, but it is known what
//! was meant.

use super::edges::{EDGE_KEYS, EdgeSettings, RESERVED_EDGE_KEYS, WrittenEdge};
use super::fields::{Field, Reader, Word};
use super::pieces::parted;
use super::source::{SourceFile, Span};
use super::yaml::{Kind, Tree, quoted};
use super::{keys, rules};
use smol_str::format_smolstr;
use std::collections::HashSet;

/// Longest end, in bytes, that is shown as it should be written.
const MAX_SHOWN_END: usize = 100;
/// What is written between the ends of an edge elsewhere; one that has another in it before that.
const ARROWS: [&str; 4] = ["-->", "->", "=>", "→"];
/// Most edges of a chain that are shown, most ends of one that is taken for edges, and up to how many edges any is.
const MAX_SHOWN_EDGES: usize = 4;
const MAX_CHAIN: usize = 1000;
const MAX_EDGES_AND_CHAINS: usize = 10_000;

/// Tells how `tree` is written, where it is one, and adds the edges that are meant to those so far; `is_node` says what is a
/// node. Whether it is one.
pub(super) fn edges<'t>(
    tree: &'t Tree,
    is_node: &dyn Fn(&str) -> bool,
    reader: &mut Reader<'_, 't>,
    edges: &mut Vec<WrittenEdge>,
) -> bool {
    let pairs = pairs(tree, reader.file, is_node);
    let are_few = pairs.len() == 1 || edges.len() < MAX_EDGES_AND_CHAINS;
    if pairs.is_empty() || !are_few {
        return false;
    }
    let message = match &tree.kind {
        Kind::Map(_) => "an edge is a mapping with the keys `from` and `to`".to_owned(),
        _ => format!("an edge is a mapping, not {}", tree.describe()),
    };
    let written = pairs.iter().take(MAX_SHOWN_EDGES).map(|[from, to]| {
        let [from, to] = [from, to].map(|end| quoted(&end.text));
        format!("`{{ from: {from}, to: {to} }}`")
    });
    let written: Vec<String> = written.collect();
    let more = if pairs.len() > MAX_SHOWN_EDGES { ", …" } else { "" };
    reader.report(rules::WRONG_TYPE, tree.span, message, format!("write {}{more}", written.join(", ")));
    edges.extend(pairs.into_iter().map(|pair| {
        let [from, to] = pair.map(Some);
        WrittenEdge { from, to, settings: Box::new(EdgeSettings { faulty: true, ..EdgeSettings::default() }) }
    }));
    true
}

/// The keys of a mapping.
pub(super) fn names<'t>(field: Option<&Field<'t>>, file: &'t SourceFile) -> HashSet<&'t str> {
    match field.map(|field| &field.value.kind) {
        Some(Kind::Map(entries)) => entries.iter().map(|(key, _)| key.text(file)).collect(),
        _ => HashSet::new(),
    }
}

/// The ends of each edge that is meant; none where it is no such edge.
fn pairs(tree: &Tree, file: &SourceFile, is_node: &dyn Fn(&str) -> bool) -> Vec<[Word; 2]> {
    let word = |tree: &Tree| Word { text: tree.text(file).into(), span: tree.span };
    let words = |ends: &[Tree]| ends.iter().take(MAX_CHAIN + 1).map(word).collect::<Vec<Word>>();
    let is_known = |end: &Word| is_node(parted(&end.text).0);
    let pairs = match &tree.kind {
        Kind::String(text) => chain(&ends_of_arrow(text, tree.span, file)),
        Kind::Seq(ends) => match &words(ends)[..] {
            [from, output, to, input]
                if [from, to].into_iter().all(is_known) && ![output, input].into_iter().any(is_known) =>
            {
                vec![[with_port(from, output), with_port(to, input)]]
            }
            ends => chain(ends),
        },
        Kind::Map(entries) => match ends_of_mapping(entries, file, is_node) {
            None => Vec::new(),
            Some((from, to)) => {
                let chain = chain(&ends_of_arrow(from.text(file), from.span, file));
                let to = match &to.kind {
                    Kind::Seq(ends) => words(ends),
                    Kind::Map(keys) => {
                        keys.iter().filter(|(key, _)| key.text(file) == "to").map(|(_, to)| word(to)).collect()
                    }
                    _ => vec![word(to)],
                };
                if chain.is_empty() { to.into_iter().map(|to| [word(from), to]).collect() } else { chain }
            }
        },
        _ => Vec::new(),
    };
    let is_end = |end: &Word| {
        let is_part = |part: char| part.is_ascii_alphanumeric() || "_-./".contains(part);
        !end.text.is_empty() && end.text.len() <= MAX_SHOWN_END && end.text.chars().all(is_part)
    };
    let are_ends = pairs.len() < MAX_CHAIN && pairs.iter().flatten().all(is_end);
    if are_ends { pairs } else { Vec::new() }
}

/// The end that a node and a port are together.
fn with_port(node: &Word, port: &Word) -> Word {
    Word { text: format_smolstr!("{}.{}", node.text, port.text), span: node.span.to(port.span) }
}

/// Edges from each of `ends` to the next.
fn chain(ends: &[Word]) -> Vec<[Word; 2]> {
    ends.windows(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect()
}

/// The ends in `a -> b`, each at its place where the file has the text as it is.
fn ends_of_arrow(text: &str, span: Span, file: &SourceFile) -> Vec<Word> {
    let is_literal = file.slice(span) == text;
    let word = |end: &str| {
        let end = end.trim();
        let start = span.start() + (end.as_ptr() as usize - text.as_ptr() as usize);
        Word { text: end.into(), span: if is_literal { span.part(start, start + end.len()) } else { span } }
    };
    let arrow = ARROWS.iter().find(|arrow| text.contains(**arrow));
    arrow.map_or_else(Vec::new, |arrow| text.split(arrow).map(word).collect())
}

/// The one entry of a mapping that is no setting of an edge, where it has neither `from` nor `to`: a node, and where its
/// messages go. Where it has only a `from`, that may name both ends.
fn ends_of_mapping<'t>(
    entries: &'t [(Tree, Tree)],
    file: &SourceFile,
    is_node: &dyn Fn(&str) -> bool,
) -> Option<(&'t Tree, &'t Tree)> {
    let end = |name: &str| entries.iter().find(|(key, _)| key.text(file) == name).map(|(_, end)| end);
    if end("to").is_some() {
        return None;
    }
    if let Some(from) = end("from") {
        let names_both = ARROWS.iter().any(|arrow| from.text(file).contains(arrow));
        return names_both.then_some((from, from));
    }
    let is_key = |key: &str| EDGE_KEYS.contains(&key) || RESERVED_EDGE_KEYS.contains(&key);
    let mut others = entries.iter().filter(|(key, _)| !is_key(key.text(file)));
    let (from, to) = others.next().filter(|_| others.next().is_none())?;
    let name = from.text(file);
    let is_near = || keys::guesses(&[name], EDGE_KEYS, |_| false, || None).iter().any(|guess| guess.meant.is_some());
    (is_node(parted(name).0) || !is_near()).then_some((from, to))
}
