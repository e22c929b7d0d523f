//! Rules on delivery: a copy where the input writes, a view where it only reads.

use super::finding::{Draft, Findings};
use super::model::{Model, Wire};
use super::rules;
use super::source::Span;
use std::collections::HashSet;

pub(super) fn in_place_views(model: &Model<'_>, findings: &mut Findings) {
    for wire in model.wires() {
        let Some(zero_copy) = wire.edge.zero_copy.filter(|flag| flag.value) else { continue };
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        if input.writes_in_place {
            let (name, port, type_name) = (&node.name.text, &input.name, &node_type.name);
            let message =
                format!("`{type_name}` writes into what it receives at `{name}.{port}`: it needs its own copy");
            let help = "take `zero_copy: true` out";
            let draft = Draft::new(rules::IN_PLACE_VIEW, zero_copy.span, message).help(help);
            findings.add(draft.related(node.name.span, format!("`{name}` writes in place")));
        }
    }
}

pub(super) fn copies_for_views(model: &Model<'_>, findings: &mut Findings) {
    for wire in model.wires() {
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        if input.needs_views && wire.edge.zero_copy.is_none_or(|flag| !flag.value) {
            let span = wire.edge.zero_copy.map_or(wire.to_span, |flag| flag.span);
            let (name, type_name) = (&node.name.text, &node_type.name);
            let message = format!("`{type_name}` asks for views at `{name}.{}`, and this edge copies", input.name);
            findings.add(Draft::new(rules::NEEDS_VIEWS, span, message).help("write `zero_copy: true` on this edge"));
        }
    }
}

pub(super) fn needless_copies(model: &Model<'_>, findings: &mut Findings) {
    let written_in_place = |wire: &Wire<'_>| {
        model.nodes[wire.to.0].node_type.as_ref().is_some_and(|node_type| node_type.inputs[wire.to.1].writes_in_place)
    };
    // An edge into a file's port may end at several inputs: one that writes needs the copy for all of them.
    let needed: HashSet<Span> = model.wires().filter(written_in_place).map(|wire| wire.to_span).collect();
    for wire in model.wires().filter(|wire| !needed.contains(&wire.to_span)) {
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        let copies = wire.edge.zero_copy.is_none_or(|flag| !flag.value);
        if copies && !input.writes_in_place && !input.needs_views && !wire.edge.faulty {
            let span = wire.edge.zero_copy.map_or(wire.to_span, |flag| flag.span);
            let message = format!("`{}.{}` only reads, yet each message is copied for it", node.name.text, input.name);
            findings.add(Draft::new(rules::NEEDLESS_COPY, span, message).help("write `zero_copy: true` on this edge"));
        }
    }
}
