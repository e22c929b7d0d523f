//! The picture in Mermaid's language.

use super::{Picture, Shape};
use crate::graph::Delivery;
use std::fmt::Write;

/// Draws it.
pub fn draw(picture: &Picture) -> String {
    // A JSON text is a YAML one, and can always be written.
    let title = serde_json::to_string(&picture.name).unwrap_or_default();
    let mut chart = format!("---\ntitle: {title}\n---\nflowchart LR\n");
    chart += "  %% thick: a private copy; dotted: a view, nothing is copied\n";
    for (at, frame) in picture.boxes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(chart, "  subgraph b{at}[\"{}\"]", escaped(&frame.name));
        for &node in &frame.nodes {
            let _ = writeln!(chart, "    {}", shape(node, &picture.nodes[node]));
        }
        chart += "  end\n";
    }
    for (at, node) in picture.nodes.iter().enumerate().filter(|(_, node)| node.frame.is_none()) {
        let _ = writeln!(chart, "  {}", shape(at, node));
    }
    for edge in &picture.edges {
        let arrow = match edge.delivery {
            Delivery::Copy => "==>",
            Delivery::ZeroCopy => "-.->",
        };
        let label: Vec<String> = edge.label().map(escaped).collect();
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", label.join("<br/>")) };
        let _ = writeln!(chart, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    chart + &styles(picture)
}

fn shape(at: usize, node: &Shape) -> String {
    format!("n{at}(\"{}<br/>{}\")", escaped(&node.name), escaped(&node.node_type))
}

/// Colours of the edges, by their place.
fn styles(picture: &Picture) -> String {
    let mut styles = String::new();
    let views = |edge: &super::Line| edge.delivery == Delivery::ZeroCopy;
    for (style, is_of) in [("stroke:#b45309", false), ("stroke:#0f766e", true)] {
        let places = picture.edges.iter().enumerate().filter(|(_, edge)| views(edge) == is_of);
        let places: Vec<String> = places.map(|(at, _)| at.to_string()).collect();
        if !places.is_empty() {
            let _ = writeln!(styles, "  linkStyle {} {style}", places.join(","));
        }
    }
    styles
}

/// Every character that could mean something to Mermaid or to HTML, by its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " _-/.,:→".contains(c) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}
