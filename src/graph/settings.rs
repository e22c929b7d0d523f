//! Rules on settings: what follows `with:` is what the node type's JSON Schema asks for, and what the type itself takes.

use super::finding::{Draft, Findings};
use super::model::{Model, ModelNode};
use super::packs::Packs;
use super::source::{SourceFile, Span};
use super::sources::{Sources, called};
use super::streams::Streams;
use super::walker::Walker;
use super::yaml::{Kind, Tree};
use super::{fitting, rules};
use crate::node::{Registry, Role, SettingError, SettingsToCheck, Step, TypeDescription};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What is told already of settings, by rule, place and node type, and the node that it is told of: an alias has the same
/// settings at several nodes.
pub(super) type Told = HashMap<((&'static str, Span), String), Span>;

/// Checks the settings of `node`, and keeps them where they are right.
pub(super) fn check(
    node: &mut ModelNode<'_>,
    registry: &Registry,
    file: &SourceFile,
    told: &mut Told,
    findings: &mut Findings,
) {
    let Some(node_type) = node.node_type.clone() else { return };
    let mut own = Findings::default();
    check_alone(node, &node_type, registry, file, &mut own);
    let at = node.name.span;
    let mut first = |draft: &Draft| *told.entry((draft.key(), node_type.name.clone())).or_insert(at);
    findings.extend_with_aliases(own, |draft| first(draft) != at);
}

/// As [`check`], whatever is told of other nodes.
fn check_alone(
    node: &mut ModelNode<'_>,
    node_type: &TypeDescription,
    registry: &Registry,
    file: &SourceFile,
    findings: &mut Findings,
) {
    let way_out = way_out(node, node_type, file);
    let mut walker = Walker::new(&node_type.settings, file, &node.name, &way_out);
    let none = Tree::new(node.name.span, Kind::Map(Box::default()));
    let settings = walker.settings(node.with.unwrap_or(&none), &node.strays);
    if walker.is_lost() {
        let message = format!("the schema of `{}` leads around in circles, or branches too often", node_type.name);
        let span = node.uses.as_ref().map_or(node.name.span, |uses| uses.span);
        return findings.add(Draft::new(rules::BAD_PACK, span, message).help("flatten it in the pack"));
    }
    let is_whole = walker.faults() == 0 && !walker.unknown && node.strays.is_empty();
    let misspelt = walker.misspelt;
    findings.extend(walker.findings);
    let before = findings.len();
    node.misspelt = misspelt;
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

/// The value of a setting as it is written, though its key may be misspelt.
pub(super) fn written<'t>(node: &ModelNode<'t>, setting: &str, file: &SourceFile) -> Option<&'t Tree> {
    match node.with.map(|with| &with.kind) {
        Some(Kind::Map(entries)) => {
            entries.iter().find(|(key, _)| node.setting(key, file) == setting).map(|(_, value)| value)
        }
        _ => None,
    }
}

/// Where to read of the settings of a node.
fn way_out(node: &ModelNode<'_>, node_type: &TypeDescription, file: &SourceFile) -> String {
    let Some(pack) = &node.pack else { return format!("`ezrun nodes {}` shows its settings", node_type.name) };
    let name = called(pack.strip_prefix(file.dir()).unwrap_or(pack), file).display().to_string();
    let here = if name.contains('/') { "" } else { "./" };
    format!("`{here}{name} describe` tells its settings")
}

/// What only the node type itself knows of its settings, such as that one is less than another.
fn refused(error: &SettingError, node: &ModelNode<'_>, way_out: &str, file: &SourceFile) -> Draft {
    let (message, at) = match &error.setting {
        Some(setting) => told(setting, error, node, file),
        None => (format!("the settings of `{}`: {}", node.name.text, error.message), node.name.span),
    };
    Draft::new(rules::BAD_SETTING, at, message).help(way_out)
}

/// What is said of one setting, and where that is; at the node where it is not written.
pub(super) fn told(setting: &str, error: &SettingError, node: &ModelNode<'_>, file: &SourceFile) -> (String, Span) {
    let at = written(node, setting, file)
        .map(|value| error.within.iter().fold(value, |at, step| inside(node, at, step, file)));
    let message = format!("the setting `{setting}` of `{}`: {}", node.name.text, error.message);
    (message, at.map_or(node.name.span, |value| value.span))
}

/// What is one step into `value`; itself where there is nothing.
fn inside<'t>(node: &ModelNode<'_>, value: &'t Tree, step: &Step, file: &SourceFile) -> &'t Tree {
    let inner = match (&value.kind, step) {
        (Kind::Seq(items), Step::Item(at)) => items.get(*at),
        (Kind::Map(entries), Step::Key(name)) => {
            entries.iter().find(|(key, _)| node.setting(key, file) == name).map(|(_, value)| value)
        }
        _ => None,
    };
    inner.unwrap_or(value)
}

/// Has packs check what only their types know of settings: each pack is asked once, for all its nodes, whether their
/// settings are right, and possible with the signals that come in.
pub(super) fn ask_packs(model: &mut Model<'_>, packs: &dyn Packs, sources: &Sources, findings: &mut Findings) {
    let mut by_pack: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (at, node) in model.nodes.iter().enumerate() {
        if let (Some(pack), Some(_), Some(_)) = (&node.pack, &node.node_type, &node.settings) {
            by_pack.entry(pack.clone()).or_default().push(at);
        }
    }
    if by_pack.is_empty() {
        return;
    }
    let streams = Streams::of(model);
    for (pack, nodes) in by_pack {
        let questions: Vec<Question> = nodes.iter().flat_map(|&at| questions(model, &streams, at)).collect();
        let asked: Vec<SettingsToCheck> = questions.iter().map(|question| question.asked.clone()).collect();
        let verdicts = match packs.check(&pack, &asked) {
            Ok(verdicts) => verdicts,
            Err(fault) => {
                let node = &model.nodes[nodes[0]];
                let span = node.uses.as_ref().map_or(node.name.span, |uses| uses.span);
                findings.add(Draft::new(rules::BAD_PACK, span, fault.to_string()).help(fault.help()));
                continue;
            }
        };
        for (question, error) in questions.iter().zip(verdicts) {
            // What is wrong in itself is not held against a signal as well.
            if let Some(error) = error.filter(|_| model.nodes[question.node].settings.is_some()) {
                findings.add(question.refused(&error, model, &streams, sources));
                model.nodes[question.node].settings = None;
            }
        }
    }
}

/// What a pack is asked of a node.
struct Question {
    node: usize,
    asked: SettingsToCheck,
}

/// Whether the settings of a node are right, and, where something is known of it, possible with the signal that comes in.
fn questions(model: &Model<'_>, streams: &Streams, node: usize) -> Vec<Question> {
    let ModelNode { node_type: Some(node_type), settings: Some(settings), .. } = &model.nodes[node] else {
        return Vec::new();
    };
    let signal = fitting::incoming(model, streams, node).map(|incoming| incoming.signal);
    let question = |signal| {
        let (node_type, settings) = (node_type.name.clone(), settings.clone());
        Question { node, asked: SettingsToCheck { node_type, settings, signal } }
    };
    [Some(question(None)), signal.map(|signal| question(Some(signal)))].into_iter().flatten().collect()
}

impl Question {
    fn refused(&self, error: &SettingError, model: &Model<'_>, streams: &Streams, sources: &Sources) -> Draft {
        let node = &model.nodes[self.node];
        match fitting::incoming(model, streams, self.node).filter(|_| self.asked.signal.is_some()) {
            Some(incoming) => fitting::misfit(error, node, &incoming, sources),
            None => {
                let file = sources.file(node.file);
                let way_out = node.node_type.as_ref().map(|node_type| way_out(node, node_type, file));
                refused(error, node, &way_out.unwrap_or_default(), file)
            }
        }
    }
}
