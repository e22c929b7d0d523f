//! Whether settings that are right in themselves are possible with the signal that comes in, as far as that is known.

use super::finding::{Draft, Findings};
use super::model::{Model, ModelNode, Wire};
use super::sources::Sources;
use super::streams::Streams;
use super::{rules, settings};
use crate::node::{KnownSignal, Registry, SettingError, counted, figures};

/// What is known of the signal at the first input of a node, and an edge that brings it.
pub(super) struct Incoming<'m> {
    pub signal: KnownSignal,
    wire: Wire<'m>,
}

/// Nothing where nothing is known.
pub(super) fn incoming<'m>(model: &'m Model<'_>, streams: &Streams, node: usize) -> Option<Incoming<'m>> {
    let wires = || model.wires_into(node).filter(|wire| wire.to.1 == 0);
    let signal = streams.joined(wires()).known();
    Some(Incoming { signal, wire: wires().next()? }).filter(|incoming| incoming.signal.is_known())
}

/// The settings of built-in types; packs are asked for theirs.
pub(super) fn misfits(
    model: &Model<'_>,
    streams: &Streams,
    registry: &Registry,
    sources: &Sources,
    findings: &mut Findings,
) {
    let mismatched = findings.places_of(rules::TYPE_MISMATCH);
    let fits = |at| !model.wires_into(at).any(|wire| mismatched.contains(&wire.to_span));
    for (at, node) in model.nodes.iter().enumerate().filter(|(at, node)| node.pack.is_none() && fits(*at)) {
        let Some((node_type, settings)) = node.node_type.as_ref().zip(node.settings.as_ref()) else { continue };
        let Some(built_in) = registry.get(&node_type.name).filter(|built_in| built_in.minds_signals()) else {
            continue;
        };
        let Some(incoming) = incoming(model, streams, at) else { continue };
        if let Some(error) = built_in.misfit(settings, &incoming.signal) {
            findings.add(misfit(&error, node, &incoming, sources));
        }
    }
}

/// What a node type says of its settings and that signal.
pub(super) fn misfit(error: &SettingError, node: &ModelNode<'_>, incoming: &Incoming<'_>, sources: &Sources) -> Draft {
    let (message, span) = match &error.setting {
        Some(setting) => settings::told(setting, error, node, sources.file(node.file)),
        None => (format!("`{}` cannot take this signal: {}", node.name.text, error.message), incoming.wire.to_span),
    };
    let draft = Draft::new(rules::SETTING_MISMATCH, span, message);
    match error.setting {
        Some(_) => draft
            .help("change it, or the signal on its way here")
            .related(incoming.wire.to_span, format!("what comes in here: {}", in_words(&incoming.signal))),
        None => draft.help("change the signal on its way here"),
    }
}

/// As in `250 samples per second, 2 channels`.
fn in_words(signal: &KnownSignal) -> String {
    let rate = signal.rate_hz.map(|rate| format!("{} samples per second", figures(rate)));
    let channels = signal.channels.map(|channels| counted(channels as usize, "channel"));
    let samples = signal.samples.map(|samples| format!("{} per message", counted(samples as usize, "sample")));
    [rate, channels, samples].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
