//! What a graph file says, as a tree in which every key and every value knows its place.
//!
//! Scalars follow YAML 1.2 (`yes` is a string); a number with needless leading zeros is a string too.

use super::source::{FileId, SourceFile, Span};
use smol_str::SmolStr;
use std::borrow::Cow;

/// Most characters that are shown of a value.
const MAX_SHOWN: usize = 40;

/// Up to here every whole number is a float of its own.
const MAX_EXACT: f64 = (1_u64 << 53) as f64;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Where it is written.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// The text that stood in for a variable which is the whole scalar: a string where a string is wanted.
    pub substituted: Option<Box<SmolStr>>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Null,
    Bool(bool),
    Int(Int),
    Float(f64),
    String(SmolStr),
    Seq(Box<[Tree]>),
    /// In the order of the file, duplicates included.
    Map(Box<[(Tree, Tree)]>),
    /// Not known here, because a variable is not: fits everywhere.
    Unknown,
}

/// An integer of a file, at least an `i64` and at most a `u64`.
///
/// Packed, since the alignment of an `i128` would make every [`Tree`] a third larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(8))]
pub struct Int(i128);

impl Int {
    /// Its value.
    #[must_use]
    pub fn get(self) -> i128 {
        self.0
    }
}

impl Tree {
    /// A value at a place.
    #[must_use]
    pub fn new(span: Span, kind: Kind) -> Self {
        Tree { span, kind, substituted: None }
    }

    /// Whether it is a mapping with this key.
    pub fn has_key(&self, key: &str, file: &SourceFile) -> bool {
        matches!(&self.kind, Kind::Map(entries) if entries.iter().any(|(name, _)| name.text(file) == key))
    }

    /// The value in words, for messages: `the integer 5`, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(v) => format!("`{v}`"),
            Kind::Int(v) => format!("the integer {}", v.get()),
            Kind::Float(v) => format!("the number {v}"),
            Kind::String(v) => format!("the text `{}`", shorten(v, MAX_SHOWN)),
            Kind::Seq(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Unknown => "a value that is not known yet".to_owned(),
        }
    }

    /// As [`describe`](Self::describe), numbers as they are written.
    #[must_use]
    pub fn describe_in(&self, file: &SourceFile) -> String {
        match &self.kind {
            Kind::Float(_) => format!("the number {}", shorten(self.written(file), MAX_SHOWN)),
            _ => self.describe(),
        }
    }

    /// The digits of an integer that 64 bits do not hold, as they are written.
    #[must_use]
    pub fn long_integer(&self, file: &SourceFile) -> Option<String> {
        let written = self.written(file);
        let digits = written.trim_start_matches(['-', '+']);
        let is_beyond = matches!(self.kind, Kind::Float(value) if value.abs() >= i64::MAX as f64);
        let is_long = is_beyond && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_long.then(|| shorten(written, MAX_SHOWN).into_owned())
    }

    /// The integer that a number is although it is written with a point or an exponent, such as `1e3`.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
    pub fn whole_number(&self) -> Option<i64> {
        match self.kind {
            Kind::Float(value) if value.fract() == 0.0 && value.abs() < MAX_EXACT => Some(value as i64),
            _ => None,
        }
    }

    /// A scalar as it is written, or as the variable has it that stands there.
    fn written<'t>(&'t self, file: &'t SourceFile) -> &'t str {
        self.substituted.as_deref().map_or_else(|| self.text(file), SmolStr::as_str)
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

/// Resolves `text` as the parser resolves an unquoted scalar.
#[must_use]
pub fn plain_scalar(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
        word if word.starts_with(|first: char| first.is_ascii_alphabetic()) => return Kind::String(word.into()),
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
        return Kind::String(text.into());
    }
    let (digits_only, base) = prefixed.unwrap_or((digits, 10));
    let int = all(digits_only, base).then(|| i128::from_str_radix(digits_only, base).ok()).flatten();
    let int = int.map(|value| value * i128::from(sign));
    if let Some(int) = int.filter(|v| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(v)) {
        return Kind::Int(Int(int));
    }
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    match is_float.then(|| text.parse::<f64>()) {
        Some(Ok(float)) => Kind::Float(float),
        _ => Kind::String(text.into()),
    }
}

/// A text as it is written in a file: in quotes where it would else be something else.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    if matches!(plain_scalar(text), Kind::String(_)) { text.into() } else { format!("{text:?}").into() }
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

/// No more than its first characters.
pub(crate) fn shorten(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
