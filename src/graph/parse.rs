//! YAML text to a [`Tree`]. With `syntax` and `comments`, the only place that knows the parser.
//!
//! The tree is made straight from the parser's events, or by `plain`. Duplicate keys are kept, so that they become findings
//! like any other; merge keys are not special. Size, depth and aliases are bounded.

use super::finding::{Draft, Findings};
use super::source::{SourceFile, Span};
use super::variables::BYTES_PER_VALUE;
use super::yaml::{Kind, Tree, plain_scalar};
use super::{plain, rules, syntax};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 64;
/// Most values of a document, aliases written out; a file that is larger than most may have one for each
/// [`BYTES_OF_VALUE`].
const MAX_VALUES: usize = 400_000;
const BYTES_OF_VALUE: usize = 2;
/// Most values that are kept for aliases, and written for them.
const MAX_COPIED: usize = 400_000;
/// Most aliases of a document.
const MAX_ALIASES: usize = 10_000;
/// Longest key, in bytes: findings about what is below it have it in their words.
const MAX_KEY_BYTES: usize = 4096;

/// Reads the one document of `file`. A syntax error is a finding, and then there is no tree; of a value whose tag or alias
/// means nothing, only that it is not known.
pub(super) fn parse(file: &SourceFile, findings: &mut Findings) -> Option<Tree> {
    let mut builder = Builder::new(file, findings);
    if let Err(stop) = builder.read(file.text()) {
        findings.add(stop.told(file));
        return None;
    }
    Some(builder.values.pop().unwrap_or_else(|| Tree::new(file.beginning(), Kind::Null)))
}

/// Reads a part of `file` that is a document by itself, and lies in the outermost mapping. There is no tree where the part
/// has a fault or an alias, ends in a text behind `|` or `>`, or has more values for its length than a file may have.
pub(super) fn parse_part(file: &SourceFile, part: Range<usize>) -> Option<Tree> {
    let mut findings = Findings::default();
    let mut builder = Builder::new(file, &mut findings);
    builder.begins_at = part.start;
    builder.max_values = part.len() / BYTES_OF_VALUE;
    builder.max_depth = MAX_DEPTH - 1;
    builder.read(&file.text()[part]).ok()?;
    let tree = builder.values.pop().filter(|_| builder.aliases == 0 && !builder.ends_in_block)?;
    (findings.len() == 0).then_some(tree)
}

/// Makes a tree of events, without recursion.
pub(super) struct Builder<'f> {
    file: &'f SourceFile,
    findings: &'f mut Findings,
    /// Where in the file the text begins that is read.
    begins_at: usize,
    /// Whether the last scalar is a text behind `|` or `>`: where that ends, what follows it tells.
    ends_in_block: bool,
    /// Values that belong to nothing yet: of a mapping, keys and values in turn.
    values: Vec<Tree>,
    /// Lists and mappings that are not at their end yet, the outermost first.
    open: Vec<Open>,
    /// Values with an anchor, by the parser's number for it, and how many values each has.
    anchored: HashMap<usize, (Tree, usize)>,
    /// Values so far, aliases written out.
    count: usize,
    max_values: usize,
    max_depth: usize,
    /// Values that were kept for aliases, and written for them.
    copied: usize,
    aliases: usize,
    documents: usize,
}

/// A list or mapping that is not at its end yet.
struct Open {
    /// Where it begins.
    start: usize,
    is_map: bool,
    anchor: usize,
    /// How many values belonged to nothing when it began, and how many there were in all.
    below: usize,
    before: usize,
}

pub(super) type Step = Result<(), Box<Draft>>;

/// Why a text is not read any further.
enum Stop {
    Syntax(ScanError),
    /// It is beyond what is read.
    Beyond(Box<Draft>),
}

impl Stop {
    fn told(self, file: &SourceFile) -> Draft {
        match self {
            Stop::Syntax(error) if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) => {
                *too_deep(syntax::word_at(file, error.marker().byte_offset().unwrap_or(0)))
            }
            Stop::Syntax(error) => syntax::fault(&error, file),
            Stop::Beyond(draft) => *draft,
        }
    }
}

impl<'f> Builder<'f> {
    pub(super) fn new(file: &'f SourceFile, findings: &'f mut Findings) -> Self {
        Builder {
            file,
            findings,
            begins_at: 0,
            ends_in_block: false,
            values: Vec::new(),
            open: Vec::new(),
            anchored: HashMap::new(),
            count: 0,
            max_values: MAX_VALUES.max(file.text().len() / BYTES_OF_VALUE),
            max_depth: MAX_DEPTH,
            copied: 0,
            aliases: 0,
            documents: 0,
        }
    }

    fn read(&mut self, text: &str) -> Result<(), Stop> {
        if plain::read(text, self).is_some() {
            debug_assert_eq!(self.values.last(), self.parsed(text).as_ref(), "as the parser reads it");
            return Ok(());
        }
        (self.values, self.open, self.count) = Default::default();
        self.parse(text)
    }

    fn parse(&mut self, text: &str) -> Result<(), Stop> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(Stop::Syntax)?;
            self.add(event, &span).map_err(Stop::Beyond)?;
        }
        Ok(())
    }

    /// What the parser makes of `text`; nothing where that has a fault.
    fn parsed(&self, text: &str) -> Option<Tree> {
        let mut findings = Findings::default();
        let mut builder = Builder::new(self.file, &mut findings);
        builder.begins_at = self.begins_at;
        builder.parse(text).ok()?;
        builder.values.pop().filter(|_| findings.len() == 0)
    }

    fn place(&self, span: &granit_parser::Span) -> Span {
        self.span(span.byte_range().unwrap_or_default())
    }

    /// A part of the text that is read.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.begins_at + range.start, self.begins_at + range.end).in_file(self.file.id())
    }

    fn add(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Step {
        let span = self.place(at);
        let tag_span = at.tag_span().map_or(span, |tag| self.place(&tag));
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.ends_in_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let weight = 1 + text.len() / BYTES_PER_VALUE;
                if text.is_empty() && style == ScalarStyle::Plain && tag.as_deref().is_some_and(is_untagged) {
                    self.findings.add(syntax::needs_quotes(self.file, tag_span, '!'));
                }
                let kind = scalar(text, style, tag.as_deref());
                let kind = kind.unwrap_or_else(|message| {
                    self.bad_tag(tag_span, message);
                    Kind::Unknown
                });
                self.value(Tree::new(span, kind), anchor, weight)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", tag_span);
                self.begin(span, false, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", tag_span);
                self.begin(span, true, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(_) => {
                self.findings.add(syntax::unknown_anchor(self.file, span, self.findings));
                self.value(Tree::new(span, Kind::Unknown), 0, 1)
            }
            _ => Ok(()),
        }
    }

    /// A list or mapping may say that it is one, as `own`.
    fn check_tag(&mut self, tag: Option<&Tag>, own: &str, span: Span) {
        if let Some(tag) = tag.filter(|tag| !is_untagged(tag) && tag.core_suffix() != Some(own)) {
            self.bad_tag(span, unknown_tag(tag));
        }
    }

    fn bad_tag(&mut self, span: Span, message: String) {
        let help = "take the tag out; what a value is, its setting says";
        self.findings.add(Draft::new(rules::SYNTAX, span, message).help(help));
    }

    fn document(&mut self, span: Span) -> Step {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let help = "give each graph a file of its own; take the `---` out";
        Err(Box::new(Draft::new(rules::SYNTAX, span, "a second document begins here").help(help)))
    }

    /// A value is complete; an alias for it stands for `count` values.
    pub(super) fn value(&mut self, tree: Tree, anchor: usize, count: usize) -> Step {
        if anchor != 0 {
            self.copied(count, tree.span)?;
            self.anchored.insert(anchor, (tree.clone(), count));
        }
        self.counted(1, tree.span)?;
        self.values.push(tree);
        Ok(())
    }

    fn counted(&mut self, more: usize, span: Span) -> Step {
        self.count += more;
        if self.count > self.max_values { Err(too_much(span)) } else { Ok(()) }
    }

    /// Aliases must not make much of a small file.
    fn copied(&mut self, more: usize, span: Span) -> Step {
        self.copied += more;
        if self.copied > MAX_COPIED { Err(too_much(span)) } else { Ok(()) }
    }

    /// A list or mapping begins.
    pub(super) fn begin(&mut self, span: Span, is_map: bool, anchor: usize) -> Step {
        if self.open.len() == self.max_depth {
            return Err(too_deep(span));
        }
        self.open.push(Open { start: span.start(), is_map, anchor, below: self.values.len(), before: self.count });
        Ok(())
    }

    /// A list or mapping ends where its last value does, or behind its bracket.
    pub(super) fn end(&mut self, closing: Span) -> Step {
        let Some(Open { start, is_map, anchor, below, before }) = self.open.pop() else { return Ok(()) };
        let last = self.values[below..].last().map_or(start, |last| last.span.end());
        let is_bracket = matches!(self.file.slice(closing), "]" | "}");
        let end = if is_bracket { closing.end() } else { last.max(start) };
        let mut inner = self.values.drain(below..);
        let kind = if is_map {
            let mut entries = Vec::with_capacity(inner.len() / 2);
            while let (Some(key), Some(value)) = (inner.next(), inner.next()) {
                if key.span.end() - key.span.start() > MAX_KEY_BYTES {
                    return Err(long_key(key.span));
                }
                entries.push((key, value));
            }
            Kind::Map(entries.into())
        } else {
            Kind::Seq(inner.by_ref().collect())
        };
        drop(inner);
        self.value(Tree::new(Span::new(start, end).in_file(self.file.id()), kind), anchor, self.count - before + 1)
    }

    /// What an alias stands for is written out; it keeps its place.
    fn alias(&mut self, anchor: usize, span: Span) -> Step {
        self.aliases += 1;
        let Some(&(_, count)) = self.anchored.get(&anchor) else {
            let message = "not YAML: an alias stands for a value of which it is a part";
            self.findings.add(Draft::new(rules::SYNTAX, span, message).help("write the inner value out"));
            return self.value(Tree::new(span, Kind::Unknown), 0, 1);
        };
        if self.aliases > MAX_ALIASES {
            return Err(too_much(span));
        }
        self.copied(count, span)?;
        self.counted(count, span)?;
        let tree = self.anchored[&anchor].0.clone();
        if self.open.len() + depth(&tree) > self.max_depth {
            return Err(too_deep(span));
        }
        self.values.push(tree);
        Ok(())
    }
}

/// How many lists and mappings are within each other in `tree`.
fn depth(tree: &Tree) -> usize {
    match &tree.kind {
        Kind::Seq(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => 1 + entries.iter().map(|(key, value)| depth(key).max(depth(value))).max().unwrap_or(0),
        _ => 0,
    }
}

/// What a scalar is: what its tag says, else a text where it is quoted, else what it looks like.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Kind, String> {
    let Some(tag) = tag else {
        let is_plain = style == ScalarStyle::Plain;
        return Ok(if is_plain { plain_scalar(&text) } else { Kind::String(text.into()) });
    };
    let resolved = || match (tag.core_suffix(), plain_scalar(&text)) {
        (Some("null"), kind @ Kind::Null)
        | (Some("bool"), kind @ Kind::Bool(_))
        | (Some("int"), kind @ Kind::Int(_))
        | (Some("float"), kind @ Kind::Float(_)) => Some(kind),
        #[allow(clippy::cast_precision_loss, reason = "that is what the tag asks for")]
        (Some("float"), Kind::Int(int)) => Some(Kind::Float(int.get() as f64)),
        _ => None,
    };
    match tag.core_suffix() {
        Some("str") => Ok(Kind::String(text.into())),
        None if is_untagged(tag) => Ok(Kind::String(text.into())),
        Some("null" | "bool" | "int" | "float") => {
            resolved().ok_or_else(|| format!("`{text}` is not what its tag `{}` says", tag.original()))
        }
        _ => Err(unknown_tag(tag)),
    }
}

/// Whether a tag is the `!` alone, which says no more than that a scalar is a text.
fn is_untagged(tag: &Tag) -> bool {
    matches!(tag.parts(), ("", "!") | ("!", ""))
}

fn unknown_tag(tag: &Tag) -> String {
    format!("the tag `{}` means nothing here", tag.original())
}

fn too_much(span: Span) -> Box<Draft> {
    let message = "there are too many values, or aliases stand for too much";
    Box::new(Draft::new(rules::SYNTAX, span, message).help("write fewer, and fewer aliases"))
}

fn long_key(span: Span) -> Box<Draft> {
    Box::new(
        Draft::new(rules::SYNTAX, span, format!("this key is longer than {MAX_KEY_BYTES} bytes")).help("write a word"),
    )
}

fn too_deep(span: Span) -> Box<Draft> {
    let message = format!("lists and mappings are nested deeper than {MAX_DEPTH}");
    Box::new(Draft::new(rules::SYNTAX, span, message).help("write it flatter"))
}

#[cfg(test)]
mod tests {
    use super::super::sources::Sources;
    use super::*;
    use std::path::Path;

    fn file(text: &str) -> SourceFile {
        SourceFile::from_text("x.yaml", Path::new("/"), text)
    }

    fn read(file: &SourceFile) -> Result<Tree, String> {
        let mut findings = Findings::default();
        let tree = parse(file, &mut findings);
        let sound = tree.filter(|_| findings.len() == 0);
        sound.ok_or_else(|| format!("{:?}", findings.into_sorted(&Sources::new(file.clone()))))
    }

    /// The text under each key and value, in the order of the file.
    fn slices<'f>(tree: &Tree, file: &'f SourceFile, into: &mut Vec<&'f str>) {
        into.push(file.slice(tree.span));
        match &tree.kind {
            Kind::Seq(items) => items.iter().for_each(|item| slices(item, file, into)),
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                slices(key, file, into);
                slices(value, file, into);
            }),
            _ => {}
        }
    }

    #[test]
    fn every_key_and_value_has_its_own_place() {
        let file = file("é: [1, \"two\", { k: 'v' } ] # c\nb:\n  - x y # c\n  -\n");
        let mut found = Vec::new();
        slices(&read(&file).unwrap(), &file, &mut found);
        let whole = file.text().trim_end().strip_suffix("\n  -").unwrap().len();
        assert!(found[0].len() >= whole - 4, "{found:?}");
        assert_eq!(
            found[1..9],
            ["é", "[1, \"two\", { k: 'v' } ]", "1", "\"two\"", "{ k: 'v' }", "k", "'v'", "b"],
            "{found:?}"
        );
        assert_eq!(found[10], "x y");
    }

    #[test]
    fn duplicate_keys_and_merge_keys_are_kept() {
        let file = file("a: 1\na: 2\n<<: { b: 3 }\n");
        let Kind::Map(entries) = read(&file).unwrap().kind else { panic!("a mapping") };
        let keys: Vec<&str> = entries.iter().map(|(key, _)| key.text(&file)).collect();
        assert_eq!(keys, ["a", "a", "<<"]);
    }

    #[test]
    fn nesting_and_aliases_are_bounded() {
        let deep = "[".repeat(100_000);
        assert!(read(&file(&deep)).is_err());
        let nested: String = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert!(read(&file(&nested)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
        }
        assert!(read(&file(&bomb)).is_err());
        assert!(read(&file("a: &a [*a]")).is_err());
    }

    #[test]
    fn of_a_value_whose_tag_or_alias_means_nothing_the_rest_is_read() {
        let file = file("a: !mine { b: *gone }\nc: !other d\n");
        let mut findings = Findings::default();
        let Kind::Map(entries) = parse(&file, &mut findings).unwrap().kind else { panic!("a mapping") };
        assert_eq!(findings.len(), 3);
        let Kind::Map(inner) = &entries[0].1.kind else { panic!("a mapping") };
        assert_eq!((&inner[0].1.kind, &entries[1].1.kind), (&Kind::Unknown, &Kind::Unknown));
    }

    #[test]
    fn long_texts_weigh_as_much_as_they_are_long() {
        let aliases = |bytes: usize| format!("a: &a {}\nb: [{}]\n", "x".repeat(bytes), vec!["*a"; 5000].join(", "));
        assert!(read(&file(&aliases(100))).is_ok());
        assert!(read(&file(&aliases(100_000))).is_err());
        let key = |bytes: usize| format!("? {}\n: 1\n", "x".repeat(bytes));
        assert!(read(&file(&key(MAX_KEY_BYTES))).is_ok());
        assert!(read(&file(&key(MAX_KEY_BYTES + 1))).unwrap_err().contains("longer than 4096 bytes"));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert!(read(&file("a: 1\n---\nb: 2\n")).is_err());
    }
}
