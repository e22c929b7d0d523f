//! What a pack answers: of itself when it is asked to `describe`, of settings when it is asked to `check` them. JSON on its
//! standard output.

use super::description::MAX_HOLDS;
use super::{KnownSignal, Registry, SettingError, TypeDescription};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The node types of an executable.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackDescription {
    /// Version of this description and of what runs behind it: [`PackDescription::PROTOCOL`].
    pub ezrun_pack: u32,
    /// Its node types, by name.
    pub types: Vec<TypeDescription>,
}

/// A text that is no description of a pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It is something else.
    #[error("it is no description of node types: {0}")]
    NotAPack(String),
    /// It is made for another version of ezrun.
    #[error("it speaks pack version {found}, this ezrun speaks {}", PackDescription::PROTOCOL)]
    Version {
        /// The version that it names.
        found: u64,
    },
}

impl PackDescription {
    /// The version that this ezrun speaks.
    pub const PROTOCOL: u32 = 1;

    /// Reads a description.
    ///
    /// # Errors
    /// [`DescriptionError`] where the text is none, or one of another version.
    pub fn from_json(text: &[u8]) -> Result<Self, DescriptionError> {
        let not_a_pack = |e: serde_json::Error| DescriptionError::NotAPack(e.to_string());
        let value: serde_json::Value = serde_json::from_slice(text).map_err(not_a_pack)?;
        let Some(found) = value.get("ezrun_pack").and_then(serde_json::Value::as_u64) else {
            return Err(DescriptionError::NotAPack("it has no `ezrun_pack` version".to_owned()));
        };
        // The version comes first: another one may have other fields.
        if found != u64::from(Self::PROTOCOL) {
            return Err(DescriptionError::Version { found });
        }
        let description: Self = serde_json::from_value(value).map_err(not_a_pack)?;
        for (node_type, input) in description.types.iter().flat_map(|t| t.inputs.iter().map(move |i| (t, i))) {
            if !(1..=MAX_HOLDS).contains(&input.holds) {
                let (name, port, holds) = (&node_type.name, &input.name, input.holds);
                let cause =
                    format!("the input `{port}` of `{name}` holds {holds} messages, and 1 to {MAX_HOLDS} are possible");
                return Err(DescriptionError::NotAPack(cause));
            }
        }
        Ok(description)
    }
}

/// Describes the node types in `registry`.
#[must_use]
pub fn describe(registry: &Registry) -> PackDescription {
    let types = registry.iter().map(|node_type| node_type.description().clone()).collect();
    PackDescription { ezrun_pack: PackDescription::PROTOCOL, types }
}

/// Settings of a node, as a pack is asked to `check` them: a list of these on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsToCheck {
    /// Name of the node's type, without the pack.
    #[serde(rename = "type")]
    pub node_type: String,
    /// The settings, right as far as the type's schema can tell.
    pub settings: serde_json::Value,
    /// The signal that comes in, where the question is whether the settings, right in themselves, are possible with it.
    #[serde(default)]
    pub signal: Option<KnownSignal>,
}

/// What the types themselves say of settings: for each, what is wrong with it, if anything is.
#[must_use]
pub fn check(registry: &Registry, settings: Vec<SettingsToCheck>) -> Vec<Option<SettingError>> {
    let verdict = |asked: SettingsToCheck| {
        let node_type = registry.get(&asked.node_type)?;
        match asked.signal {
            Some(signal) => node_type.misfit(&asked.settings, &signal),
            None => node_type.make(asked.settings).err(),
        }
    };
    settings.into_iter().map(verdict).collect()
}

/// Where the description of a pack is saved: beside its executable, for validation that runs nothing.
#[must_use]
pub fn description_path(executable: &Path) -> PathBuf {
    let mut path = executable.as_os_str().to_owned();
    path.push(".ezrun.json");
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_survives_the_trip_through_json() {
        let described = describe(&crate::nodes::registry());
        let text = serde_json::to_vec(&described).unwrap();
        let read = PackDescription::from_json(&text).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&described).unwrap());
    }

    #[test]
    fn another_version_is_named_before_anything_else_is_read() {
        let error = PackDescription::from_json(br#"{"ezrun_pack": 2, "wheels": 4}"#).unwrap_err();
        assert_eq!(error.to_string(), "it speaks pack version 2, this ezrun speaks 1");
        let error = PackDescription::from_json(b"usage: my_nodes [OPTIONS]").unwrap_err();
        assert!(error.to_string().starts_with("it is no description of node types"), "{error}");
        let mut described = describe(&crate::nodes::registry());
        described.types[0].inputs.clear();
        let with_input = described.types.iter_mut().find(|t| !t.inputs.is_empty()).unwrap();
        with_input.inputs[0].holds = MAX_HOLDS + 1;
        let error = PackDescription::from_json(&serde_json::to_vec(&described).unwrap()).unwrap_err();
        assert!(error.to_string().contains("holds 65 messages"), "{error}");
        let error = PackDescription::from_json(b"{}").unwrap_err();
        assert!(error.to_string().contains("no `ezrun_pack` version"), "{error}");
    }
}
