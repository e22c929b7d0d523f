//! YAML text to a tree in which every key and every value knows its place. With `comments`, the only place
//! that knows the parser.
//!
//! Scalars follow YAML 1.2 (`yes` is a string); a number with needless leading zeros is a string too.
//! Duplicate keys are kept, so that they become findings like any other; merge keys are not special. Size, depth and
//! aliases are bounded.

use super::finding::{Draft, Findings};
use super::rules;
use super::source::{FileId, SourceFile, Span};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 64;
/// Most values of a document, aliases written out; a file that is larger than most may have one for each two bytes.
const MAX_NODES: usize = 400_000;
/// Most aliases of a document.
const MAX_ALIASES: usize = 10_000;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Where it is written.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// The text that stood in for a variable which is the whole scalar: a string where a string is wanted.
    pub substituted: Option<Box<str>>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    String(String),
    Seq(Vec<Tree>),
    /// In the order of the file, duplicates included.
    Map(Vec<(Tree, Tree)>),
    /// Not known here, because a variable is not: fits everywhere.
    Unknown,
}

impl Tree {
    /// A value at a place.
    #[must_use]
    pub fn new(span: Span, kind: Kind) -> Self {
        Tree { span, kind, substituted: None }
    }

    /// The value in words, for messages: `the integer 5`, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(v) => format!("`{v}`"),
            Kind::Int(v) => format!("the integer {v}"),
            Kind::Float(v) => format!("the number {v}"),
            Kind::String(v) => format!("the text `{}`", shorten(v)),
            Kind::Seq(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Unknown => "a value that is not known yet".to_owned(),
        }
    }

    /// A key or scalar as it stands in the file, quotes taken off.
    #[must_use]
    pub fn text<'t>(&'t self, file: &'t SourceFile) -> &'t str {
        match &self.kind {
            Kind::String(text) => text,
            _ => file.slice(self.span),
        }
    }
}

/// Reads the one document of `file`. A syntax error is a finding, and then there is no tree.
pub(super) fn parse(file: &SourceFile, findings: &mut Findings) -> Option<Tree> {
    match serde_saphyr::from_str_with_options::<Tree>(file.text(), options(file.text())) {
        Ok(mut tree) => {
            stretch(&mut tree, file.text());
            place_in(&mut tree, file.id());
            Some(tree)
        }
        Err(error) => {
            findings.add(syntax_error(&error, file));
            None
        }
    }
}

/// Resolves `text` as the parser resolves an unquoted scalar.
#[must_use]
pub fn plain_scalar(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        _ => {}
    }
    let (sign, digits) = match text.as_bytes()[0] {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Kind::Float(f64::INFINITY * f64::from(sign));
    }
    let all = |digits: &str, base: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    let prefixed =
        [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(p, base)| Some((digits.strip_prefix(p)?, base)));
    if all(digits, 10) && digits.len() > 1 && digits.starts_with('0') {
        return Kind::String(text.to_owned());
    }
    let (digits_only, base) = prefixed.unwrap_or((digits, 10));
    let int = i128::from_str_radix(digits_only, base).ok().filter(|_| all(digits_only, base));
    let int = int.map(|value| value * i128::from(sign));
    if let Some(int) = int.filter(|v| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(v)) {
        return Kind::Int(int);
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    match text.parse::<f64>() {
        Ok(float) if is_float => Kind::Float(float),
        _ => Kind::String(text.to_owned()),
    }
}

fn options(text: &str) -> serde_saphyr::Options {
    let max_nodes = MAX_NODES.max(text.len() / 2);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: max_nodes,
            max_events: 3 * max_nodes,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn syntax_error(error: &serde_saphyr::Error, file: &SourceFile) -> Draft {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let span = error.location().map(|location| place_of(location, file)).unwrap_or_default().in_file(file.id());
    let (message, help) = match error {
        Error::MultipleDocuments { .. } => {
            ("a second document begins here".to_owned(), "give each graph a file of its own; take the `---` out")
        }
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            (
                format!("lists and mappings are nested deeper than {MAX_DEPTH}, or aliases stand for too much"),
                "write it flatter, with fewer aliases",
            )
        }
        // The parser's own limit on brackets within brackets has no error of its own.
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => {
            (format!("lists and mappings are nested deeper than {MAX_DEPTH}"), "write it flatter")
        }
        _ => {
            // The parser ends its own text with the place, which a finding has already.
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text).trim();
            (format!("not YAML: {message}"), syntax_help(file, span))
        }
    };
    Draft::new(rules::SYNTAX, span, message).help(help)
}

fn syntax_help(file: &SourceFile, span: Span) -> &'static str {
    let line = file.text().lines().nth(file.place(span).line - 1).unwrap_or("");
    let unquoted_variable = line.contains("${") && line.replace("${", "").contains(['{', '[']);
    if unquoted_variable {
        "inside `{ }` and `[ ]` a variable needs quotes: \"${name}\""
    } else if line.trim_start_matches(' ').starts_with('\t') {
        "YAML is indented with spaces, never with tabs"
    } else {
        "check the indentation, and that every bracket and quote is closed"
    }
}

/// Where a location is, also if it has no byte offset: then to the end of the word that begins there.
fn place_of(location: Location, file: &SourceFile) -> Span {
    if let Some(span) = span_of(location) {
        return span;
    }
    let line = usize::try_from(location.line()).unwrap_or(1);
    let column = usize::try_from(location.column()).unwrap_or(1);
    let start = file.offset(line, column);
    let rest = file.text().get(start..).unwrap_or("");
    let word = rest.find(|c: char| c.is_whitespace() || ",{}[]".contains(c)).unwrap_or(rest.len());
    Span::new(start, start + word.max(rest.chars().next().map_or(0, char::len_utf8).min(1)))
}

fn span_of(location: Location) -> Option<Span> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    Some(Span::new(start, start + usize::try_from(span.byte_len()?).ok()?))
}

/// Completes what the parser says: it tells where a list or mapping begins; it ends where its last value does, or at the bracket behind that.
fn stretch(tree: &mut Tree, text: &str) {
    let last = match &mut tree.kind {
        Kind::Seq(items) => {
            items.iter_mut().for_each(|item| stretch(item, text));
            items.last().map(|item| item.span)
        }
        Kind::Map(entries) => {
            for (key, value) in entries.iter_mut() {
                stretch(key, text);
                stretch(value, text);
            }
            entries.last().map(|(key, value)| key.span.to(value.span))
        }
        Kind::Int(_) => {
            // The parser is more generous than YAML 1.2: there `0X1F` is a string.
            let written = text.get(tree.span.start..tree.span.end).unwrap_or("");
            if written.contains(['X', 'O', 'B']) {
                tree.kind = Kind::String(written.to_owned());
            }
            return;
        }
        _ => return,
    };
    let start = tree.span.start;
    let end = last.map_or(start, |last| last.end).max(start);
    let closing = match text.as_bytes().get(start) {
        Some(b'{') => '}',
        Some(b'[') => ']',
        _ => {
            tree.span.end = end;
            return;
        }
    };
    let from = end.max(start + 1);
    let rest = text.get(from..).unwrap_or("");
    let close = rest.find(|c: char| !c.is_whitespace() && c != ',').filter(|&at| rest[at..].starts_with(closing));
    tree.span.end = close.map_or(from, |at| from + at + 1);
}

/// Everything in `tree` lies in `file`.
pub(super) fn place_in(tree: &mut Tree, file: FileId) {
    tree.span.file = file;
    match &mut tree.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|item| place_in(item, file)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            place_in(key, file);
            place_in(value, file);
        }),
        _ => {}
    }
}

fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_CHARS).chain(['…']).collect()
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Tree::new(span_of(spanned.defined).unwrap_or_default(), spanned.value))
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Int(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Map(entries))
    }
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
        parse(file, &mut findings).ok_or_else(|| format!("{:?}", findings.into_sorted(&Sources::new(file.clone()))))
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
    fn a_second_document_is_refused() {
        assert!(read(&file("a: 1\n---\nb: 2\n")).is_err());
    }
}
