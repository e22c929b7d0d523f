//! The JSON Schema of graph files, for editors and other tools: made from the types below and from the node types.
//!
//! It is as strict as a schema can be: no unknown keys, and for each node type its own settings. What it cannot say, such
//! as that a node exists, the rules check. Any value may be a variable; those that are not texts anyway say so.

use super::{MAX_CPU, MAX_MESSAGE_BYTES, MAX_QUEUE, MAX_RESTARTS, OnExit, Overflow, Restart, Wait};
use crate::node::settings::Span;
use crate::node::{Registry, TypeDescription};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// A pipeline of nodes that run as processes, and of edges between them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "ezrun graph")]
#[allow(dead_code, reason = "read by the schema alone")]
struct GraphFile {
    /// Version of the file format.
    ezrun: Version,
    /// Name of the graph. Default: that of the file.
    name: Option<Text>,
    /// Values that `${name}` stands for, and that `--set name=value` replaces.
    params: Option<BTreeMap<Name, Value>>,
    /// Executables that offer more node types, by the name that stands before the slash in `use: pack/type`. Paths are
    /// relative to this file.
    packs: Option<BTreeMap<Name, Text>>,
    /// What this file is connected by where another one uses it in the place of a node.
    ports: Option<Ports>,
    /// The nodes, by name.
    nodes: Nodes,
    /// What is connected to what.
    edges: Option<Vec<Edge>>,
    /// Nodes that share a process, by the name of the process. Every other node has its own.
    backends: Option<BTreeMap<Name, Backend>>,
}

/// What a file is connected by where another one uses it in the place of a node.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "read by the schema alone")]
struct Ports {
    /// Inputs, by name: each stands for an input of one of the nodes, or of several, as `node` or `node.input`.
    inputs: Option<BTreeMap<Name, TextOrTexts>>,
    /// Outputs, by name: each stands for an output of one of the nodes, as `node` or `node.output`.
    outputs: Option<BTreeMap<Name, Text>>,
}

/// From an output to an input.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "read by the schema alone")]
struct Edge {
    /// `node` or `node.output`.
    from: Text,
    /// `node` or `node.input`.
    to: Text,
    /// How the consumer receives: `false`, a private copy; `true`, an enforced read-only view. Default: false.
    zero_copy: Option<OrVariable<bool>>,
    /// Depth of the queue, in messages. Default: 8.
    queue: Option<OrVariable<Depth>>,
    /// What happens when the queue is full. Default: `block`, which loses nothing.
    overflow: Option<OrVariable<Overflow>>,
    /// Largest payload: bytes as a number, or with a unit, as in `64 MiB`. Default: 64 MiB.
    max_message: Option<OrVariable<Size>>,
    /// Whether the memory for the whole queue is fetched before the first message. Default: false.
    prefault: Option<OrVariable<bool>>,
    /// Whether this edge closes a cycle on purpose. Default: false.
    feedback: Option<OrVariable<bool>>,
    /// How long nothing may come through it, such as `2 s`, or a number of seconds; then the node that is to blame is killed,
    /// as one that has failed. Default: as long as it takes.
    input_timeout: Option<OrVariable<Span>>,
}

/// Nodes that share a process.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema alone")]
enum Backend {
    /// Their names.
    Nodes(NodeNames),
    /// Their names, and what the process is given.
    Process(Process),
}

/// Nodes that share a process, and what it is given.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "read by the schema alone")]
struct Process {
    /// The nodes.
    nodes: NodeNames,
    /// The processor that it is bound to, counted from 0.
    cpu: Option<OrVariable<Cpu>>,
    /// Niceness, from -20, the most urgent, to 19.
    priority: Option<OrVariable<Niceness>>,
    /// Variables set in its environment.
    env: Option<BTreeMap<String, Scalar>>,
    /// When it is started again after it has ended. Default: `never`.
    restart: Option<OrVariable<Restart>>,
    /// How often within the window. Default: 3.
    max_restarts: Option<OrVariable<Restarts>>,
    /// How long a restart counts, such as `1 min`, or a number of seconds. Default: 60 s.
    window: Option<OrVariable<Span>>,
    /// The first pause before a restart; it doubles with each one that counts, up to 30 s. Default: 100 ms.
    backoff: Option<OrVariable<Span>>,
    /// How long it may take to be ready, such as `10 s`, or a number of seconds. Default: as long as it wants.
    startup_timeout: Option<OrVariable<Span>>,
    /// How long a node of it may take nothing while a message waits for it, such as `30 s`, or a number of seconds; then it
    /// is killed, as one that has failed. Default: as long as it wants.
    stall_timeout: Option<OrVariable<Span>>,
    /// What the run comes to when it has failed and is not started again. Default: `fail`.
    on_exit: Option<OrVariable<OnExit>>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "read by the schema alone")]
struct NodeNames(#[schemars(length(min = 1))] Vec<Text>);

/// A value, or a variable in its place.
struct OrVariable<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OrVariable<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrVariable", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<T>(), generator.subschema_for::<Variable>()] })
    }
}

/// Types whose schema is written by hand.
macro_rules! by_hand {
    ($($(#[doc = $doc:literal])* $name:ident = $schema:tt;)*) => {$(
        $(#[doc = $doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

by_hand! {
    Version = { "const": 1 };
    /// What nodes, params, packs and backends may be called.
    Name = { "type": "string", "pattern": "^[A-Za-z0-9_-]+$" };
    Depth = { "type": "integer", "minimum": 1, "maximum": MAX_QUEUE };
    Restarts = { "type": "integer", "minimum": 1, "maximum": MAX_RESTARTS };
    Cpu = { "type": "integer", "minimum": 0, "maximum": MAX_CPU };
    Niceness = { "type": "integer", "minimum": -20, "maximum": 19 };
    Text = { "type": "string", "minLength": 1 };
    TextOrTexts = { "anyOf": [
        { "$ref": "#/$defs/Text" },
        { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Text" } },
    ] };
    Scalar = { "type": ["string", "number", "boolean", "null"] };
    Size = { "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": MAX_MESSAGE_BYTES },
        { "type": "string", "pattern": "^ *[0-9.]+ *(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)? *$" },
    ] };
    Nodes = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "$ref": "#/$defs/Name" },
        "additionalProperties": { "$ref": "#/$defs/Node" },
    };
    Variable = {
        "description": "A variable: `${name}` of a param, `${env:NAME}` or `${env:NAME:-default}` of the environment.",
        "type": "string",
        "pattern": "\\$\\{",
    };
}

/// The schema of a graph file whose nodes may be of the types of `registry`, of a pack's, or of another file's.
#[must_use]
pub fn file_schema(registry: &Registry) -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let _ = generator.subschema_for::<Name>();
    let mut wait = generator.subschema_for::<OrVariable<Wait>>().to_value();
    wait["description"] = "How it waits for messages, and for room for its own. Default: `adaptive`.".into();
    let mut schema = generator.into_root_schema_for::<GraphFile>().to_value();
    refuse_nothing(&mut schema["properties"]["name"]);
    for owner in ["Edge", "Process"] {
        let properties = schema["$defs"][owner]["properties"].as_object_mut().into_iter().flatten();
        properties.filter(|(name, _)| *name != "env").for_each(|(_, property)| refuse_nothing(property));
    }
    let mut defs = schema["$defs"].take().as_object().cloned().unwrap_or_default();
    let mut branches = Vec::new();
    for description in registry.iter().map(|node_type| node_type.description()) {
        branches.push(branch(description, &mut defs));
    }
    branches.push(free_branch("A node type of a pack.", "^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$"));
    branches.push(free_branch("A variable that names the type.", "\\$\\{"));
    for branch in &mut branches {
        branch["properties"]["wait"] = wait.clone();
        for key in super::supervision::KEYS {
            branch["properties"][key] = json!({ "$ref": format!("#/$defs/Process/properties/{key}") });
        }
    }
    branches.push(free_branch("Another graph file, which takes the node's place.", r"^(\./|\.\./|/)|\.ya?ml$"));
    defs.insert("Node".to_owned(), json!({ "description": "One instance of a node type.", "oneOf": branches }));
    schema["$defs"] = Value::Object(defs);
    schema
}

/// A key that may be left out must have a value where it is not.
fn refuse_nothing(property: &mut Value) {
    let branches = property.get("anyOf").and_then(Value::as_array).map(Vec::as_slice);
    let Some([only, nothing]) = branches.filter(|branches| branches.len() == 2) else { return };
    if *nothing == json!({ "type": "null" }) {
        let mut only = only.clone();
        only["description"] = property["description"].take();
        *property = only;
    }
}

/// A node of one type, with its settings.
fn branch(node_type: &TypeDescription, defs: &mut Map<String, Value>) -> Value {
    let mut settings = node_type.settings.clone();
    let prefix = format!("{}.", node_type.name);
    rename_references(&mut settings, &prefix);
    allow_variables(&mut settings);
    let object = settings.as_object_mut().expect("the settings of a node type are an object");
    for key in ["$schema", "title"] {
        object.remove(key);
    }
    if let Some(Value::Object(own)) = object.remove("$defs") {
        defs.extend(own.into_iter().map(|(name, def)| (format!("{prefix}{name}"), def)));
    }
    let needs_settings = object.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
    let required = if needs_settings { json!(["use", "with"]) } else { json!(["use"]) };
    let with = if needs_settings { settings } else { json!({ "anyOf": [settings, { "type": "null" }] }) };
    // An unquoted `null` names a type too.
    let name =
        if node_type.name == "null" { json!({ "enum": ["null", null] }) } else { json!({ "const": node_type.name }) };
    json!({
        "title": node_type.name,
        "description": node_type.summary,
        "type": "object",
        "properties": { "use": name, "with": with },
        "required": required,
        "additionalProperties": false,
    })
}

/// A node whose settings this schema does not know.
fn free_branch(description: &str, pattern: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": { "use": { "type": "string", "pattern": pattern }, "with": { "type": ["object", "string", "null"] } },
        "required": ["use"],
        "additionalProperties": false,
    })
}

/// References to what a type's own schema defines become references to what this one does.
fn rename_references(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/$defs/")
            {
                *target = format!("#/$defs/{prefix}{name}");
            }
            map.values_mut().for_each(|value| rename_references(value, prefix));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, prefix)),
        _ => {}
    }
}

/// Wherever a value stands that no text fits, a variable may stand too.
fn allow_variables(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    for key in ["properties", "$defs"] {
        let values = map.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
        values.for_each(if key == "properties" { or_variable } else { allow_variables });
    }
    for key in ["items", "additionalProperties"] {
        if let Some(value) = map.get_mut(key) {
            or_variable(value);
        }
    }
    for key in ["anyOf", "oneOf"] {
        let branches = map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        branches.for_each(allow_variables);
    }
}

fn or_variable(schema: &mut Value) {
    allow_variables(schema);
    if !schema.is_object() || takes_any_text(schema) {
        return;
    }
    let description = schema.as_object_mut().and_then(|map| map.remove("description"));
    let default = schema.as_object_mut().and_then(|map| map.remove("default"));
    let mut wrapped = json!({ "anyOf": [schema.take(), { "$ref": "#/$defs/Variable" }] });
    for (key, value) in [("description", description), ("default", default)] {
        if let Some(value) = value {
            wrapped[key] = value;
        }
    }
    *schema = wrapped;
}

fn takes_any_text(schema: &Value) -> bool {
    let is_text = |name: &Value| name == "string";
    let text = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(is_text),
        Some(name) => is_text(name),
        // A schema that says nothing allows everything.
        None => ["$ref", "anyOf", "oneOf", "allOf", "const", "enum"].iter().all(|key| schema.get(key).is_none()),
    };
    text && schema.get("pattern").is_none() && schema.get("enum").is_none()
}
