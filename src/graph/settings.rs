//! Rules on settings: what follows `with:` is what the node type's JSON Schema asks for, and what the type itself takes.

use super::finding::{Draft, Findings};
use super::model::ModelNode;
use super::packs::Packs;
use super::rules;
use super::source::SourceFile;
use super::sources::Sources;
use super::walker::Walker;
use super::yaml::{Kind, Tree};
use crate::node::{Registry, SettingError, SettingsToCheck, TypeDescription};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Checks the settings of `node`, and keeps them where they are right.
pub(super) fn check(node: &mut ModelNode<'_>, registry: &Registry, file: &SourceFile, findings: &mut Findings) {
    let Some(node_type) = node.node_type.clone() else { return };
    let before = findings.len();
    let mut walker = Walker::new(&node_type.settings, file, &node.name);
    let none = Tree::new(node.name.span, Kind::Map(Box::default()));
    let settings = walker.settings(node.with.unwrap_or(&none));
    let unknown = walker.unknown;
    findings.extend(walker.findings);
    if unknown || findings.len() > before {
        return;
    }
    if node.pack.is_none()
        && let Some(built_in) = registry.get(&node_type.name)
        && let Err(error) = built_in.make(settings.clone())
    {
        findings.add(refused(&error, node, &node_type, file));
        return;
    }
    node.settings = Some(settings);
}

/// What only the node type itself knows of its settings, such as that one is less than another.
fn refused(error: &SettingError, node: &ModelNode<'_>, node_type: &TypeDescription, file: &SourceFile) -> Draft {
    let at = match node.with.map(|with| &with.kind) {
        Some(Kind::Map(entries)) => entries
            .iter()
            .find(|(key, _)| error.setting.as_deref() == Some(key.text(file)))
            .map(|(_, value)| value.span),
        _ => None,
    };
    let message = match &error.setting {
        Some(setting) => format!("the setting `{setting}` of `{}`: {}", node.name.text, error.message),
        None => format!("the settings of `{}`: {}", node.name.text, error.message),
    };
    let help = match &node.pack {
        None => format!("`ezrun nodes {}` shows its settings", node_type.name),
        Some(pack) => format!("`{} describe` tells its settings", pack.display()),
    };
    Draft::new(rules::BAD_SETTING, at.unwrap_or(node.name.span), message).help(help)
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
                findings.add(refused(&error, &nodes[at], &node_type, file));
                nodes[at].settings = None;
            }
        }
    }
}
