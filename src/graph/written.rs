//! The file as written: every value of the right type, nothing looked up yet.

use super::fields::{At, Field, Fields, Reader, Word, lacks_space};
use super::finding::Draft;
use super::rules;
use super::variables::is_name;
use super::yaml::{Kind, Tree};
use super::{Overflow, Wait};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// The format version that this ezrun reads.
const VERSION: i128 = 1;
/// Deepest queue of an edge, in messages.
pub(super) const MAX_QUEUE: u32 = 65_536;
/// Largest `max_message`, in bytes.
pub(super) const MAX_MESSAGE_BYTES: u64 = 1 << 40;
/// Highest processor number.
pub(super) const MAX_CPU: u32 = 1023;

const GRAPH_KEYS: &[&str] = &["ezrun", "name", "params", "packs", "ports", "nodes", "edges", "backends"];
const PORTS_KEYS: &[&str] = &["inputs", "outputs"];
const NODE_KEYS: &[&str] = &["use", "with", "wait"];
const EDGE_KEYS: &[&str] = &["from", "to", "zero_copy", "queue", "overflow", "max_message", "feedback"];
const BACKEND_KEYS: &[&str] = &["nodes", "cpu", "priority", "env"];
/// Keys that will mean something in a later version.
const RESERVED_NODE_KEYS: &[&str] = &["align"];
const RESERVED_EDGE_KEYS: &[&str] = &["align"];
const RESERVED_BACKEND_KEYS: &[&str] = &["restart"];
const OVERFLOWS: &[(&str, Overflow)] = &[
    ("block", Overflow::Block),
    ("drop_oldest", Overflow::DropOldest),
    ("drop_newest", Overflow::DropNewest),
    ("fail", Overflow::Fail),
];

const WAITS: &[(&str, Wait)] = &[("block", Wait::Block), ("adaptive", Wait::Adaptive), ("busy", Wait::Busy)];

/// A graph file.
#[derive(Default)]
pub(super) struct Written<'t> {
    pub name: Option<Word>,
    pub packs: Vec<WrittenPack>,
    pub ports: WrittenPorts,
    pub nodes: Vec<WrittenNode<'t>>,
    pub edges: Vec<WrittenEdge>,
    pub backends: Vec<WrittenBackend>,
}

pub(super) struct WrittenPack {
    pub name: Word,
    pub path: Option<Word>,
}

/// What a file that stands for a node is connected by.
#[derive(Default)]
pub(super) struct WrittenPorts {
    pub inputs: Vec<WrittenPort>,
    pub outputs: Vec<WrittenPort>,
}

/// A port of the file, and the ports of its nodes that it stands for: one or more inputs, or one output.
pub(super) struct WrittenPort {
    pub name: SmolStr,
    pub ends: Vec<Word>,
}

pub(super) struct WrittenNode<'t> {
    pub name: Word,
    pub uses: Option<Word>,
    pub with: Option<&'t Tree>,
    pub wait: Option<At<Wait>>,
}

#[derive(Clone)]
pub(super) struct WrittenEdge {
    pub from: Option<Word>,
    pub to: Option<Word>,
    pub settings: EdgeSettings,
}

/// What an edge says besides its ends.
#[derive(Clone)]
pub(super) struct EdgeSettings {
    pub zero_copy: Option<At<bool>>,
    pub queue: Option<At<u32>>,
    pub overflow: Option<At<Overflow>>,
    pub max_message: Option<At<u64>>,
    pub feedback: Option<At<bool>>,
    /// Whether it is written as `{ … }`, rather than a key on each line.
    pub in_braces: bool,
    /// Whether something in it could not be read.
    pub faulty: bool,
}

pub(super) struct WrittenBackend {
    pub name: Word,
    pub nodes: Vec<Word>,
    pub cpu: Option<At<u32>>,
    pub priority: Option<At<i32>>,
    pub env: BTreeMap<String, String>,
}

/// Reads the whole file; every fault becomes a finding.
pub(super) fn read<'t>(root: &'t Tree, reader: &mut Reader<'_, 't>) -> Written<'t> {
    if root.kind == Kind::Null {
        let message = "the file has no graph";
        reader.report(
            rules::EMPTY,
            reader.file.beginning(),
            message,
            "begin with `ezrun: 1`, then `nodes:` and `edges:`",
        );
        return Written::default();
    }
    let Some(fields) = reader.record(root, "a graph", GRAPH_KEYS) else { return Written::default() };
    version(&fields, reader);
    if let Some(params) = fields.get("params").filter(|field| !is_nothing(field.value)) {
        named_entries(params.value, "`params`", "param", reader);
    }
    Written {
        name: fields.get("name").and_then(|field| reader.text(field.value, "the graph's name")),
        packs: section(&fields, "packs", "pack", reader, pack),
        ports: ports(&fields, reader),
        nodes: nodes(&fields, reader),
        edges: edges(&fields, reader),
        backends: section(&fields, "backends", "backend", reader, backend),
    }
}

fn version<'t>(fields: &Fields<'t>, reader: &mut Reader<'_, 't>) {
    let Some(field) = fields.get("ezrun") else {
        let message = "the file does not say its format version";
        return reader.report(rules::MISSING_KEY, reader.file.beginning(), message, "begin the file with `ezrun: 1`");
    };
    let is_known = match field.value.kind {
        Kind::Int(version) => version.get() == VERSION,
        Kind::Unknown => true,
        _ => false,
    };
    if !is_known {
        let message = match field.value.kind {
            Kind::Int(other) => format!("format version {} is not known", other.get()),
            _ => format!("a format version is an integer, not {}", field.value.describe()),
        };
        reader.report(rules::VERSION, field.value.span, message, "this ezrun reads `ezrun: 1`");
    }
}

fn is_nothing(tree: &Tree) -> bool {
    tree.kind == Kind::Null
}

/// The entries of `tree`, whose keys are names.
fn named_entries<'t>(tree: &'t Tree, what: &str, each: &str, reader: &mut Reader<'_, 't>) -> Vec<Field<'t>> {
    let Some(fields) = reader.mapping(tree, what) else { return Vec::new() };
    for field in fields.iter().filter(|field| !is_name(field.name)) {
        let message = format!("`{}` cannot be the name of a {each}", field.name);
        let help = match field.name.split_once([' ', '{', '[']) {
            Some((name, _)) if is_name(name) && field.name.contains(['{', '[']) => {
                format!("a `:` is missing behind `{name}`")
            }
            _ => "names are made of letters, digits, `_` and `-`".to_owned(),
        };
        reader.report(rules::BAD_NAME, field.span, message, help);
    }
    fields.iter().cloned().collect()
}

fn section<'t, T>(
    fields: &Fields<'t>,
    key: &str,
    each: &str,
    reader: &mut Reader<'_, 't>,
    read: impl Fn(&Field<'t>, &mut Reader<'_, 't>) -> T,
) -> Vec<T> {
    let Some(field) = fields.get(key).filter(|field| !is_nothing(field.value)) else { return Vec::new() };
    let entries = named_entries(field.value, &format!("`{key}`"), each, reader);
    entries.iter().map(|entry| read(entry, reader)).collect()
}

fn word(field: &Field<'_>) -> Word {
    Word { text: field.name.into(), span: field.span }
}

fn pack<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) -> WrittenPack {
    WrittenPack { name: word(field), path: reader.text(field.value, &format!("the path of the pack `{}`", field.name)) }
}

fn ports<'t>(fields: &Fields<'t>, reader: &mut Reader<'_, 't>) -> WrittenPorts {
    let Some(field) = fields.get("ports").filter(|field| !is_nothing(field.value)) else {
        return WrittenPorts::default();
    };
    let Some(sides) = reader.record(field.value, "`ports`", PORTS_KEYS) else { return WrittenPorts::default() };
    WrittenPorts {
        inputs: section(&sides, "inputs", "port", reader, |field, reader| port(field, true, reader)),
        outputs: section(&sides, "outputs", "port", reader, |field, reader| port(field, false, reader)),
    }
}

fn port<'t>(field: &Field<'t>, may_be_several: bool, reader: &mut Reader<'_, 't>) -> WrittenPort {
    let what = format!("the port `{}`", field.name);
    let ends = match &field.value.kind {
        Kind::Seq(items) if may_be_several && !items.is_empty() => {
            items.iter().filter_map(|item| reader.text(item, &what)).collect()
        }
        _ => reader.text(field.value, &what).into_iter().collect(),
    };
    WrittenPort { name: field.name.into(), ends }
}

fn nodes<'t>(fields: &Fields<'t>, reader: &mut Reader<'_, 't>) -> Vec<WrittenNode<'t>> {
    let Some(field) = fields.get("nodes") else {
        let message = "the graph has no `nodes`";
        reader.report(rules::MISSING_KEY, reader.file.beginning(), message, "add `nodes: { name: { use: type } }`");
        return Vec::new();
    };
    let nothing = match &field.value.kind {
        Kind::Null => true,
        Kind::Map(entries) => entries.is_empty(),
        _ => false,
    };
    if nothing {
        reader.report(rules::EMPTY, field.span, "the graph has no nodes", "add one: `name: { use: type }`");
    }
    section(fields, "nodes", "node", reader, node)
}

fn node<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) -> WrittenNode<'t> {
    let what = format!("the node `{}`", field.name);
    let unknown = WrittenNode { name: word(field), uses: None, with: None, wait: None };
    if let Kind::String(text) = &field.value.kind {
        let message = format!("{what} is a mapping, not {}", field.value.describe());
        let help = lacks_space(text, NODE_KEYS).unwrap_or_else(|| format!("write `{{ use: {text} }}`"));
        reader.report(rules::WRONG_TYPE, field.value.span, message, help);
        return unknown;
    }
    let missing = |reader: &mut Reader<'_, 't>| {
        let help = "add `use:` with a node type; `ezrun nodes` lists them";
        reader.report(rules::MISSING_KEY, field.span, format!("{what} does not say its type"), help);
    };
    if is_nothing(field.value) {
        missing(reader);
        return unknown;
    }
    let Some(fields) = record(field.value, &what, NODE_KEYS, RESERVED_NODE_KEYS, reader) else { return unknown };
    let uses = match fields.get("use") {
        None => {
            missing(reader);
            None
        }
        // An unquoted `null` names the node type.
        Some(uses) if is_nothing(uses.value) && reader.file.slice(uses.value.span) == "null" => {
            Some(Word { text: "null".into(), span: uses.value.span })
        }
        Some(uses) => reader.text(uses.value, &format!("the type of {what}")),
    };
    let with = fields.get("with").map(|with| with.value).filter(|with| !is_nothing(with));
    let wait = fields.get("wait").and_then(|field| reader.choice(field.value, "`wait`", WAITS));
    WrittenNode { name: word(field), uses, with, wait }
}

/// A record with the keys `usable`; those that are `reserved` are not unknown.
fn record<'t>(
    tree: &'t Tree,
    what: &str,
    usable: &[&str],
    reserved: &[&str],
    reader: &mut Reader<'_, 't>,
) -> Option<Fields<'t>> {
    let fields = reader.mapping(tree, what)?;
    for field in fields.iter().filter(|field| !usable.contains(&field.name)) {
        let draft = if reserved.contains(&field.name) {
            let message = format!("`{}` is reserved; this version of ezrun does not do it yet", field.name);
            Draft::new(rules::UNSUPPORTED, field.span, message).help("take it out")
        } else {
            reader.unknown_key(what, field, usable)
        };
        reader.findings.add(draft);
    }
    Some(fields)
}

fn edges<'t>(fields: &Fields<'t>, reader: &mut Reader<'_, 't>) -> Vec<WrittenEdge> {
    let Some(field) = fields.get("edges").filter(|field| !is_nothing(field.value)) else { return Vec::new() };
    let Some(items) = reader.list(field.value, "`edges`") else { return Vec::new() };
    items.iter().filter_map(|item| edge(item, reader)).collect()
}

fn edge<'t>(tree: &'t Tree, reader: &mut Reader<'_, 't>) -> Option<WrittenEdge> {
    let before = reader.findings.len();
    let fields = record(tree, "an edge", EDGE_KEYS, RESERVED_EDGE_KEYS, reader)?;
    let mut end = |key: &str, in_words: &str, port: &str| match fields.get(key) {
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
        queue: value("queue").and_then(|tree| reader.integer(tree, "`queue`", 1..=MAX_QUEUE)),
        overflow: value("overflow").and_then(|tree| reader.choice(tree, "`overflow`", OVERFLOWS)),
        max_message: value("max_message").and_then(|tree| max_message(tree, reader)),
        feedback: value("feedback").and_then(|tree| reader.flag(tree, "`feedback`")),
        in_braces: reader.file.slice(tree.span).starts_with('{'),
        faulty: false,
    };
    let settings = EdgeSettings { faulty: reader.findings.len() > before, ..settings };
    Some(WrittenEdge { from, to, settings })
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
            let message = format!("`max_message` is a number of bytes, not {}", tree.describe());
            reader.report(rules::WRONG_TYPE, tree.span, message, help);
            None
        }
        Some(value) if !(1..=MAX_MESSAGE_BYTES).contains(&value) => {
            let message = format!("`max_message` is {}", tree.describe());
            reader.report(rules::OUT_OF_RANGE, tree.span, message, "it is from 1 byte to 1 TiB");
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

fn backend<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) -> WrittenBackend {
    let what = format!("the backend `{}`", field.name);
    let mut backend =
        WrittenBackend { name: word(field), nodes: Vec::new(), cpu: None, priority: None, env: BTreeMap::new() };
    if let Kind::Seq(items) = &field.value.kind {
        backend.nodes = node_names(items, field, reader);
        return backend;
    }
    if let Kind::String(node) = &field.value.kind {
        let message = format!("{what} is a list of nodes, not {}", field.value.describe());
        reader.report(rules::WRONG_TYPE, field.value.span, message, format!("write `[{node}]`"));
        return backend;
    }
    let Some(fields) = record(field.value, &what, BACKEND_KEYS, RESERVED_BACKEND_KEYS, reader) else { return backend };
    match fields.get("nodes") {
        Some(nodes) => {
            if let Some(items) = reader.list(nodes.value, "`nodes`") {
                backend.nodes = node_names(items, field, reader);
            }
        }
        None => {
            let help = format!("write `{}: [node, node]` or `{{ nodes: [node, node] }}`", field.name);
            reader.report(rules::MISSING_KEY, field.span, format!("{what} does not say its nodes"), help);
        }
    }
    let value = |key: &str| fields.get(key).map(|field| field.value);
    backend.cpu = value("cpu").and_then(|tree| reader.integer(tree, "`cpu`", 0..=MAX_CPU));
    backend.priority = value("priority").and_then(|tree| reader.integer(tree, "`priority`", -20..=19));
    if let Some(env) = value("env").filter(|env| !is_nothing(env)) {
        backend.env = environment(env, reader);
    }
    backend
}

fn node_names<'t>(items: &'t [Tree], backend: &Field<'t>, reader: &mut Reader<'_, 't>) -> Vec<Word> {
    if items.is_empty() {
        let message = format!("the backend `{}` has no nodes", backend.name);
        reader.report(rules::EMPTY, backend.span, message, "name its nodes, or take it out");
    }
    items.iter().filter_map(|item| reader.text(item, "a node of a backend")).collect()
}

fn environment<'t>(tree: &'t Tree, reader: &mut Reader<'_, 't>) -> BTreeMap<String, String> {
    let Some(fields) = reader.mapping(tree, "`env`") else { return BTreeMap::new() };
    let mut env = BTreeMap::new();
    for field in fields.iter() {
        if field.name.is_empty() || field.name.contains(['=', '\0']) {
            let message = format!("`{}` cannot be the name of a variable", field.name);
            reader.report(rules::BAD_NAME, field.span, message, "take out the `=`");
        }
        match &field.value.kind {
            Kind::Seq(_) | Kind::Map(_) => {
                let message = format!("the variable `{}` is a text, not {}", field.name, field.value.describe());
                reader.report(rules::WRONG_TYPE, field.value.span, message, "write one text");
            }
            Kind::Unknown => {}
            // A number or `true` stands for its own text here, since every variable is a text.
            _ => {
                let substituted = field.value.substituted.as_deref().map(SmolStr::as_str);
                let text = substituted.unwrap_or_else(|| field.value.text(reader.file));
                env.insert(field.name.to_owned(), text.to_owned());
            }
        }
    }
    env
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
