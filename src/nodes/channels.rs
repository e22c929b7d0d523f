//! How a user names a channel in the settings: by its label, or by its index from 0.

use crate::node::{KnownSignal, SettingError};
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

/// Whether the channels that `setting` gives by index are there, as far as it is known how many there are.
///
/// # Errors
/// For the first that is not.
pub fn all_there(setting: &str, names: &[ChannelName], signal: &KnownSignal) -> Result<(), SettingError> {
    let Some(channels) = signal.channels else { return Ok(()) };
    match names.iter().find(|name| matches!(name, ChannelName::Index(index) if *index >= channels)) {
        Some(name) => Err(SettingError::at(setting, no_channel(name, channels))),
        None => Ok(()),
    }
}

/// That one of `channels` channels, counted from 0, was asked for that is not there.
pub fn no_channel(name: &ChannelName, channels: u64) -> String {
    match channels {
        1 => format!("there is no channel {name}: the only channel is 0"),
        _ => format!("there is no channel {name}: the channels are 0 to {}", channels - 1),
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
