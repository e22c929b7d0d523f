//! How a user names a channel in the settings: by its label, or by its index from 0.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A channel as a user names it.
#[derive(Clone, Debug, PartialEq)]
pub enum ChannelName {
    /// Its index, from 0.
    Index(u64),
    /// Its label.
    Label(String),
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChannelName::Index(index) => write!(f, "{index}"),
            ChannelName::Label(label) => write!(f, "`{label}`"),
        }
    }
}

impl<'de> Deserialize<'de> for ChannelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = ChannelName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel's label, or its index from 0")
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<ChannelName, E> {
        Ok(ChannelName::Index(index))
    }

    fn visit_str<E: Error>(self, label: &str) -> Result<ChannelName, E> {
        Ok(ChannelName::Label(label.to_owned()))
    }
}

impl JsonSchema for ChannelName {
    fn schema_name() -> Cow<'static, str> {
        "Channel".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minimum": 0 })
    }
}
