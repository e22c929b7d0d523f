//! What a node type says of itself: everything that a graph can be checked against without running the node.

use super::Cadence;
use crate::message::DType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Most messages that an input may hold at a time.
pub const MAX_HOLDS: u32 = 64;

/// A node type's name, ports and settings. What `describe` prints of a pack, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeDescription {
    /// Name, as after `use:`; without the pack.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Whether messages start, pass or end here.
    pub role: Role,
    /// Input ports.
    pub inputs: Vec<InputPort>,
    /// Output ports.
    pub outputs: Vec<OutputPort>,
    /// JSON Schema of the settings, an object.
    pub settings: Value,
    /// Settings of a typical node, as YAML under `with:`; empty where none are needed.
    pub example: String,
    /// Which of ezrun's own streams the node reads or writes.
    pub uses: Vec<Stream>,
    /// How the messages of several inputs belong together.
    #[serde(default)]
    pub joins: Joins,
}

/// Whether messages start, pass or end at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Messages start here.
    Source,
    /// Messages pass here.
    Transform,
    /// Messages end here.
    Sink,
}

/// One of ezrun's own streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
}

/// How the messages of several inputs belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Joins {
    /// Each is taken as it comes.
    #[default]
    Freely,
    /// Each message has a partner at every other input, and waits inside the node until that comes.
    Pairs,
    /// One message of each input is taken in turn, in the order of the ports, and each is waited for.
    InTurn,
}

/// Whether what comes in is kept, so that a message that was dropped on the way is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Records {
    /// It is not.
    #[default]
    Nothing,
    /// It is.
    Everything,
    /// It is, unless this setting is `true`.
    Unless {
        /// Name of the setting.
        setting: String,
    },
}

/// What an input accepts under some settings, where that is less than otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Narrowed {
    /// The setting that decides.
    pub setting: String,
    /// The words in it for which this holds.
    pub is: Vec<String>,
    /// What is accepted then.
    #[serde(rename = "type")]
    pub accepts: PortType,
}

/// An input port.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputPort {
    /// Name, such as `in`.
    pub name: String,
    /// What it accepts.
    #[serde(rename = "type")]
    pub accepts: PortType,
    /// Where it accepts less than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Narrowed>,
    /// Whether all messages here have to be of one kind: tensors with the same dimensions but the first, or records of one
    /// type.
    #[serde(default)]
    pub uniform: bool,
    /// Whether the node writes into the messages that it receives here, so that it needs its own copy.
    pub writes_in_place: bool,
    /// Whether the node asks for views here, which only zero-copy edges give.
    #[serde(default)]
    pub needs_views: bool,
    /// Whether the node is of no use without an edge into this port.
    pub required: bool,
    /// Whether any number of edges may end here.
    pub many: bool,
    /// How many messages the node keeps at a time, 1 or more.
    pub holds: u32,
    /// Whether what comes in here is kept.
    #[serde(default)]
    pub records: Records,
}

/// An output port.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputPort {
    /// Name, such as `out`.
    pub name: String,
    /// What it sends.
    #[serde(rename = "type")]
    pub sends: PortType,
    /// How its messages come.
    #[serde(default)]
    pub cadence: Cadence,
}

/// What a port accepts or sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PortType {
    /// Anything.
    Any,
    /// Plain bytes.
    Bytes,
    /// A tensor.
    Tensor {
        /// Element types; none means any.
        #[serde(default)]
        dtypes: Vec<DType>,
        /// Names of the dimensions, outermost first; none means any.
        #[serde(default)]
        dims: Vec<String>,
    },
    /// A record.
    Record {
        /// Name of the record type; none means any.
        #[serde(default)]
        name: Option<String>,
    },
    /// A tensor or a record: whatever has rows and columns.
    Table,
    /// Whatever comes in at the named input (outputs only).
    SameAs {
        /// Name of the input.
        input: String,
    },
}

impl Records {
    /// Whether a node with these settings misses what was dropped.
    #[must_use]
    pub fn applies(&self, settings: &Value) -> bool {
        match self {
            Records::Nothing => false,
            Records::Everything => true,
            Records::Unless { setting } => settings.get(setting).and_then(Value::as_bool) != Some(true),
        }
    }
}

impl InputPort {
    /// What it accepts of a node with these settings.
    #[must_use]
    pub fn accepts_with(&self, settings: Option<&Value>) -> &PortType {
        let applies = |narrowed: &&Narrowed| {
            let word = settings.and_then(|settings| settings.get(&narrowed.setting)).and_then(Value::as_str);
            word.is_some_and(|word| narrowed.is.iter().any(|one| one == word))
        };
        self.narrowed.as_ref().filter(applies).map_or(&self.accepts, |narrowed| &narrowed.accepts)
    }
}

impl PortType {
    /// A tensor of any element type and dimensions.
    #[must_use]
    pub fn tensor() -> Self {
        PortType::Tensor { dtypes: Vec::new(), dims: Vec::new() }
    }

    /// A block of samples: floating point, `[time, channel]`.
    #[must_use]
    pub fn signal() -> Self {
        Self::floats(&["time", "channel"])
    }

    /// A block of samples of this element type and no other, `[time, channel]`.
    #[must_use]
    pub fn signal_of(dtype: DType) -> Self {
        PortType::Tensor { dtypes: vec![dtype], dims: vec!["time".to_owned(), "channel".to_owned()] }
    }

    /// A floating-point tensor with these dimensions.
    #[must_use]
    pub fn floats(dims: &[&str]) -> Self {
        let dims = dims.iter().map(|&d| d.to_owned()).collect();
        PortType::Tensor { dtypes: vec![DType::F64, DType::F32], dims }
    }

    /// The record type with this name.
    #[must_use]
    pub fn record(name: &str) -> Self {
        PortType::Record { name: Some(name.to_owned()) }
    }

    /// What comes in at `input`.
    #[must_use]
    pub fn same_as(input: &str) -> Self {
        PortType::SameAs { input: input.to_owned() }
    }
}

impl fmt::Display for PortType {
    /// As in `tensor f64|f32[time, channel]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortType::Any => f.write_str("any"),
            PortType::Bytes => f.write_str("bytes"),
            PortType::Tensor { dtypes, dims } => {
                f.write_str("tensor")?;
                if !dtypes.is_empty() {
                    let names: Vec<String> = dtypes.iter().map(ToString::to_string).collect();
                    write!(f, " {}", names.join("|"))?;
                }
                if !dims.is_empty() {
                    write!(f, "[{}]", dims.join(", "))?;
                }
                Ok(())
            }
            PortType::Table => f.write_str("tensor or record"),
            PortType::Record { name: None } => f.write_str("record"),
            PortType::Record { name: Some(name) } => write!(f, "record {name}"),
            PortType::SameAs { input } => write!(f, "same as {input}"),
        }
    }
}
