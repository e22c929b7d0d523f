//! `ezrun nodes`: the built-in node types, and all about one of them.

use crate::graph::nearest_name;
use crate::node::{Narrowed, Records, Registry, Role, TypeDescription};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

/// The list, or the type that was asked for.
const OK: u8 = 0;
/// No such type.
const UNKNOWN: u8 = 2;
/// Standard output takes no more.
const UNWRITABLE: u8 = 2;

/// List the built-in node types, or show one: ports, settings, an example.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A node type.
    name: Option<String>,
}

/// Prints what was asked for and returns the exit code.
#[must_use]
pub fn run(args: &Args) -> u8 {
    let registry = crate::nodes::registry();
    let Some(name) = &args.name else {
        return print(&list(&registry), OK);
    };
    if let Some(node_type) = registry.get(name) {
        return print(&show(node_type.description()), OK);
    }
    let names = registry.iter().map(|node_type| node_type.description().name.as_str());
    let help = nearest_name(name, names)
        .map_or("`ezrun nodes` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
    complain(&format!("there is no node type `{name}`; {help}"));
    UNKNOWN
}

/// Writes `text` to standard output and returns `code`; the code of a file that cannot be written where it does not get
/// there. A reader that has gone away wanted no more.
pub(super) fn print(text: &str, code: u8) -> u8 {
    let mut stdout = anstream::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            UNWRITABLE
        }
        _ => code,
    }
}

/// Writes an error to standard error; if that fails, the exit code alone tells.
pub(super) fn complain(message: &str) {
    let _ = writeln!(anstream::stderr(), "error: {message}");
}

/// All types, those of one role together.
fn list(registry: &Registry) -> String {
    let mut text = String::new();
    let width = registry.iter().map(|node_type| node_type.description().name.len()).max().unwrap_or(0);
    for (role, title) in [(Role::Source, "Sources"), (Role::Transform, "Transforms"), (Role::Sink, "Sinks")] {
        let of_role = registry.iter().map(|node_type| node_type.description()).filter(|d| d.role == role);
        let lines: Vec<String> = of_role.map(|d| format!("  {:width$}  {}\n", d.name, d.summary)).collect();
        if !lines.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{gap}{title}\n{}", lines.concat());
        }
    }
    text
}

/// Everything about one type.
fn show(node_type: &TypeDescription) -> String {
    let mut text = format!("{}: {}\n", node_type.name, node_type.summary);
    section(
        &mut text,
        "Inputs",
        node_type.inputs.iter().map(|port| {
            let mut notes = vec![port.accepts.to_string()];
            notes.extend(port.narrowed.as_ref().map(|Narrowed { setting, is, accepts }| {
                format!("with `{setting}: {}` only {accepts}", is.join("` or `"))
            }));
            notes.extend(port.uniform.then(|| "messages of one kind only".to_owned()));
            notes.extend(port.writes_in_place.then(|| "written in place: needs a copying edge".to_owned()));
            notes.extend(port.many.then(|| "any number of edges".to_owned()));
            notes.extend((!port.required).then(|| "optional".to_owned()));
            notes.extend(
                (port.records != Records::Nothing).then(|| "keeps what comes: nothing should be dropped".to_owned()),
            );
            notes.extend((port.holds > 1).then(|| format!("keeps up to {} messages", port.holds)));
            (port.name.clone(), notes.join("; "))
        }),
    );
    section(&mut text, "Outputs", node_type.outputs.iter().map(|port| (port.name.clone(), port.sends.to_string())));
    section(&mut text, "Settings", settings(&node_type.settings).into_iter());
    let _ = write!(text, "\nExample\n  {}\n", example(node_type));
    text
}

fn section(text: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<(String, String)> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let _ = write!(text, "\n{title}\n");
    for (name, about) in rows {
        let mut lines = about.lines();
        let _ = writeln!(text, "  {name:width$}  {}", lines.next().unwrap_or(""));
        for line in lines {
            let _ = writeln!(text, "  {:width$}  {line}", "");
        }
    }
}

/// Name of each setting, and its type, default and meaning.
fn settings(schema: &Value) -> Vec<(String, String)> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let row = |(name, property): (&String, &Value)| {
        let mut about = type_of(property, schema);
        let description = property.get("description").and_then(Value::as_str).unwrap_or("");
        if required.contains(&name.as_str()) {
            about.push_str(", required");
        }
        if !description.is_empty() {
            let _ = write!(about, "\n{description}");
        }
        // A default is told in one way, and where the description tells it already, not again.
        let default = property.get("default").filter(|default| !default.is_null());
        if let Some(default) = default.filter(|_| !description.contains("Default: ")) {
            let default = default.as_str().map_or(default.to_string(), str::to_owned);
            let gap = if description.is_empty() { "\n" } else { " " };
            let _ = write!(about, "{gap}Default: {default}.");
        }
        (name.clone(), about)
    };
    properties.iter().map(row).collect()
}

/// A schema in a few words, such as `number`, `list of text` or `lines | raw`.
fn type_of(schema: &Value, root: &Value) -> String {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    if let Some(found) = target.and_then(|pointer| root.pointer(pointer)) {
        return type_of(found, root);
    }
    if let Some(value) = schema.get("const") {
        return value.as_str().map_or(value.to_string(), str::to_owned);
    }
    let joined = |parts: &[Value], of: &dyn Fn(&Value) -> String| {
        let mut words: Vec<String> = parts.iter().map(of).filter(|word| word != "nothing").collect();
        words.dedup();
        words.join(" | ")
    };
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(key).and_then(Value::as_array) {
            return joined(branches, &|branch| type_of(branch, root));
        }
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return joined(values, &|value| value.as_str().map_or(value.to_string(), str::to_owned));
    }
    let items = || schema.get("items").map_or(String::new(), |items| format!(" of {}", type_of(items, root)));
    let word = |name: &str| match name {
        "array" => format!("list{}", items()),
        "object" => "mapping".to_owned(),
        "string" => "text".to_owned(),
        "boolean" => "true | false".to_owned(),
        "null" => "nothing".to_owned(),
        other => other.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => word(name),
        Some(Value::Array(names)) => joined(names, &|name| word(name.as_str().unwrap_or(""))),
        _ => "anything".to_owned(),
    }
}

/// A line under `nodes:`.
fn example(node_type: &TypeDescription) -> String {
    let settings = node_type.example.trim();
    match settings.lines().count() {
        0 => format!("my_{0}: {{ use: {0} }}", node_type.name),
        1 => {
            let settings = settings.trim_start_matches('{').trim_end_matches('}').trim();
            format!("my_{0}: {{ use: {0}, with: {{ {settings} }} }}", node_type.name)
        }
        _ => {
            let indented: String = settings.lines().map(|line| format!("\n      {line}")).collect();
            format!("my_{0}:\n    use: {0}\n    with:{indented}", node_type.name)
        }
    }
}
