//! How a user names a channel in the settings: by its label, or by its index from 0.

use crate::node::{KnownSignal, SHOWN_LABELS, SettingError, Step, first_of};
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

/// Whether the channels that `setting` names are there, as far as it is known which there are.
///
/// # Errors
/// For the first that is not.
pub fn all_there(setting: &str, names: &[ChannelName], signal: &KnownSignal) -> Result<(), SettingError> {
    let (channels, labels) = (signal.channels, signal.labels.as_deref());
    let lacks = |name: &ChannelName| match name {
        ChannelName::Index(index) => channels.is_some_and(|channels| *index >= channels),
        ChannelName::Label(label) => labels.is_some_and(|labels| !labels.contains(label)),
    };
    match names.iter().position(lacks) {
        Some(at) => {
            let message = no_channel(&names[at], channels, labels.unwrap_or_default());
            Err(SettingError::at(setting, message).within(Step::Item(at)))
        }
        None => Ok(()),
    }
}

/// That one of `channels` channels, counted from 0 and called `labels`, was asked for that is not there.
pub fn no_channel(name: &ChannelName, channels: Option<u64>, labels: &[String]) -> String {
    let indices = match channels {
        None => "they have no labels".to_owned(),
        Some(1) => "the only channel is 0".to_owned(),
        Some(channels) => format!("the channels are 0 to {}", channels - 1),
    };
    let called = if labels.is_empty() { String::new() } else { format!(", called {}", first_of(labels, SHOWN_LABELS)) };
    format!("there is no channel {name}: {indices}{called}")
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
