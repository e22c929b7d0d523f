//! The picture in graphviz' language.

use super::{Line, Picture};
use crate::graph::Delivery;
use std::fmt::Write;

/// Draws it.
pub fn draw(picture: &Picture) -> String {
    let mut dot = format!("digraph {} {{\n", quoted(&picture.name));
    dot += "  rankdir=LR;\n  fontname=monospace;\n";
    dot += "  node [shape=box, style=rounded, fontname=monospace];\n";
    dot += "  edge [fontname=monospace, fontsize=10];\n";
    dot += "  labelloc=b;\n  label=\"solid, with a dot: a private copy · dashed: a view, nothing is copied\";\n";
    for (at, frame) in picture.boxes.iter().enumerate() {
        let nodes: Vec<String> = frame.nodes.iter().map(|node| format!("n{node};")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            dot,
            "  subgraph cluster_{at} {{ label={}; labelloc=t; {} }}",
            quoted(&frame.name),
            nodes.join(" ")
        );
    }
    for (at, node) in picture.nodes.iter().enumerate() {
        let _ = writeln!(dot, "  n{at} [label={}];", quoted(&format!("{}\n{}", node.name, node.node_type)));
    }
    for edge in &picture.edges {
        let _ = writeln!(dot, "  n{} -> n{} [{}];", edge.from, edge.to, attributes(edge));
    }
    dot + "}\n"
}

fn attributes(edge: &Line) -> String {
    let mut attributes = match edge.delivery {
        Delivery::Copy => "style=solid, color=\"#b45309\", arrowhead=normaldot".to_owned(),
        Delivery::ZeroCopy => "style=dashed, color=\"#0f766e\"".to_owned(),
    };
    let label: Vec<&str> = edge.label().collect();
    if !label.is_empty() {
        let colour = if edge.drops { ", fontcolor=\"#b91c1c\"" } else { "" };
        let _ = write!(attributes, ", label={}{colour}", quoted(&label.join("\n")));
    }
    if edge.feedback {
        attributes += ", constraint=false";
    }
    attributes
}

/// A quoted text, in which a line break is centred.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", escaped.replace(|c: char| c.is_control(), " "))
}
