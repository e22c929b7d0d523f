//! `command`: any program, by its standard input and output.

#[cfg(target_os = "linux")]
mod child;
#[cfg_attr(not(target_os = "linux"), path = "command/elsewhere.rs")]
mod conversation;
mod program;

use super::support::framing::Framing;
use crate::node::{NodeType, PortType, SettingError};
use conversation::{Command, Launch};
pub use program::{ProgramFault, find_program};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The node type that runs any program.
pub const COMMAND: &str = "command";

pub fn node_type() -> NodeType {
    node_type_launched_by(Launch::Guarded)
}

fn node_type_launched_by(launch: Launch) -> NodeType {
    NodeType::transform(COMMAND, "Runs any program: messages go to its standard input, and come from its output.")
        .input("in", PortType::Any)
        .optional()
        .output("out", PortType::Bytes)
        .example("{ argv: [sed, -u, \"s/cat/dog/\"], framing: lines }")
        .program(move |settings: Settings| {
            if settings.argv.0.first().is_some_and(|program| program.0.is_empty()) {
                return Err(SettingError::at("argv", "its first word is empty: name the program"));
            }
            settings.env.keys().try_for_each(|name| check_name(name))?;
            Ok(Command::new(settings, launch))
        })
}

fn check_name(variable: &str) -> Result<(), SettingError> {
    if variable.is_empty() || variable.contains(['=', '\0']) {
        let message = format!("`{variable}` cannot be the name of a variable: it is empty, or has a `=` or a NUL");
        return Err(SettingError::at("env", message));
    }
    Ok(())
}

/// The program's end is the node's end; a status other than 0 is a failure. Without an edge into `in` it is a source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The program and its arguments, as a list; there is no shell in between. A program with a slash in its name is
    /// relative to the graph file, any other is looked for in PATH. It runs in the folder of the graph file. A program
    /// that turns itself into a daemon is not stopped with the run.
    argv: Argv,
    /// What separates the messages, on both sides. Default: `lines`, which makes lines of CSV, without names and time,
    /// of tensors and records.
    #[serde(default = "lines")]
    framing: Framing,
    /// Variables set in the program's environment, besides those of ezrun.
    #[serde(default)]
    env: BTreeMap<String, Word>,
}

fn lines() -> Framing {
    Framing::Lines
}

/// A program and its arguments; never empty.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Argv(Vec<Word>);

/// Text, or a number that is meant as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Word(String);

impl TryFrom<Value> for Argv {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(words) if words.is_empty() => Err("argv is empty: it begins with a program".to_owned()),
            Value::Array(words) => words.into_iter().map(Word::try_from).collect::<Result<_, _>>().map(Argv),
            Value::String(line) => {
                let words = line.split_whitespace().collect::<Vec<_>>().join(", ");
                Err(format!(
                    "argv is a list, such as [{words}]; where a shell is wanted, name it: [sh, -c, \"{}\"]",
                    line.escape_default()
                ))
            }
            other => Err(format!("argv is a list that begins with a program, not {other}")),
        }
    }
}

impl TryFrom<Value> for Word {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text.contains('\0') => Err("a NUL cannot be handed to a program".to_owned()),
            Value::String(text) => Ok(Word(text)),
            Value::Number(number) => Ok(Word(number.to_string())),
            other => Err(format!("{other} is no text: put it in quotes")),
        }
    }
}

impl JsonSchema for Argv {
    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<Word>(), "minItems": 1 })
    }
}

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
