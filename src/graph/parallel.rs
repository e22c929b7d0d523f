//! Large files, parsed in parts on all processors.
//!
//! A file is cut where a key of the outermost mapping begins, or an item of a list right below such a key. Where a part alone
//! does not tell what it is (it has a fault or an alias, or a text or bracket was open where it was cut), the whole file is
//! parsed in one go: the tree and the findings are those of the whole in any case.

use super::finding::Findings;
use super::parse;
use super::source::{MAX_FILE_BYTES, SourceFile};
use super::yaml::{Kind, Tree};
use std::ops::Range;
use std::thread;

/// As [`parse::parse`], and in less time where `file` is larger than most are allowed to be.
pub(super) fn parse(file: &SourceFile, findings: &mut Findings) -> Option<Tree> {
    let is_large = file.text().len() as u64 > MAX_FILE_BYTES;
    let parts = if is_large { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let in_parts = if parts > 1 { in_parts(file, parts) } else { None };
    in_parts.or_else(|| parse::parse(file, findings))
}

/// The tree of a file without fault that can be cut into `count` parts or more.
fn in_parts(file: &SourceFile, count: usize) -> Option<Tree> {
    let parts = cut(file, count)?;
    let trees: Vec<_> = thread::scope(|scope| {
        let start = |part| thread::Builder::new().spawn_scoped(scope, || parse::parse_part(file, part)).ok();
        let parsers: Vec<_> = parts.into_iter().map(start).collect();
        parsers.into_iter().map(|parser| parser?.join().ok().flatten()).collect()
    });
    trees.into_iter().reduce(|whole, part| joined(whole?, part?, file)).flatten()
}

/// About `count` parts of equal length; a part that begins with an item ends with its list.
fn cut(file: &SourceFile, count: usize) -> Option<Vec<Range<usize>>> {
    let bytes = file.text().as_bytes();
    let length = bytes.len() / count + 1;
    let mut starts = vec![0];
    let mut is_within_list = false;
    // How far the items of the list below the last key are indented.
    let mut items = None;
    let mut is_below_key = false;
    for &at in file.line_starts() {
        let line = &bytes[at..];
        if line.starts_with(b"%") || line.starts_with(b"...") || (at > 0 && line.starts_with(b"---")) {
            return None;
        }
        let indent = indent(line);
        let is_key = line.first().is_some_and(u8::is_ascii_alphanumeric);
        let is_item = line[indent..].starts_with(b"- ");
        let is_far_enough = at - starts[starts.len() - 1] >= length;
        if (is_key && (is_within_list || is_far_enough)) || (is_item && items == Some(indent) && is_far_enough) {
            starts.push(at);
            is_within_list = is_item;
        }
        let says_something = !matches!(line.get(indent), None | Some(b'#' | b'\r' | b'\n'));
        if is_below_key && says_something {
            items = is_item.then_some(indent);
        }
        is_below_key = is_key || (is_below_key && !says_something);
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    (starts.len() > 1).then(|| starts.iter().zip(ends).map(|(&start, end)| start..end).collect())
}

/// A mapping, and the part behind it: more of its entries, or more items of the list at its end.
fn joined(whole: Tree, part: Tree, file: &SourceFile) -> Option<Tree> {
    let is_block = |tree: &Tree| {
        let bracket = if matches!(tree.kind, Kind::Map(_)) { '{' } else { '[' };
        !file.slice(tree.span).starts_with(bracket)
    };
    let indent = |tree: &Tree| indent(&file.text().as_bytes()[file.line_start(tree.span)..]);
    if !is_block(&whole) || indent(&whole) != 0 || !is_block(&part) {
        return None;
    }
    let Kind::Map(entries) = whole.kind else { return None };
    let mut entries = entries.into_vec();
    let (start, end) = (whole.span, part.span);
    if let Kind::Map(more) = part.kind {
        entries.extend(more);
    } else {
        let (_, list) = entries.last_mut()?;
        let goes_on = is_block(list) && indent(list) == indent(&part);
        let (Kind::Seq(items), Kind::Seq(more), true) = (&mut list.kind, part.kind, goes_on) else { return None };
        *items = std::mem::take(items).into_iter().chain(more).collect();
        list.span = list.span.to(end);
    }
    Some(Tree::new(start.to(end), Kind::Map(entries.into())))
}

/// By how many spaces a line is indented.
fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == b' ').count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Path, PathBuf};

    fn file(text: &str) -> SourceFile {
        SourceFile::from_text("x.yaml", Path::new("/"), text)
    }

    /// The tree of the whole file, where it has no fault.
    fn whole(file: &SourceFile) -> Option<Tree> {
        let mut findings = Findings::default();
        parse::parse(file, &mut findings).filter(|_| findings.len() == 0)
    }

    /// Cuts `text` into up to eight parts. Returns how many times its tree was made of parts.
    fn assert_same(text: &str) -> usize {
        let file = file(text);
        let trees = (2..=8).filter_map(|count| Some((count, in_parts(&file, count)?)));
        trees.map(|(count, tree)| assert_eq!(Some(tree), whole(&file), "{count} parts of\n{text}")).count()
    }

    #[test]
    fn what_can_be_cut_is_parsed_in_parts() {
        let items =
            |indent: &str| format!("{indent}- {{ from: é, to: \"b\" }}\n{indent}- x: 'y'\n{indent}  z: 1\n").repeat(9);
        let graphs = [
            format!("a: 1\n# ü\nedges:\n{}", items("  ")),
            format!("a: {{ b: [1, 2] }}\nedges: # why\n\n  # those\n{}\n# end\nlast: {{ n: 3 }}\n", items("    ")),
            format!("edges:\n{}other:\n{}third: {{}}\n", items(""), items(" ")),
            "a: 1\nb: [x, y]\nc: { d: 5 }\n".repeat(9),
            format!("---\r\nedges:\r\n{}", items("  ").replace('\n', "\r\n")),
        ];
        for graph in graphs {
            assert_eq!(assert_same(&graph), 7, "{graph}");
        }
    }

    #[test]
    fn what_a_part_does_not_tell_by_itself_is_left_to_the_whole() {
        let filler = "  - { from: a, to: b }\n".repeat(9);
        let texts = [
            format!("a: &x 1\nedges:\n{filler}  - *x\n"),
            format!("edges:\n{filler}...\nb: 1\n"),
            format!("edges:\n{filler}---\nb: 1\n"),
            format!("%YAML 1.2\n---\nedges:\n{filler}"),
            format!("a: \"\nedges:\n{filler}\"\n"),
            format!("a: [\nedges:\n{filler}]\n"),
            format!("name:\n{filler}   - c\n").replace("name:", "name: b"),
            format!("{{ a: 1 }}\nb:\n{filler}"),
            format!("a: !mine 1\nb:\n{filler}"),
            format!("a:\n  - b:\n    - 1\n{}", "    - 2\n".repeat(20)),
            format!("a:\n{filler}  b: 1\n"),
            format!("a: |\n{filler}  text\n"),
            "pppppppp: |\nedges:\n".to_owned(),
            "b,".repeat(9),
            "- a\n".repeat(9),
        ];
        for text in texts {
            assert_eq!(assert_same(&text), 0, "{text}");
        }
    }

    #[test]
    fn aliases_are_counted_in_the_whole() {
        let list = |key: &str| format!("{key}:\n  - &{key} 1\n{}", format!("  - *{key}\n").repeat(6000));
        let file = file(&format!("# shorter\n{}{}", list("a"), list("b")));
        assert_eq!(cut(&file, 2).unwrap().len(), 2);
        assert_eq!((in_parts(&file, 2), whole(&file)), (None, None), "more than ten thousand");
    }

    /// Real graphs, whole and broken.
    pub(in super::super) fn graphs() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dirs = ["graphs", "tests/graphs/ok", "tests/graphs/err"].map(|dir| root.join(dir));
        let files = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap()).map(|entry| entry.unwrap().path());
        let graphs: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|name| name == "yaml")).collect();
        assert!(graphs.len() > 100);
        graphs.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }

    #[test]
    fn every_graph_is_the_same_in_parts() {
        let in_parts: usize = graphs().iter().map(|graph| assert_same(graph)).sum();
        assert!(in_parts > 100, "{in_parts}");
    }

    proptest! {
        /// Lines that begin, end and go on in all ways.
        #[test]
        fn any_lines_are_the_same_in_parts(lines in proptest::collection::vec(prop_oneof![
            Just("edges:"), Just("a: 1"), Just("b: &x"), Just("- c"), Just("- *x"), Just("  - d"), Just("  - e: f"),
            Just("    g: h"), Just("    - i"), Just("  - [j,"), Just("  - k]"), Just("l: \""), Just("  - m\""), Just(""),
            Just("# n"), Just("  # o"), Just("p: |"), Just("   q"), Just("  r: s"), Just("? t"), Just(": u"), Just("  -"),
            Just("{ v: w }"), Just("  - { x: y }"), Just("---"), Just("z"), Just("'a': b"), Just("c: {"), Just("}"),
        ], 1..24)) {
            assert_same(&lines.join("\n"));
        }
    }
}
