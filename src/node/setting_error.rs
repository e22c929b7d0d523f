//! Settings that a node type refuses, and where.

use serde::{Deserialize, Serialize};
use serde_path_to_error::Segment;
use std::fmt;

/// Settings that a node type refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct SettingError {
    /// Name of the setting at fault, where it is one.
    pub setting: Option<String>,
    /// Where inside of it: keys of mappings, and places in lists from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Step>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A step into a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// To the item at this place of a list, from 0.
    Item(usize),
    /// To the value of this key of a mapping.
    Key(String),
}

impl SettingError {
    /// `setting` is wrong, as `message` says.
    #[must_use]
    pub fn at(setting: &str, message: impl fmt::Display) -> Self {
        SettingError { setting: Some(setting.to_owned()), within: Vec::new(), message: message.to_string() }
    }

    /// No single setting is wrong, as `message` says.
    #[must_use]
    pub fn of_all(message: impl fmt::Display) -> Self {
        SettingError { setting: None, within: Vec::new(), message: message.to_string() }
    }

    /// More exactly, what is wrong is there.
    #[must_use]
    pub fn within(mut self, step: Step) -> Self {
        self.within.push(step);
        self
    }
}

/// What the settings' own types refuse, at the value in which it stands.
impl From<&serde_path_to_error::Error<serde_json::Error>> for SettingError {
    fn from(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let mut path = error.path().iter();
        let setting = match path.next() {
            Some(Segment::Map { key }) => Some(key.clone()),
            _ => None,
        };
        let within = path.map_while(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Item(*index)),
            _ => None,
        });
        SettingError { setting, within: within.collect(), message: error.inner().to_string() }
    }
}
