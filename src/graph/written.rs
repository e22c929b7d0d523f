//! The file as written: every value of the right type, nothing looked up yet.

use super::Wait;
use super::edges::{WrittenEdges, edges};
use super::fields::{At, Field, Fields, Reader, UNKNOWN, Word};
use super::finding::{Draft, is_odd};
use super::keys::with_value;
use super::pieces::{is_name, name_in_front};
use super::ports::Side;
use super::rules;
use super::source::{SourceFile, Span};
use super::supervision::{self, WrittenSupervision};
use super::yaml::{Kind, Tree};
use smol_str::SmolStr;
use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

/// The format version that this ezrun reads.
const VERSION: i128 = 1;
/// Highest processor number.
pub(super) const MAX_CPU: u32 = 1023;

pub(super) const GRAPH_KEYS: &[&str] = &["ezrun", "name", "params", "packs", "ports", "nodes", "edges", "backends"];
const PORTS_KEYS: &[&str] = &["inputs", "outputs"];
pub(super) static NODE_KEYS: LazyLock<Vec<&str>> =
    LazyLock::new(|| [&["use", "with", "wait"], &supervision::KEYS[..]].concat());
static BACKEND_KEYS: LazyLock<Vec<&str>> =
    LazyLock::new(|| [&["nodes", "cpu", "priority", "env"], &supervision::KEYS[..]].concat());
/// Keys that will mean something in a later version.
const RESERVED_NODE_KEYS: &[&str] = &["align"];
const NO_SPACE: &str = "a space is missing behind the `:`";
const WAITS: &[(&str, Wait)] = &[("block", Wait::Block), ("adaptive", Wait::Adaptive), ("busy", Wait::Busy)];

/// A graph file.
#[derive(Default)]
pub(super) struct Written<'t> {
    pub name: Option<Word>,
    pub packs: Vec<WrittenPack>,
    /// Whether there may be more of them.
    pub packs_are_unclear: bool,
    pub ports: WrittenPorts,
    pub nodes: Vec<WrittenNode<'t>>,
    /// Whether there may be more of them.
    pub nodes_are_unclear: bool,
    pub edges: WrittenEdges,
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
    /// Where there may be more of them.
    pub unclear: Vec<Side>,
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
    /// Keys that nobody knows: settings may have been meant.
    pub strays: Vec<&'t str>,
    pub wait: Option<At<Wait>>,
    pub supervision: WrittenSupervision,
}

pub(super) struct WrittenBackend {
    pub name: Word,
    pub nodes: Vec<Word>,
    pub cpu: Option<At<u32>>,
    pub priority: Option<At<i32>>,
    pub env: BTreeMap<String, String>,
    pub supervision: WrittenSupervision,
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
    let Some(fields) = reader.record(root, "a graph", GRAPH_KEYS, &[]) else { return Written::default() };
    version(root, &fields, reader);
    if let Some(params) = fields.get("params").filter(|field| !is_nothing(field.value)) {
        named_entries(params.value, "`params`", "param", reader);
    }
    let mut written_edges = edges(&fields, reader);
    let unclear = |key: &str| is_unclear(&fields, key, GRAPH_KEYS);
    written_edges.are_unclear |= unclear("edges");
    Written {
        name: fields.get("name").and_then(|field| title(field, reader)),
        packs: section(&fields, "packs", "pack", reader, pack),
        packs_are_unclear: unclear("packs"),
        ports: ports(&fields, reader),
        nodes: nodes(&fields, reader),
        nodes_are_unclear: unclear("nodes"),
        edges: written_edges,
        backends: section(&fields, "backends", "backend", reader, backend),
    }
}

/// Whether there may be more under `key` than can be read, in a mapping with the keys `known`.
fn is_unclear(fields: &Fields<'_>, key: &str, known: &[&str]) -> bool {
    let has_stray = || fields.iter().any(|field| !known.contains(&field.name));
    let Some(field) = fields.get(key) else { return has_stray() };
    let is_list = key == "edges";
    match field.value.kind {
        _ if field.is_twice => true,
        Kind::Null => has_stray(),
        Kind::Map(_) => is_list,
        Kind::Seq(_) => !is_list,
        _ => true,
    }
}

fn version<'t>(root: &Tree, fields: &Fields<'t>, reader: &mut Reader<'_, 't>) {
    let Some(field) = fields.get("ezrun") else {
        let message = "the file does not say its format version";
        return reader.report(rules::MISSING_KEY, reader.file.beginning(), message, "begin the file with `ezrun: 1`");
    };
    let is_known = match field.value.kind {
        Kind::Int(version) => version.get() == VERSION,
        // Another key is read as this one: its value may be a version of something else.
        _ if !root.has_key("ezrun", reader.file) => true,
        Kind::Unknown => true,
        _ => false,
    };
    if !is_known {
        let message = match field.value.kind {
            Kind::Int(other) => format!("format version {} is not known", other.get()),
            _ => match field.value.long_integer(reader.file) {
                Some(digits) => format!("format version {digits} is not known"),
                None => format!("a format version is an integer, not {}", field.value.describe_in(reader.file)),
            },
        };
        reader.report(rules::VERSION, field.value.span, message, "this ezrun reads `ezrun: 1`");
    }
}

fn title<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) -> Option<Word> {
    let name = reader.text(field.value, "the graph's name")?;
    if let Some(odd) = name.text.chars().find(|&c| is_odd(c)) {
        let message = format!("the graph's name has the character U+{:04X}, which no terminal shows", u32::from(odd));
        reader.report(rules::BAD_NAME, name.span, message, "take it out");
    }
    Some(name)
}

pub(super) fn is_nothing(tree: &Tree) -> bool {
    tree.kind == Kind::Null
}

/// The entries of `tree`, whose keys are names.
fn named_entries<'t>(tree: &'t Tree, what: &str, each: &str, reader: &mut Reader<'_, 't>) -> Vec<Field<'t>> {
    let Some(fields) = reader.mapping(tree, what) else { return Vec::new() };
    let mut entries: Vec<Field<'t>> = fields.iter().cloned().collect();
    let names = LazyCell::new(|| fields.iter().map(|field| field.name).collect::<HashSet<&str>>());
    for field in entries.iter_mut().filter(|field| !is_name(field.name)) {
        let message = format!("`{}` cannot be the name of a {each}", field.name);
        let meant = meant_name(field, reader.file);
        let help = meant.as_ref().map_or("names are made of letters, digits, `_` and `-`", |(_, help)| help);
        reader.report(rules::BAD_NAME, field.span, message, help);
        if let Some((meant, _)) = meant.filter(|(name, _)| !names.contains(name)) {
            *field = Field { name: meant, value: &UNKNOWN, ..field.clone() };
        }
    }
    entries
}

/// The name that is meant where YAML reads its value as a part of it, for lack of a colon or of a space behind that; and what
/// to do about it.
fn meant_name<'t>(field: &Field<'t>, file: &SourceFile) -> Option<(&'t str, String)> {
    let is_quoted = file.slice(field.span).starts_with(['"', '\'']);
    let (name, value) = name_in_front(field.name).filter(|_| !is_quoted)?;
    let behind_colon = value.strip_prefix(':');
    let has_value = is_nothing(field.value) || behind_colon.unwrap_or(value).trim_start().starts_with(['{', '[']);
    let help = behind_colon.map_or_else(|| format!("a `:` is missing behind `{name}`"), |_| NO_SPACE.to_owned());
    has_value.then_some((name, help))
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
    let sides = if field.is_twice { None } else { reader.record(field.value, "`ports`", PORTS_KEYS, &[]) };
    let Some(sides) = sides else {
        return WrittenPorts { unclear: vec![Side::Input, Side::Output], ..WrittenPorts::default() };
    };
    let inputs = section(&sides, "inputs", "port", reader, |field, reader| port(field, true, reader));
    let outputs = section(&sides, "outputs", "port", reader, |field, reader| port(field, false, reader));
    let is_open = |key: &str, ports: &[WrittenPort]| {
        let is_read = |port: &WrittenPort| !port.ends.is_empty();
        is_unclear(&sides, key, PORTS_KEYS) || !ports.iter().all(is_read)
    };
    let open = [(Side::Input, is_open("inputs", &inputs)), (Side::Output, is_open("outputs", &outputs))];
    let unclear = open.into_iter().filter_map(|(side, is_open)| is_open.then_some(side)).collect();
    WrittenPorts { inputs, outputs, unclear }
}

fn port<'t>(field: &Field<'t>, may_be_several: bool, reader: &mut Reader<'_, 't>) -> WrittenPort {
    let what = format!("the port `{}`", field.name);
    let ends = match &field.value.kind {
        Kind::Seq(items) if may_be_several && !items.is_empty() => {
            let ends = items.iter().filter_map(|item| reader.text(item, &what)).collect();
            each_once(ends, &what, reader)
        }
        _ => reader.text(field.value, &what).into_iter().collect(),
    };
    WrittenPort { name: field.name.into(), ends }
}

/// The ends that a port stands for, without those that are there already, which are told.
fn each_once(ends: Vec<Word>, what: &str, reader: &mut Reader<'_, '_>) -> Vec<Word> {
    let mut first: HashMap<SmolStr, Span> = HashMap::new();
    let mut once = Vec::with_capacity(ends.len());
    for end in ends {
        if let Some(&span) = first.get(&end.text) {
            let draft = Draft::new(rules::DUPLICATE_EDGE, end.span, format!("{what} stands for `{}` twice", end.text));
            reader.findings.add(draft.help("take one of the two out").related(span, "first named here"));
        } else {
            first.insert(end.text.clone(), end.span);
            once.push(end);
        }
    }
    once
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
    let unknown =
        WrittenNode { name: word(field), uses: None, with: None, strays: Vec::new(), wait: None, supervision: None };
    if let Kind::String(text) = &field.value.kind {
        let message = format!("{what} is a mapping, not {}", field.value.describe());
        let help = match with_value(text, &NODE_KEYS) {
            Some((_, help)) => help,
            None if text.contains(['{', '}']) => "write `{ use: type }`".to_owned(),
            None => format!("write `{{ use: {text} }}`"),
        };
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
    let Some(fields) = reader.record(field.value, &what, &NODE_KEYS, RESERVED_NODE_KEYS) else { return unknown };
    let uses = match fields.get("use") {
        None => {
            missing(reader);
            None
        }
        // An unquoted `null` names the node type.
        Some(uses) if is_nothing(uses.value) && is_null(reader.file.slice(uses.value.span)) => {
            Some(Word { text: "null".into(), span: uses.value.span })
        }
        Some(uses) => reader.text(uses.value, &format!("the type of {what}")),
    };
    let with = fields.get("with").map(|with| if with.is_twice { &UNKNOWN } else { with.value });
    let with = with.filter(|with| !is_nothing(with));
    let wait = fields.get("wait").and_then(|field| reader.choice(field.value, "`wait`", WAITS));
    let supervision = supervision::read(&fields, &what, reader);
    let is_known = |name: &str| NODE_KEYS.contains(&name) || RESERVED_NODE_KEYS.contains(&name);
    let strays = fields.iter().map(|field| field.name).filter(|name| !is_known(name)).collect();
    WrittenNode { name: word(field), uses, with, strays, wait, supervision }
}

/// Whether what is nothing says `null`; where a variable stands for more than it, it does.
fn is_null(written: &str) -> bool {
    written == "null" || written.contains("${")
}

fn backend<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) -> WrittenBackend {
    let what = format!("the backend `{}`", field.name);
    let mut backend = WrittenBackend {
        name: word(field),
        nodes: Vec::new(),
        cpu: None,
        priority: None,
        env: BTreeMap::new(),
        supervision: None,
    };
    if let Kind::Seq(items) = &field.value.kind {
        backend.nodes = node_names(items, field, reader);
        return backend;
    }
    if let Kind::String(node) = &field.value.kind {
        let message = format!("{what} is a list of nodes, not {}", field.value.describe());
        reader.report(rules::WRONG_TYPE, field.value.span, message, format!("write `[{node}]`"));
        return backend;
    }
    let Some(fields) = reader.record(field.value, &what, &BACKEND_KEYS, &[]) else { return backend };
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
    backend.supervision = supervision::read(&fields, &what, reader);
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
        variable_name(field, reader);
        match &field.value.kind {
            Kind::Seq(_) | Kind::Map(_) => {
                let message = format!("the variable `{}` is a text, not {}", field.name, field.value.describe());
                reader.report(rules::WRONG_TYPE, field.value.span, message, "write one text");
            }
            Kind::Unknown => {}
            // A number or `true` stands for its own text here, since every variable is a text.
            _ => {
                let substituted = field.value.substituted.as_deref().map(SmolStr::as_str);
                let written = || Some(field.value.text(reader.file)).filter(|text| !text.contains("${"));
                let text = substituted.or_else(written).unwrap_or_default();
                if text.contains('\0') {
                    let message = format!("the variable `{}` has a NUL, and no variable can hold one", field.name);
                    reader.report(rules::WRONG_VALUE, field.value.span, message, "take the `\\0` out");
                }
                env.insert(field.name.to_owned(), text.to_owned());
            }
        }
    }
    env
}

fn variable_name<'t>(field: &Field<'t>, reader: &mut Reader<'_, 't>) {
    let help = match field.name {
        "" => "give it a name",
        name if name.contains('=') => "take out the `=`",
        name if name.contains('\0') => "take the `\\0` out",
        name if name.contains(':') && is_nothing(field.value) => NO_SPACE,
        _ => return,
    };
    let message = format!("`{}` cannot be the name of a variable", field.name);
    reader.report(rules::BAD_NAME, field.span, message, help);
}
