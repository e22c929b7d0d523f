//! `ezrun graph`: pictures in which nothing lies over anything else, and in which names cannot do harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::graph;
use roxmltree::{Document, Node};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Runs ezrun in the project: exit code, standard output and standard error.
fn ezrun(args: &[&str]) -> (i32, String, String) {
    command::ezrun(Path::new(env!("CARGO_MANIFEST_DIR")), args)
}

fn drawn(path: &str, format: &str) -> String {
    let (code, stdout, stderr) = ezrun(&["graph", path, "--format", format]);
    assert_eq!(code, 0, "{path}: {stderr}");
    stdout
}

fn fan_out(readers: usize) -> String {
    let mut text = "ezrun: 1\nnodes:\n  source: { use: counter, with: { count: 1 } }\n".to_owned();
    (0..readers).for_each(|at| writeln!(text, "  reader_{at}: {{ use: check, with: {{ count: 1 }} }}").unwrap());
    text += "edges:\n";
    for at in 0..readers {
        let label = if at % 5 == 0 { ", overflow: drop_oldest, queue: 20" } else { "" };
        writeln!(text, "  - {{ from: source, to: reader_{at}, zero_copy: {}{label} }}", at % 2 == 0).unwrap();
    }
    text
}

/// Nodes that read any earlier ones, in no order, some of them in boxes.
fn tangle(nodes: usize) -> String {
    let (mut text, mut edges) = ("ezrun: 1\nnodes:\n".to_owned(), "edges:\n".to_owned());
    let mut random = 7u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % limit
    };
    for at in 0..nodes {
        let is_source = at < nodes / 15 + 1;
        let node = if is_source { "{ use: counter, with: { count: 1 } }" } else { "{ use: merge }" };
        writeln!(text, "  n{at}: {node}").unwrap();
        let mut read: Vec<usize> = (0..=below(3)).map(|_| at.saturating_sub(below(40) + 1)).collect();
        read.sort_unstable();
        read.dedup();
        for from in read.into_iter().filter(|_| !is_source) {
            let label = if below(8) == 0 { ", queue: 3" } else { "" };
            writeln!(edges, "  - {{ from: n{from}, to: n{at}, zero_copy: true{label} }}").unwrap();
        }
    }
    let mut boxes = "backends:\n".to_owned();
    for first in (nodes / 10..nodes.saturating_sub(10)).step_by(30) {
        let names: Vec<String> = (first..first + 8).map(|at| format!("n{at}")).collect();
        writeln!(boxes, "  box_{first}: [{}]", names.join(", ")).unwrap();
    }
    text + &edges + &boxes
}

const LOOP: &str = "
ezrun: 1
nodes:
  numbers: { use: counter, with: { count: 10 } }
  join:    { use: merge }
  tee:     { use: merge }
  a_node_with_a_name_that_is_far_longer_than_any_that_one_would_draw: { use: null }
edges:
  - { from: numbers, to: join, zero_copy: true }
  - { from: join, to: tee, zero_copy: true }
  - { from: tee, to: a_node_with_a_name_that_is_far_longer_than_any_that_one_would_draw, zero_copy: true }
  - { from: tee, to: join, zero_copy: true, overflow: drop_oldest, feedback: true }
backends:
  a_name_that_is_longer_than_what_is_in_the_box: [join]
";

const TWO_BOXES: &str = "
ezrun: 1
nodes:
  eeg:     { use: sine, with: { rate: 250, count: 10 } }
  aux:     { use: sine, with: { rate: 250, count: 10 } }
  band:    { use: bandpass, with: { low: 1, high: 40 } }
  hum:     { use: notch, with: { frequency: 50 } }
  windows: { use: window, with: { length: 1 s } }
  density: { use: spectrum }
  raw:     { use: npy_sink, with: { path: raw.npy } }
  spectra: { use: csv_sink, with: { path: spectra.csv } }
  joined:  { use: merge }
  seen:    { use: null }
edges:
  - { from: eeg, to: raw, zero_copy: true }
  - { from: eeg, to: band }
  - { from: band, to: hum }
  - { from: hum, to: windows, zero_copy: true, queue: 32 }
  - { from: windows, to: density, zero_copy: true }
  - { from: density, to: spectra, zero_copy: true }
  - { from: eeg, to: joined, zero_copy: true }
  - { from: aux, to: joined, zero_copy: true, max_message: 1 MiB }
  - { from: hum, to: joined, zero_copy: true }
  - { from: joined, to: seen, zero_copy: true }
backends:
  clean_up: [band, hum]
  analysis: [windows, density]
  files:    [raw, spectra]
";

/// A rectangle of the picture.
#[derive(Clone, Copy, Debug)]
struct Rect {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rect {
    fn of(node: Node<'_, '_>) -> Self {
        let number = |name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let (left, top) = (number("x"), number("y"));
        Rect { left, top, right: left + number("width"), bottom: top + number("height") }
    }

    /// Whether they share more than a border; a tenth is lost where numbers are written.
    fn overlaps(&self, other: &Rect) -> bool {
        let apart = |a: f64, b: f64| a > b - 0.3;
        !(apart(self.left, other.right)
            || apart(other.left, self.right)
            || apart(self.top, other.bottom)
            || apart(other.top, self.bottom))
    }

    fn holds(&self, other: &Rect) -> bool {
        self.left < other.left && self.top < other.top && self.right > other.right && self.bottom > other.bottom
    }

    fn has(&self, (x, y): (f64, f64)) -> bool {
        x > self.left + 0.3 && x < self.right - 0.3 && y > self.top + 0.3 && y < self.bottom - 0.3
    }
}

/// A rectangle, its title, and the texts beside it with their sizes.
type Drawn = (Rect, String, Vec<(String, f64)>);

/// The rectangles of a class.
fn rects(svg: &Document<'_>, class: &str) -> Vec<Drawn> {
    let of_class = svg.descendants().filter(|node| node.attribute("class") == Some(class));
    let rects = of_class.filter(|node| node.has_tag_name("rect"));
    rects
        .map(|rect| {
            let group = rect.parent().unwrap();
            let title = group.children().find(|node| node.has_tag_name("title"));
            let texts = group
                .children()
                .filter(|node| node.has_tag_name("text"))
                .map(|text| (text.text().unwrap().to_owned(), text.attribute("font-size").unwrap().parse().unwrap()));
            (Rect::of(rect), title.and_then(|title| title.text()).unwrap_or("").to_owned(), texts.collect())
        })
        .collect()
}

/// Points along a path of `M`, `C` and `H`.
fn points(data: &str) -> Vec<(f64, f64)> {
    let spaced = data.replace('M', " M ").replace('C', " C ").replace('H', " H ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<f64>().unwrap();
    let (mut at, mut from, mut points) = (0, (0.0, 0.0), Vec::new());
    while at < words.len() {
        let (controls, next) = match words[at] {
            "M" => {
                from = (number(at + 1), number(at + 2));
                (vec![from; 3], at + 3)
            }
            "H" => (vec![from, (number(at + 1), from.1), (number(at + 1), from.1)], at + 2),
            "C" => ((0..3).map(|i| (number(at + 1 + 2 * i), number(at + 2 + 2 * i))).collect(), at + 7),
            other => panic!("{other} in {data}"),
        };
        for step in 0..=40 {
            let (t, u) = (f64::from(step) / 40.0, 1.0 - f64::from(step) / 40.0);
            let along = |a: f64, b: f64, c: f64, d: f64| {
                u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
            };
            let x = along(from.0, controls[0].0, controls[1].0, controls[2].0);
            points.push((x, along(from.1, controls[0].1, controls[1].1, controls[2].1)));
        }
        from = controls[2];
        at = next;
    }
    points
}

fn assert_readable(path: &str) {
    let text = drawn(path, "svg");
    let svg = Document::parse(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let nodes = rects(&svg, "node");
    let labels = [rects(&svg, "label"), rects(&svg, "label-in-box")].concat();
    let boxes = rects(&svg, "box");
    let solid: Vec<_> = nodes.iter().chain(&labels).collect();
    for (at, (rect, title, texts)) in solid.iter().enumerate() {
        for (other, other_title, other_texts) in &solid[..at] {
            assert!(!rect.overlaps(other), "{path}: {title} {texts:?} lies over {other_title} {other_texts:?}");
        }
        for (text, size) in texts {
            let wide = text.chars().count() as f64 * size * 0.602;
            assert!(wide <= rect.right - rect.left, "{path}: {text} is cut");
        }
    }
    let (_, plan, _) = ezrun(&["plan", "--format", "json", path]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let mut members = 0;
    for (rect, name, texts) in &boxes {
        let backend = plan["backends"].as_array().unwrap().iter().find(|b| b["name"] == name.as_str()).unwrap();
        let inside: Vec<&str> =
            backend["nodes"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
        members += inside.len();
        for (node, title, _) in &nodes {
            let is_inside = inside.contains(&title.split(": ").next().unwrap());
            let fits = if is_inside { rect.holds(node) } else { !rect.overlaps(node) };
            assert!(fits, "{path}: {title} and the box {name}");
        }
        let (title, size) = &texts[0];
        assert!(title.chars().count() as f64 * size * 0.602 + 10.0 <= rect.right - rect.left, "{path}: {title} is cut");
    }
    assert!(boxes.is_empty() || members >= boxes.len());
    let lines = svg.descendants().filter(|node| node.has_tag_name("path") && node.attribute("marker-end").is_some());
    // Those of the legend have no title.
    let lines: Vec<_> =
        lines.filter(|line| line.prev_sibling_element().is_some_and(|e| e.has_tag_name("title"))).collect();
    assert_eq!(lines.len(), plan["edges"].as_array().unwrap().len(), "{path}");
    for line in lines {
        for point in points(line.attribute("d").unwrap()) {
            let hit = nodes.iter().find(|(rect, ..)| rect.has(point));
            assert!(
                hit.is_none(),
                "{path}: a line leads through {:?}: {}",
                hit.unwrap().1,
                line.attribute("d").unwrap()
            );
        }
    }
}

#[test]
fn nothing_lies_over_anything_else() {
    for name in ["ecg", "isolation", "bandpower", "fanout", "command"] {
        assert_readable(&format!("graphs/{name}.yaml"));
    }
    for name in ["everything", "feedback", "minimal"] {
        assert_readable(&format!("tests/graphs/ok/{name}.yaml"));
    }
    for text in [fan_out(20), LOOP.to_owned(), TWO_BOXES.to_owned(), tangle(40), tangle(300)] {
        let (_dir, path) = graph(&text);
        assert_readable(&path);
    }
}

#[test]
fn a_picture_with_very_many_long_lines_still_has_all_of_them_and_nodes_apart() {
    let nodes = 800;
    let mut text = "ezrun: 1\nnodes:\n  n0: { use: counter }\n".to_owned();
    (1..nodes).for_each(|at| writeln!(text, "  n{at}: {{ use: merge }}").unwrap());
    text += "edges:\n";
    (1..nodes - 1).for_each(|at| writeln!(text, "  - {{ from: n{at}, to: n{} }}", at + 1).unwrap());
    (1..nodes).for_each(|at| writeln!(text, "  - {{ from: n0, to: n{at} }}").unwrap());
    let (_dir, path) = graph(&text);
    let svg = drawn(&path, "svg");
    let svg = Document::parse(&svg).unwrap();
    let drawn: Vec<Rect> = rects(&svg, "node").into_iter().map(|(rect, ..)| rect).collect();
    let lines = svg.descendants().filter(|node| node.attribute("class") == Some("copy")).count();
    // One more is in the legend.
    assert_eq!((drawn.len(), lines), (nodes, 2 * nodes - 3 + 1));
    for (at, node) in drawn.iter().enumerate() {
        assert!(!drawn[at + 1..].iter().any(|other| node.overlaps(other)), "{node:?}");
    }
}

#[test]
fn views_and_copies_do_not_look_alike() {
    let text = drawn("graphs/isolation.yaml", "svg");
    let svg = Document::parse(&text).unwrap();
    let classes = |class: &str| svg.descendants().filter(|node| node.attribute("class") == Some(class)).count();
    // One copying edge and three views, each once more in the legend; and a tip of its own for each.
    assert_eq!((classes("copy"), classes("view")), (1 + 1, 3 + 1));
    assert_eq!((classes("copy-tip"), classes("view-tip")), (1, 1));
    assert!(text.contains("prefers-color-scheme:dark"));
    let dot = drawn("graphs/isolation.yaml", "dot");
    assert_eq!((dot.matches("style=solid").count(), dot.matches("style=dashed").count()), (1, 3));
    let mermaid = drawn("graphs/isolation.yaml", "mermaid");
    assert_eq!((mermaid.matches(" ==> ").count(), mermaid.matches(" -.-> ").count()), (1, 3));
}

#[test]
fn edges_are_labelled_where_the_file_says_more_than_the_default() {
    let text = drawn("tests/graphs/ok/everything.yaml", "svg");
    let svg = Document::parse(&text).unwrap();
    let texts = |class: &str| {
        let texts = svg.descendants().filter(|node| node.attribute("class") == Some(class));
        texts.map(|text| text.text().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let notes = texts("note");
    for note in ["left → left", "right → right", "fail when full, max 500 kB"] {
        assert!(notes.iter().any(|text| text == note), "no {note} in {notes:?}");
    }
    assert_eq!(texts("note drops"), ["drop_oldest, queue 16, max 1 MiB", "drop_newest"]);
    assert_eq!(texts("title"), ["dsp", "ends"]);
    let (_dir, path) = graph(LOOP);
    for format in ["dot", "mermaid"] {
        assert!(drawn(&path, format).contains("feedback, drop_oldest"), "{format}");
    }
}

#[test]
fn names_can_do_no_harm() {
    let name = "a \"b\" <c> & \\d\\ `e` #f; ]]> --> end";
    let text = format!(
        "ezrun: 1\nname: '{name}'\nnodes:\n  s: {{ use: counter, with: {{ count: 1 }} }}\n  e: {{ use: null }}\n"
    );
    let (_dir, path) = graph(&(text + "edges:\n  - { from: s, to: e, zero_copy: true }\n"));
    let svg = drawn(&path, "svg");
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(svg.root_element().first_element_child().unwrap().text(), Some(name));
    let dot = drawn(&path, "dot");
    assert!(dot.starts_with("digraph \"a \\\"b\\\" <c> & \\\\d\\\\ `e` #f; ]]> --> end\" {\n"), "{dot}");
    let mermaid = drawn(&path, "mermaid");
    let title = mermaid.lines().nth(1).unwrap().strip_prefix("title: ").unwrap();
    let read: yaml_serde::Value = yaml_serde::from_str(title).unwrap();
    assert_eq!(read.as_str(), Some(name));
}

#[test]
fn dot_and_mermaid_name_every_node_and_every_edge() {
    let dot = drawn("graphs/isolation.yaml", "dot");
    assert!(dot.contains("subgraph cluster_0 { label=\"together\"; labelloc=t; n0; n1; n3; }"), "{dot}");
    assert!(dot.contains("n1 [label=\"mute\\nscale\"];") && dot.contains("n0 -> n1 ["), "{dot}");
    let mermaid = drawn("graphs/isolation.yaml", "mermaid");
    assert!(mermaid.contains("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("  subgraph b0[\"together\"]\n    n0(\"signal<br/>sine\")\n"), "{mermaid}");
    assert!(mermaid.contains("  n0 ==> n1\n  n0 -.-> n3\n"), "{mermaid}");
    assert!(mermaid.ends_with("  linkStyle 0 stroke:#b45309\n  linkStyle 1,2,3 stroke:#0f766e\n"), "{mermaid}");
}

#[test]
fn the_same_graph_has_the_same_picture_in_a_file_and_on_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ecg.svg");
    let (code, stdout, stderr) = ezrun(&["graph", "graphs/ecg.yaml", "-o", path.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", ""));
    assert_eq!(std::fs::read_to_string(path).unwrap(), drawn("graphs/ecg.yaml", "svg"));
    let (code, _, stderr) = ezrun(&["graph", "graphs/ecg.yaml", "-o", "nowhere/ecg.svg"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: cannot write nowhere/ecg.svg: "), "{stderr}");
}

#[test]
fn an_invalid_graph_has_findings_and_no_picture() {
    let (code, stdout, stderr) = ezrun(&["graph", "tests/graphs/err/unknown_node.yaml"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("error[wiring/unknown-node]"), "{stderr}");
}
