//! The edges of a file as written.

use super::Overflow;
use super::fields::{At, Fields, Reader, Word, beyond, plainly};
use super::load::{DEFAULT_MAX_MESSAGE, DEFAULT_QUEUE};
use super::rules;
use super::shorthand;
use super::supervision::duration;
use super::yaml::{Kind, Tree};
use std::cell::LazyCell;
use std::time::Duration;

/// Deepest queue of an edge, in messages.
pub(super) const MAX_QUEUE: u32 = 65_536;
/// Largest `max_message`, in bytes.
pub(super) const MAX_MESSAGE_BYTES: u64 = 1 << 40;
const IN_RANGE: &str = "it is from 1 byte to 1 TiB";

pub(super) const EDGE_KEYS: &[&str] =
    &["from", "to", "zero_copy", "queue", "overflow", "max_message", "prefault", "feedback", "input_timeout"];
pub(super) const RESERVED_EDGE_KEYS: &[&str] = &["align"];
const OVERFLOWS: &[(&str, Overflow)] = &[
    ("block", Overflow::Block),
    ("drop_oldest", Overflow::DropOldest),
    ("drop_newest", Overflow::DropNewest),
    ("fail", Overflow::Fail),
];

#[derive(Clone)]
pub(super) struct WrittenEdge {
    pub from: Option<Word>,
    pub to: Option<Word>,
    /// Apart, so that an edge is moved cheaply.
    pub settings: Box<EdgeSettings>,
}

/// What an edge says besides its ends.
#[derive(Clone, Default)]
pub(super) struct EdgeSettings {
    pub zero_copy: Option<At<bool>>,
    /// Whether what `zero_copy` says hangs on a variable that is not known.
    pub is_open: bool,
    pub queue: Option<At<u32>>,
    pub overflow: Option<At<Overflow>>,
    pub max_message: Option<At<u64>>,
    pub prefault: Option<At<bool>>,
    pub feedback: Option<At<bool>>,
    /// Whether there is a `feedback` of which nobody knows what it says.
    pub feedback_is_open: bool,
    pub input_timeout: Option<At<Duration>>,
    /// Whether it is written as `{ … }`, rather than a key on each line.
    pub in_braces: bool,
    /// Whether something in it could not be read.
    pub faulty: bool,
}

impl EdgeSettings {
    /// Depth of the queue, in messages.
    pub fn depth(&self) -> u32 {
        self.queue.map_or(DEFAULT_QUEUE, |queue| queue.value)
    }

    /// Whether it is feedback, as far as is known.
    pub fn may_be_feedback(&self) -> bool {
        self.feedback_is_open || self.feedback.is_some_and(|flag| flag.value)
    }

    /// Largest payload, in bytes.
    pub fn largest(&self) -> u64 {
        self.max_message.map_or(DEFAULT_MAX_MESSAGE, |bytes| bytes.value)
    }
}

/// The edges of a file, and whether more may be meant by what is in their list: then no node is told to lack one.
#[derive(Default)]
pub(super) struct WrittenEdges {
    pub edges: Vec<WrittenEdge>,
    pub are_unclear: bool,
}

/// Reads them; every fault becomes a finding.
pub(super) fn edges<'t>(fields: &Fields<'t>, reader: &mut Reader<'_, 't>) -> WrittenEdges {
    let Some(value) = fields.get("edges").map(|field| field.value) else { return WrittenEdges::default() };
    let Kind::Seq(items) = &value.kind else {
        if !matches!(value.kind, Kind::Null | Kind::Unknown) {
            let message = format!("`edges` is a list, not {}", value.describe());
            let help = "write a line for each: `- { from: …, to: … }`";
            reader.report(rules::WRONG_TYPE, value.span, message, help);
        }
        return WrittenEdges::default();
    };
    let mut written = WrittenEdges { edges: Vec::with_capacity(items.len()), are_unclear: false };
    let file = reader.file;
    let nodes = LazyCell::new(|| shorthand::names(fields.get("nodes"), file));
    for item in items {
        let before = written.edges.len();
        edge(item, &|name| nodes.contains(name), reader, &mut written.edges);
        written.are_unclear |= written.edges.len() == before;
    }
    written
}

/// Adds the edge that `tree` is, or those that it seems to be.
fn edge<'t>(tree: &'t Tree, is_node: &dyn Fn(&str) -> bool, reader: &mut Reader<'_, 't>, edges: &mut Vec<WrittenEdge>) {
    let before = reader.findings.len();
    if shorthand::edges(tree, is_node, reader, edges) {
        return;
    }
    let Some(fields) = reader.record(tree, "an edge", EDGE_KEYS, RESERVED_EDGE_KEYS) else { return };
    let mut end = |key: &str, in_words: &str, port: &str| match fields.get(key) {
        Some(field) if matches!(field.value.kind, Kind::Seq(_)) => {
            let message = format!("{in_words} is one end, not a list");
            reader.report(
                rules::WRONG_TYPE,
                field.value.span,
                message,
                "write an edge for each: `- { from: …, to: … }`",
            );
            None
        }
        Some(field) => reader.text(field.value, in_words),
        None => {
            let first = tree.span.part(tree.span.start(), tree.span.start() + 1);
            let message = format!("the edge does not say `{key}`");
            reader.report(rules::MISSING_KEY, first, message, format!("add `{key}: node` or `{key}: node.{port}`"));
            None
        }
    };
    let (from, to) = (end("from", "`from`", "out"), end("to", "`to`", "in"));
    let value = |key: &str| fields.get(key).map(|field| field.value);
    let settings = EdgeSettings {
        zero_copy: value("zero_copy").and_then(|tree| reader.flag(tree, "`zero_copy`")),
        is_open: value("zero_copy").is_some_and(|tree| tree.kind == Kind::Unknown),
        queue: value("queue").and_then(|tree| reader.integer(tree, "`queue`", 1..=MAX_QUEUE)),
        overflow: value("overflow").and_then(|tree| reader.choice(tree, "`overflow`", OVERFLOWS)),
        max_message: value("max_message").and_then(|tree| max_message(tree, reader)),
        prefault: value("prefault").and_then(|tree| reader.flag(tree, "`prefault`")),
        feedback: value("feedback").and_then(|tree| reader.flag(tree, "`feedback`")),
        input_timeout: value("input_timeout").and_then(|tree| duration(tree, "`input_timeout`", reader)),
        in_braces: reader.file.slice(tree.span).starts_with('{'),
        ..EdgeSettings::default()
    };
    let feedback_is_open = settings.feedback.is_none() && fields.get("feedback").is_some();
    let settings = EdgeSettings { feedback_is_open, faulty: reader.findings.len() > before, ..settings };
    edges.push(WrittenEdge { from, to, settings: Box::new(settings) });
}

fn max_message(tree: &Tree, reader: &mut Reader<'_, '_>) -> Option<At<u64>> {
    let help = "write bytes as a number, or with a unit: \"64 MiB\", \"500 kB\"";
    let bytes = match &tree.kind {
        Kind::Unknown => return None,
        Kind::Int(bytes) => Some(u64::try_from(bytes.get()).unwrap_or(0)),
        Kind::String(text) => parse_bytes(text),
        _ => None,
    };
    match bytes {
        None => {
            if let Some(digits) = tree.long_integer(reader.file) {
                let message = format!("`max_message` is {digits}, {}", beyond(&digits));
                reader.report(rules::OUT_OF_RANGE, tree.span, message, IN_RANGE);
                return None;
            }
            let message = format!("`max_message` is a number of bytes, not {}", tree.describe_in(reader.file));
            let help = tree.whole_number().map_or_else(|| help.to_owned(), plainly);
            reader.report(rules::WRONG_TYPE, tree.span, message, help);
            None
        }
        Some(value) if !(1..=MAX_MESSAGE_BYTES).contains(&value) => {
            let message = format!("`max_message` is {}", tree.describe());
            reader.report(rules::OUT_OF_RANGE, tree.span, message, IN_RANGE);
            None
        }
        Some(value) => Some(At { value, span: tree.span }),
    }
}

/// A number of bytes, as in `64 MiB`, `1.5 GB`, `512`; nothing where the text is none.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..unit_at].parse().ok()?;
    let scale = match text[unit_at..].trim() {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "TB" => 1e12,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    // Above 2^53 a float no longer holds every integer, and above 2^64 this is 2^64 - 1; the limit is far below.
    Some((number * scale) as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_are_read_with_decimal_and_binary_units() {
        let cases =
            [("512", 512), ("64 MiB", 64 << 20), ("500 kB", 500_000), ("1.5KiB", 1536), ("2 GB", 2_000_000_000)];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "64 MIB", "-1", "1..2", "ten"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
