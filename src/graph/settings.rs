//! Rules on settings: what follows `with:` is what the node type's JSON Schema asks for, and what the type itself takes.

use super::finding::{Draft, Findings};
use super::model::ModelNode;
use super::packs::Packs;
use super::rules;
use super::source::SourceFile;
use super::sources::Sources;
use super::walker::Walker;
use super::yaml::{Kind, Tree};
use crate::node::{Registry, Role, SettingError, SettingsToCheck, TypeDescription};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Checks the settings of `node`, and keeps them where they are right.
pub(super) fn check(node: &mut ModelNode<'_>, registry: &Registry, file: &SourceFile, findings: &mut Findings) {
    let Some(node_type) = node.node_type.clone() else { return };
    let before = findings.len();
    let way_out = way_out(node, &node_type);
    let mut walker = Walker::new(&node_type.settings, file, &node.name, &way_out);
    let none = Tree::new(node.name.span, Kind::Map(Box::default()));
    let settings = walker.settings(node.with.unwrap_or(&none));
    let is_whole = walker.findings.len() == 0 && !walker.unknown;
    findings.extend(walker.findings);
    if let Some(built_in) = registry.get(&node_type.name).filter(|_| node.pack.is_none()) {
        let faults = if is_whole { built_in.faults(&settings) } else { built_in.faults_of_values(&settings) };
        faults.iter().for_each(|fault| findings.add(refused(fault, node, &way_out, file)));
    }
    let has_nul = |path: &&Tree| matches!(&path.kind, Kind::String(path) if path.contains('\0'));
    if let Some(path) = file_name(node, file).filter(has_nul) {
        let message = format!("the setting `path` of `{}` has a NUL, and no path can have one", node.name.text);
        findings.add(Draft::new(rules::BAD_SETTING, path.span, message).help("take the `\\0` out"));
    }
    if is_whole && findings.len() == before {
        node.settings = Some(settings);
    }
}

/// Where a source or a sink names its file: the setting `path`. What a transform calls so may be anything.
pub(super) fn file_name<'t>(node: &ModelNode<'t>, file: &SourceFile) -> Option<&'t Tree> {
    let is_transform = node.node_type.as_ref()?.role == Role::Transform;
    written(node, "path", file).filter(|_| !is_transform)
}

/// The value of a setting as it is written.
pub(super) fn written<'t>(node: &ModelNode<'t>, setting: &str, file: &SourceFile) -> Option<&'t Tree> {
    match node.with.map(|with| &with.kind) {
        Some(Kind::Map(entries)) => entries.iter().find(|(key, _)| key.text(file) == setting).map(|(_, value)| value),
        _ => None,
    }
}

/// Where to read of the settings of a node.
fn way_out(node: &ModelNode<'_>, node_type: &TypeDescription) -> String {
    match &node.pack {
        None => format!("`ezrun nodes {}` shows its settings", node_type.name),
        Some(pack) => format!("`{} describe` tells its settings", pack.display()),
    }
}

/// What only the node type itself knows of its settings, such as that one is less than another.
fn refused(error: &SettingError, node: &ModelNode<'_>, way_out: &str, file: &SourceFile) -> Draft {
    let at = error.setting.as_deref().and_then(|setting| written(node, setting, file)).map(|value| value.span);
    let message = match &error.setting {
        Some(setting) => format!("the setting `{setting}` of `{}`: {}", node.name.text, error.message),
        None => format!("the settings of `{}`: {}", node.name.text, error.message),
    };
    Draft::new(rules::BAD_SETTING, at.unwrap_or(node.name.span), message).help(way_out)
}

/// Has packs check what only their types know of settings: each pack is asked once, for all its nodes.
pub(super) fn ask_packs(nodes: &mut [ModelNode<'_>], packs: &dyn Packs, sources: &Sources, findings: &mut Findings) {
    let mut by_pack: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if let (Some(pack), Some(_), Some(_)) = (&node.pack, &node.node_type, &node.settings) {
            by_pack.entry(pack.clone()).or_default().push(at);
        }
    }
    for (pack, asked) in by_pack {
        let question = |&at: &usize| {
            let node = &nodes[at];
            let (node_type, settings) = (node.node_type.as_ref()?.name.clone(), node.settings.clone()?);
            Some(SettingsToCheck { node_type, settings })
        };
        let settings: Vec<SettingsToCheck> = asked.iter().filter_map(question).collect();
        let verdicts = match packs.check(&pack, &settings) {
            Ok(verdicts) => verdicts,
            Err(fault) => {
                let span = nodes[asked[0]].uses.as_ref().map_or(nodes[asked[0]].name.span, |uses| uses.span);
                findings.add(Draft::new(rules::BAD_PACK, span, fault.to_string()).help(fault.help()));
                continue;
            }
        };
        for (&at, error) in asked.iter().zip(verdicts) {
            if let (Some(error), Some(node_type)) = (error, nodes[at].node_type.clone()) {
                let file = sources.file(nodes[at].file);
                let way_out = way_out(&nodes[at], &node_type);
                findings.add(refused(&error, &nodes[at], &way_out, file));
                nodes[at].settings = None;
            }
        }
    }
}
