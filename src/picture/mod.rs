//! A graph as a picture: what is drawn of it, and how, as DOT, as Mermaid, or as SVG without any program's help.

mod crossings;
mod dot;
mod geometry;
mod layers;
mod mermaid;
mod placement;
mod scene;
mod svg;
mod text;

use crate::graph::{DEFAULT_MAX_MESSAGE, DEFAULT_QUEUE, Delivery, Edge, Graph, Overflow};

/// What is drawn of a graph.
#[derive(Debug)]
pub struct Picture {
    name: String,
    boxes: Vec<Frame>,
    nodes: Vec<Shape>,
    edges: Vec<Line>,
}

/// A backend that is worth a box: several nodes, or one under another name.
#[derive(Debug)]
struct Frame {
    name: String,
    nodes: Vec<usize>,
}

/// A node.
#[derive(Debug)]
struct Shape {
    name: String,
    node_type: String,
    /// The box that it is in.
    frame: Option<usize>,
}

/// An edge.
#[derive(Debug)]
struct Line {
    from: usize,
    to: usize,
    delivery: Delivery,
    /// Which ports it connects, where that is not clear; else empty.
    ports: String,
    /// What is not as by default; else empty.
    policy: String,
    drops: bool,
    feedback: bool,
}

impl Picture {
    /// What is drawn of `graph`.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let mut nodes: Vec<Shape> = graph.nodes().iter().map(|node| shape(&node.name, &node.uses)).collect();
        let mut boxes = Vec::new();
        for backend in graph.backends() {
            if let [only] = backend.nodes.as_slice()
                && graph[*only].name == backend.name
            {
                continue;
            }
            backend.nodes.iter().for_each(|node| nodes[node.0].frame = Some(boxes.len()));
            boxes.push(Frame { name: backend.name.clone(), nodes: backend.nodes.iter().map(|node| node.0).collect() });
        }
        let edges = graph.edges().iter().map(|edge| line(graph, edge)).collect();
        Picture { name: graph.name.clone(), boxes, nodes, edges }
    }

    /// For graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        dot::draw(self)
    }

    /// For Mermaid.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid::draw(self)
    }

    /// As a picture that stands by itself, on a background of its own, in the reader's choice of light or dark.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::draw(self, &geometry::lay_out(self))
    }
}

impl Line {
    /// The lines of its label; none where it has none.
    fn label(&self) -> impl Iterator<Item = &str> {
        [self.ports.as_str(), self.policy.as_str()].into_iter().filter(|line| !line.is_empty())
    }
}

fn shape(name: &str, node_type: &str) -> Shape {
    Shape { name: name.to_owned(), node_type: node_type.to_owned(), frame: None }
}

fn line(graph: &Graph, edge: &Edge) -> Line {
    Line {
        from: edge.from.node.0,
        to: edge.to.node.0,
        delivery: edge.delivery,
        ports: ports(graph, edge),
        policy: policy(edge),
        drops: matches!(edge.overflow, Overflow::DropOldest | Overflow::DropNewest),
        feedback: edge.feedback,
    }
}

/// As in `left → signal`; a side with one port alone is left out.
fn ports(graph: &Graph, edge: &Edge) -> String {
    let outputs = &graph[edge.from.node].node_type.outputs;
    let inputs = &graph[edge.to.node].node_type.inputs;
    let output = if outputs.len() > 1 { outputs[edge.from.port].name.as_str() } else { "" };
    let input = if inputs.len() > 1 { inputs[edge.to.port].name.as_str() } else { "" };
    if output.is_empty() && input.is_empty() {
        return String::new();
    }
    format!("{output} → {input}").trim().to_owned()
}

/// As in `feedback, drop_oldest, queue 16`.
fn policy(edge: &Edge) -> String {
    let overflow = match edge.overflow {
        Overflow::Block => None,
        Overflow::DropOldest => Some("drop_oldest"),
        Overflow::DropNewest => Some("drop_newest"),
        Overflow::Fail => Some("fail when full"),
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(edge.feedback.then(|| "feedback".to_owned()));
    parts.extend(overflow.map(str::to_owned));
    parts.extend((edge.queue != DEFAULT_QUEUE).then(|| format!("queue {}", edge.queue)));
    parts.extend((edge.max_message != DEFAULT_MAX_MESSAGE).then(|| format!("max {}", bytes(edge.max_message))));
    parts.join(", ")
}

/// As in `64 KiB`: in the largest unit that leaves no rest.
fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = units.iter().find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size));
    unit.map_or_else(|| format!("{bytes} B"), |(size, name)| format!("{} {name}", bytes / size))
}
