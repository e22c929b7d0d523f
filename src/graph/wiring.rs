//! Rules on wiring: what may be connected to what, and what must be.

use super::finding::{Draft, Findings};
use super::flatten::{Loose, own_name};
use super::model::{Model, Port, Wire};
use super::ports::Side;
use super::rules;
use super::source::Span;
use super::yaml::quoted;
use std::collections::HashSet;

pub(super) fn self_edges(model: &Model<'_>, findings: &mut Findings) {
    for edge in &model.edges {
        let (Some(from), Some(to)) = (edge.from, edge.to) else { continue };
        if from.node == to.node {
            let message = format!("this edge leads from `{0}` to `{0}` itself", model.nodes[to.node].name.text);
            let help = "end the edge at another node; what a node needs of its own past it can keep";
            findings.add(Draft::new(rules::SELF_EDGE, to.span, message).help(help));
        }
    }
}

/// An output goes to an input once, and an input takes one edge unless its type says otherwise.
pub(super) fn inputs_taken(model: &Model<'_>, findings: &mut Findings) {
    let mut wires: Vec<Wire<'_>> = Vec::new();
    for node in 0..model.nodes.len() {
        wires.clear();
        wires.extend(model.wires_into(node));
        wires.sort_by_key(|wire| wire.to.1);
        for at_input in wires.chunk_by_mut(|a, b| a.to == b.to) {
            let first = at_input[0];
            at_input.sort_by_key(|wire| wire.from);
            for of_output in at_input.chunk_by(|a, b| a.from == b.from) {
                let (once, again) = (&of_output[0], &of_output[1..]);
                for wire in again {
                    let (from, to) = (model.port_name(wire.from, Side::Output), model.port_name(wire.to, Side::Input));
                    findings.add(duplicate(&from, &to, wire.to_span, once.to_span));
                }
                // One edge of the file may lead to an input over several ports of a part.
                if once.to_span != first.to_span && !model.takes_many(once.to) {
                    findings.add(input_taken(model, once, &first));
                }
            }
        }
    }
}

/// An edge from `from` to `to` that is there once more.
pub(super) fn duplicate(from: &str, to: &str, again: Span, first: Span) -> Draft {
    let draft = Draft::new(rules::DUPLICATE_EDGE, again, format!("`{from}` goes to `{to}` twice"));
    draft.help("keep one of the two edges").related(first, "first connected here")
}

fn input_taken(model: &Model<'_>, wire: &Wire<'_>, first: &Wire<'_>) -> Draft {
    let message = format!("`{}` has an edge already", model.port_name(wire.to, Side::Input));
    let help = "it takes one; put a `merge` node before it to join several";
    let draft = Draft::new(rules::INPUT_TAKEN, wire.to_span, message).help(help);
    draft.related(first.to_span, "connected here")
}

pub(super) fn unconnected_inputs(model: &Model<'_>, findings: &mut Findings) {
    // Also an edge from a node of unknown type ends somewhere.
    let is_connected = |(node, port): Port| {
        let ends_here = |&edge: &usize| model.edges[edge].to.is_some_and(|to| to.port == Some(port));
        model.open_inputs.contains(&(node, port)) || model.shape.edges_into(node).iter().any(ends_here)
    };
    let mut told = HashSet::new();
    for (at, node) in model.nodes.iter().enumerate() {
        let Some(node_type) = &node.node_type else { continue };
        if model.faulty_inputs.contains(&at) || !node.is_well_named() {
            continue;
        }
        for (port, input) in node_type.inputs.iter().enumerate() {
            if input.required && !is_connected((at, port)) {
                if let Some(loose) = model.loose_inputs.get(&(at, port)) {
                    if told.insert((loose.at, loose.port.as_str())) {
                        findings.add(loose_input(loose, node.name.span));
                    }
                    continue;
                }
                let name = own_name(&node.name.text);
                let message = format!("nothing is connected to the input `{}` of `{name}`", input.name);
                let end = if node_type.inputs.len() == 1 { name.to_owned() } else { format!("{name}.{}", input.name) };
                let end = quoted(&end);
                let help = if model.needed_of_users.contains(&(at, port)) {
                    "this file is a part: run a graph that uses it, and that connects this input".to_owned()
                } else {
                    format!("add an edge: `{{ from: …, to: {end} }}`")
                };
                findings.add(Draft::new(rules::UNCONNECTED_INPUT, node.name.span, message).help(help));
            }
        }
    }
}

/// A port of a file that stands for a node, and that an input which needs an edge waits behind.
fn loose_input(loose: &Loose, inner: Span) -> Draft {
    let Loose { node, at, port } = loose;
    let message = format!("nothing is connected to the input `{port}` of `{node}`");
    let help = format!("add an edge: `{{ from: …, to: {node}.{port} }}`");
    Draft::new(rules::UNCONNECTED_INPUT, *at, message).help(help).related(inner, "what it is for")
}

pub(super) fn unread_outputs(model: &Model<'_>, findings: &mut Findings) {
    let mut read: Vec<Vec<usize>> = vec![Vec::new(); model.nodes.len()];
    let ends = model.edges.iter().filter_map(|edge| edge.from).filter_map(|from| Some((from.node, from.port?)));
    for (node, port) in ends.chain(model.open_outputs.iter().copied()) {
        if !read[node].contains(&port) {
            read[node].push(port);
        }
    }
    for (at, node) in model.nodes.iter().enumerate() {
        let Some(node_type) = &node.node_type else { continue };
        if model.faulty_outputs.contains(&at) || !node.is_well_named() {
            continue;
        }
        for (port, output) in node_type.outputs.iter().enumerate() {
            if !read[at].contains(&port) {
                let loose = model.loose_outputs.get(&(at, port));
                let (name, port, place) = match loose {
                    Some(loose) => (loose.node.as_str(), loose.port.as_str(), loose.at),
                    None => (own_name(&node.name.text), output.name.as_str(), node.name.span),
                };
                let message = format!("nobody reads the output `{port}` of `{name}`");
                let help = "connect it, to a `null` node where it is not needed";
                findings.add(Draft::new(rules::UNREAD_OUTPUT, place, message).help(help));
            }
        }
    }
}
