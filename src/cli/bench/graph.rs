//! The graph of a case, as a graph file would say it.

use super::case::{Amount, Case, Place, Topology};
use crate::graph::Delivery;
use crate::nodes::bench::Settings;
use serde_json::{Map, Value, json};

/// A graph for `case`, and what is to be known of its nodes.
pub struct CaseGraph {
    /// The graph file.
    pub text: String,
    /// All nodes.
    pub nodes: Vec<CaseNode>,
}

/// A node of a case.
pub struct CaseNode {
    /// Its name.
    pub name: String,
    /// What it is there for.
    pub part: Part,
}

/// What a node is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Source,
    Relay,
    Sink,
    Ping,
    Pong,
    Umpire,
}

/// Nodes, and edges between them.
#[derive(Default)]
struct Wiring {
    nodes: Vec<CaseNode>,
    edges: Vec<Wire>,
}

/// An edge from a node to a node, by index.
struct Wire {
    from: usize,
    to: usize,
    /// The input, with its dot, where there are several.
    into: &'static str,
    /// Whether it closes a cycle.
    feedback: bool,
}

/// Where a node leaves its figures, in the directory of the graph.
pub fn figures_file(node: &str) -> String {
    format!("{node}.json")
}

impl CaseGraph {
    /// Makes the graph; `cpus` are the processors that backends may be bound to.
    pub fn of(case: &Case, cpus: &[usize]) -> Self {
        let wiring = wire(case.topology, case.clients as usize);
        let names: Vec<&str> = wiring.nodes.iter().map(|node| node.name.as_str()).collect();
        let sent_on = wiring.nodes.iter().any(|node| node.part == Part::Relay);
        let nodes: Map<String, Value> = wiring
            .nodes
            .iter()
            .map(|node| {
                let with = settings(case, &node.name, sent_on);
                (node.name.clone(), json!({ "use": node.part.node_type(), "with": with, "wait": case.wait }))
            })
            .collect();
        let edges: Vec<Value> = wiring.edges.iter().map(|wire| edge(case, &names, wire)).collect();
        let mut graph = json!({ "ezrun": 1, "name": "bench", "nodes": nodes, "edges": edges });
        if let Some(backends) = backends(case, &names, cpus) {
            graph["backends"] = backends;
        }
        // JSON is YAML.
        CaseGraph { text: format!("{graph:#}\n"), nodes: wiring.nodes }
    }
}

impl Part {
    fn node_type(self) -> &'static str {
        match self {
            Part::Source => "bench_source",
            Part::Relay => "bench_relay",
            Part::Sink => "bench_sink",
            Part::Ping => "bench_ping",
            Part::Pong => "bench_pong",
            Part::Umpire => "bench_umpire",
        }
    }

    fn name(self) -> &'static str {
        self.node_type().trim_start_matches("bench_")
    }

    /// Whether the case's messages begin here.
    pub fn sends_first(self) -> bool {
        matches!(self, Part::Source | Part::Ping)
    }

    /// Whether the case's figures are taken here.
    pub fn measures(self) -> bool {
        matches!(self, Part::Sink | Part::Ping)
    }
}

impl Wiring {
    fn add(&mut self, part: Part) -> usize {
        let number = self.nodes.iter().filter(|node| node.part == part).count();
        self.nodes.push(CaseNode { name: format!("{}{number}", part.name()), part });
        self.nodes.len() - 1
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.edges.push(Wire { from, to, into: "", feedback: false });
    }
}

fn wire(topology: Topology, clients: usize) -> Wiring {
    let mut wiring = Wiring::default();
    match topology {
        Topology::Pair => (0..clients).for_each(|_| {
            let ends = (wiring.add(Part::Source), wiring.add(Part::Sink));
            wiring.connect(ends.0, ends.1);
        }),
        Topology::FanOut => {
            let source = wiring.add(Part::Source);
            sinks(&mut wiring, source, clients);
        }
        Topology::FanIn => {
            let sink = wiring.add(Part::Sink);
            sources(&mut wiring, sink, clients);
        }
        Topology::Relay => {
            let relay = wiring.add(Part::Relay);
            sources(&mut wiring, relay, clients);
            sinks(&mut wiring, relay, clients);
        }
        Topology::Chain => {
            let mut last = wiring.add(Part::Source);
            for at in 1..clients {
                let next = wiring.add(if at + 1 == clients { Part::Sink } else { Part::Relay });
                wiring.connect(last, next);
                last = next;
            }
        }
        Topology::PingPong => {
            let pairs: Vec<_> = (0..clients).map(|_| (wiring.add(Part::Ping), wiring.add(Part::Pong))).collect();
            let umpire = wiring.add(Part::Umpire);
            for (ping, pong) in pairs {
                wiring.connect(ping, pong);
                wiring.edges.push(Wire { from: pong, to: ping, into: ".in", feedback: true });
                wiring.edges.push(Wire { from: umpire, to: ping, into: ".umpire", feedback: false });
            }
        }
    }
    wiring
}

fn sources(wiring: &mut Wiring, to: usize, count: usize) {
    for _ in 0..count {
        let source = wiring.add(Part::Source);
        wiring.connect(source, to);
    }
}

fn sinks(wiring: &mut Wiring, from: usize, count: usize) {
    for _ in 0..count {
        let sink = wiring.add(Part::Sink);
        wiring.connect(from, sink);
    }
}

fn settings(case: &Case, node: &str, sent_on: bool) -> Settings {
    let (messages, duration_ns) = match case.amount {
        Amount::Messages(messages) => (Some(messages), None),
        Amount::DurationMs(ms) => (None, Some(ms.saturating_mul(1_000_000))),
    };
    Settings {
        bytes: usize::try_from(case.size_bytes).unwrap_or(usize::MAX),
        touch: case.touch,
        sent_on,
        messages,
        duration_ns,
        rate_hz: case.rate_hz,
        figures: figures_file(node),
    }
}

fn edge(case: &Case, names: &[&str], wire: &Wire) -> Value {
    let mut edge = json!({
        "from": names[wire.from],
        "to": format!("{}{}", names[wire.to], wire.into),
        "zero_copy": case.delivery == Delivery::ZeroCopy,
        "queue": case.depth,
        "max_message": case.size_bytes,
        "prefault": case.prefault,
    });
    if wire.feedback {
        // One message is under way at a time, so that none is ever dropped.
        edge["feedback"] = json!(true);
        edge["overflow"] = json!("drop_newest");
    }
    edge
}

/// Backends, where they are not one for each node anyway.
fn backends(case: &Case, names: &[&str], cpus: &[usize]) -> Option<Value> {
    let groups: Vec<Vec<&str>> = match (case.place, case.pinned) {
        (Place::Local, _) => vec![names.to_vec()],
        (Place::Sealed | Place::Named, true) => names.iter().map(|&name| vec![name]).collect(),
        (Place::Sealed | Place::Named, false) => return None,
    };
    let mut cpus = cpus.iter().cycle();
    let backends = groups.into_iter().enumerate().map(|(at, nodes)| {
        let mut backend = json!({ "nodes": nodes });
        if let (true, Some(cpu)) = (case.pinned, cpus.next()) {
            backend["cpu"] = json!(cpu);
        }
        (format!("backend{at}"), backend)
    });
    Some(Value::Object(backends.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Wait;
    use crate::graph::{Executing, LoadOptions, SourceFile, load};
    use crate::nodes::bench::{Reach, Touch, registry};
    use clap::ValueEnum as _;
    use std::path::Path;

    fn case(topology: Topology, delivery: Delivery, place: Place) -> Case {
        let amount = Amount::Messages(10);
        let (clients, size_bytes, depth, rate_hz) = (3, 4096, 5, Some(50.0));
        let (touch, wait) = (Touch { written: Reach::Full, read: Reach::Ends }, Wait::Busy);
        let (pinned, prefault) = (true, true);
        Case { topology, clients, size_bytes, delivery, place, depth, rate_hz, touch, wait, pinned, prefault, amount }
    }

    fn graph_of(case: &Case) -> crate::graph::Graph {
        let file = SourceFile::from_text("bench.yaml", Path::new("/"), &CaseGraph::of(case, &[4, 6]).text);
        let registry = registry();
        // Cases for machines that are larger than this one.
        let options = LoadOptions { machine: None, ..LoadOptions::run(&registry, &[]) };
        let loaded = load(&file, &options, &Executing::default());
        assert!(!loaded.has_errors(), "{:?}", loaded.findings);
        loaded.graph.unwrap()
    }

    #[test]
    fn every_topology_is_a_valid_graph_that_says_what_the_case_says() {
        for &topology in Topology::value_variants() {
            for delivery in [Delivery::Copy, Delivery::ZeroCopy] {
                for place in [Place::Sealed, Place::Named, Place::Local] {
                    let graph = graph_of(&case(topology, delivery, place));
                    assert!(graph.edges().iter().all(|edge| edge.delivery == delivery));
                    assert!(graph.edges().iter().all(|edge| (edge.queue, edge.max_message) == (5, 4096)));
                    assert!(graph.edges().iter().all(|edge| edge.prefault));
                    let apart = graph.nodes().len();
                    let backends = if place == Place::Local { 1 } else { apart };
                    assert_eq!(graph.backends().len(), backends, "{topology:?} {place:?}");
                }
            }
        }
    }

    #[test]
    fn topologies_have_the_nodes_and_edges_of_their_names() {
        let counts = Topology::value_variants().iter().map(|&topology| {
            let graph = graph_of(&case(topology, Delivery::Copy, Place::Sealed));
            (topology, graph.nodes().len(), graph.edges().len())
        });
        let wanted = [
            (Topology::Pair, 6, 3),
            (Topology::FanOut, 4, 3),
            (Topology::FanIn, 4, 3),
            (Topology::Chain, 3, 2),
            (Topology::Relay, 7, 6),
            (Topology::PingPong, 7, 9),
        ];
        assert_eq!(counts.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn messages_hold_when_they_were_sent_where_a_relay_sends_them_on() {
        let sent_on = |topology| {
            let graph = graph_of(&case(topology, Delivery::Copy, Place::Sealed));
            graph.nodes().iter().all(|node| node.settings["sent_on"] == true)
        };
        let holding = Topology::value_variants().iter().filter(|&&topology| sent_on(topology));
        assert_eq!(holding.copied().collect::<Vec<_>>(), [Topology::Chain, Topology::Relay]);
    }

    #[test]
    fn pinned_backends_take_the_processors_in_turn() {
        let graph = graph_of(&case(Topology::FanOut, Delivery::Copy, Place::Sealed));
        let cpus: Vec<Option<u32>> = graph.backends().iter().map(|backend| backend.cpu).collect();
        assert_eq!(cpus, [Some(4), Some(6), Some(4), Some(6)]);
    }
}
