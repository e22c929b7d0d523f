//! What a graph file becomes, without processes and without the command line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ezrun::graph::{
    Delivery, Graph, Level, LoadOptions, Loaded, Overflow, Override, PackFault, Packs, Saved, SourceFile, load,
};
use ezrun::message::Received;
use ezrun::node::{
    Flow, InputId, Node, NodeType, Outputs, PackDescription, PortType, Registry, SettingError, SettingsToCheck, Source,
    check, describe,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

struct Quiet;

impl Source for Quiet {
    fn produce(&mut self, _: &mut Outputs) -> ezrun::node::Result<Flow> {
        Ok(Flow::Complete)
    }
}

impl Node for Quiet {
    fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> ezrun::node::Result<Flow> {
        Ok(Flow::Continue)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by the schema alone")]
struct Band {
    low: f64,
    high: f64,
    /// Default: none.
    label: Option<String>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    list: Vec<u8>,
}

fn registry() -> Registry {
    let band = |settings: Band| {
        if settings.low < settings.high {
            return Ok(Quiet);
        }
        Err(SettingError::at("low", format!("{} is not below high, {}", settings.low, settings.high)))
    };
    Registry::new()
        .with(NodeType::source("from", "A source.").output("out", PortType::Bytes).source_node(|_: Nothing| Ok(Quiet)))
        .with(
            NodeType::transform("band", "In place.")
                .input("in", PortType::Any)
                .writes_in_place()
                .output("out", PortType::same_as("in"))
                .node(band),
        )
        .with(NodeType::sink("to", "A sink.").input("in", PortType::Any).holds(3).node(|_: Nothing| Ok(Quiet)))
}

/// A pack whose types are those of [`registry`].
struct Same;

impl Packs for Same {
    fn describe(&self, executable: &Path) -> Result<PackDescription, PackFault> {
        match executable.ends_with("missing") {
            true => Err(PackFault::Missing(executable.to_owned())),
            false => Ok(describe(&registry())),
        }
    }

    fn check(&self, _: &Path, settings: &[SettingsToCheck]) -> Result<Vec<Option<SettingError>>, PackFault> {
        Ok(check(&registry(), settings.to_vec()))
    }
}

fn set(text: &[&str]) -> Vec<Override> {
    text.iter().map(|text| text.parse().unwrap()).collect()
}

fn load_with(text: &str, set: &[Override], missing_env: Level, packs: &dyn Packs) -> Loaded {
    let registry = registry();
    let env = |name: &str| match name {
        "FIVE" => Some("5".to_owned()),
        "EVIL" => Some("1, high: 2 }\nnodes: {".to_owned()),
        _ => None,
    };
    let options = LoadOptions {
        registry: &registry,
        set,
        env: &env,
        missing_env,
        machine: None,
        memory: None,
        only_written: false,
    };
    load(&SourceFile::from_text("dir/test.yaml", Path::new("/graphs"), text), &options, packs)
}

fn graph(text: &str, overrides: &[&str]) -> Graph {
    let loaded = load_with(text, &set(overrides), Level::Error, &Same);
    loaded.graph.unwrap_or_else(|| panic!("{:#?}", loaded.findings))
}

fn codes(loaded: &Loaded) -> Vec<(usize, usize, &str)> {
    loaded.findings.iter().map(|finding| (finding.place.line, finding.place.column, finding.code)).collect()
}

/// A graph whose node `b` has the settings `with`.
fn with_settings(params: &str, with: &str) -> String {
    format!(
        "ezrun: 1\nparams: {params}\nnodes:\n  a: {{ use: from }}\n  b: {{ use: band, with: {with} }}\n  c: {{ use: to }}\n\
         edges:\n  - {{ from: a, to: b }}\n  - {{ from: b, to: c, zero_copy: true }}\n"
    )
}

#[test]
fn nodes_edges_and_backends_are_those_of_the_file_in_its_order() {
    let graph = graph(
        "ezrun: 1\nname: trial\npacks: { my: ./bin/pack }\nnodes:\n  z: { use: to }\n  a: { use: from }\n\
         \x20 m: { use: my/band, with: { low: 1, high: 2.5, list: [1, 2] } }\nedges:\n  - { from: m.out, to: z, zero_copy: true, queue: 3,\
         overflow: drop_newest, max_message: 2 KiB }\n  - { from: a, to: m }\nbackends:\n  pair: { nodes: [m, a], cpu: 2, priority: -3, env: { X: 1 } }\n",
        &[],
    );
    assert_eq!((graph.name.as_str(), graph.dir.as_path()), ("trial", Path::new("/graphs")));
    let nodes: Vec<_> =
        graph.nodes().iter().map(|node| (node.name.as_str(), node.uses.as_str(), node.backend.0)).collect();
    assert_eq!(nodes, [("z", "to", 1), ("a", "from", 0), ("m", "my/band", 0)]);
    assert_eq!(graph.nodes()[2].settings, json!({ "low": 1, "high": 2.5, "list": [1, 2] }));
    assert_eq!(graph.nodes()[2].node_type.name, "band");

    let [first, second] = graph.edges() else { panic!("two edges") };
    assert_eq!((first.from.node.0, first.to.node.0, first.delivery), (2, 0, Delivery::ZeroCopy));
    assert_eq!((first.queue, first.overflow, first.max_message), (3, Overflow::DropNewest, 2048));
    assert_eq!((second.from.node.0, second.to.node.0, second.delivery), (1, 2, Delivery::Copy));
    assert_eq!(
        (second.queue, second.overflow, second.max_message, second.feedback),
        (8, Overflow::Block, 64 << 20, false)
    );

    let [pair, own] = graph.backends() else { panic!("two backends") };
    assert_eq!((pair.name.as_str(), pair.cpu, pair.priority), ("pair", Some(2), Some(-3)));
    assert_eq!(pair.pack.as_deref(), Some(Path::new("/graphs/./bin/pack")));
    assert_eq!(pair.env["X"], "1");
    assert_eq!(pair.nodes.iter().map(|node| node.0).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((own.name.as_str(), own.pack.as_deref(), own.nodes[0].0), ("z", None, 0));
    assert_eq!(graph.edges_into(pair.nodes[0]).len(), 1);
    assert_eq!(graph.edges_from(own.nodes[0]), []);
}

#[test]
fn a_graph_without_a_name_has_that_of_its_file() {
    let text = "ezrun: 1\nnodes:\n  a: { use: from }\n";
    assert_eq!(graph(text, &[]).name, "test");
}

#[test]
fn a_variable_that_is_the_whole_scalar_keeps_its_type() {
    let text = with_settings(
        "{ low: 1.5, flag: true, list: [1, 2], id: 7 }",
        r#"{ low: "${low}", high: "${env:FIVE}", on: "${flag}", list: "${list}", label: "${id}" }"#,
    );
    let settings = graph(&text, &[]).nodes()[1].settings.clone();
    assert_eq!(settings, json!({ "low": 1.5, "high": 5, "on": true, "list": [1, 2], "label": "7" }));
}

#[test]
fn a_variable_within_a_text_is_put_in_and_a_dollar_can_be_escaped() {
    let text = with_settings(
        r#"{ id: 7, name: "x-${env:FIVE}-${env:NONE:-y}" }"#,
        r#"{ low: 1, high: 2, label: "${name}/${id}.$${id} $5 ${env:NONE:-}" }"#,
    );
    assert_eq!(graph(&text, &[]).nodes()[1].settings["label"], json!("x-5-y/7.${id} $5 "));
}

#[test]
fn set_overrides_a_param_and_the_last_one_counts() {
    let text = with_settings("{ low: 1, label: x }", r#"{ low: "${low}", high: 9, label: "${label}" }"#);
    let settings = graph(&text, &["low=2", "low=3.5", "label=007"]).nodes()[1].settings.clone();
    assert_eq!(settings, json!({ "low": 3.5, "high": 9, "label": "007" }));
}

#[test]
fn text_from_outside_cannot_become_yaml() {
    let text = with_settings("{ low: 1 }", r#"{ low: "${low}", high: 9, label: "${env:EVIL}" }"#);
    assert_eq!(graph(&text, &[]).nodes()[1].settings["label"], json!("1, high: 2 }\nnodes: {"));
    let loaded = load_with(&text, &set(&["low=[1, 2]"]), Level::Error, &Same);
    assert_eq!(codes(&loaded), [(5, 32, "schema/wrong-type")]);
}

#[test]
fn a_missing_variable_is_an_error_to_run_and_a_warning_to_validate() {
    let text = with_settings("{}", r#"{ low: 1, high: "${env:NONE}" }"#);
    for level in [Level::Error, Level::Warning] {
        let loaded = load_with(&text, &[], level, &Same);
        assert_eq!(codes(&loaded), [(5, 41, "environment/missing-variable")]);
        assert_eq!(loaded.findings[0].level, level);
        assert!(loaded.graph.is_none(), "a graph that is not known is not ready");
    }
}

#[test]
fn params_that_grow_without_bound_are_refused() {
    let doubled: Vec<String> = (1..40).map(|i| format!("p{i}: \"${{p{0}}}${{p{0}}}\"", i - 1)).collect();
    let text = with_settings(
        &format!("{{ p0: xxxxxxxxxxxx, {} }}", doubled.join(", ")),
        r#"{ low: 1, high: 2, label: "${p39}" }"#,
    );
    let loaded = load_with(&text, &[], Level::Error, &Same);
    assert!(codes(&loaded).iter().any(|(_, _, code)| *code == "schema/out-of-range"), "{:?}", codes(&loaded));
    let lists: Vec<String> = (1..40).map(|i| format!("p{i}: [\"${{p{0}}}\", \"${{p{0}}}\"]", i - 1)).collect();
    let text = with_settings(&format!("{{ p0: 1, {} }}", lists.join(", ")), r#"{ low: 1, high: 2, list: "${p39}" }"#);
    let loaded = load_with(&text, &[], Level::Error, &Same);
    assert!(codes(&loaded).iter().any(|(_, _, code)| *code == "schema/out-of-range"), "{:?}", codes(&loaded));
}

#[test]
fn what_only_the_type_knows_is_placed_at_the_setting() {
    let loaded = load_with(&with_settings("{}", "{ low: 5, high: 2 }"), &[], Level::Error, &Same);
    assert_eq!(codes(&loaded), [(5, 32, "schema/bad-setting")]);
    assert_eq!(loaded.findings[0].message, "the setting `low` of `b`: 5 is not below high, 2");
}

#[test]
fn what_only_a_pack_knows_of_settings_is_asked_of_it() {
    let text = "ezrun: 1\npacks: { my: bin/pack }\nnodes:\n  a: { use: my/from }\n  b: { use: my/band, with: { low: 5, high: 2 } }\n\
                \x20 c: { use: my/to }\nedges:\n  - { from: a, to: b }\n  - { from: b, to: c, zero_copy: true }\n";
    let loaded = load_with(text, &[], Level::Error, &Same);
    assert_eq!(codes(&loaded), [(5, 35, "schema/bad-setting")]);
    assert_eq!(loaded.findings[0].message, "the setting `low` of `b`: 5 is not below high, 2");
    assert!(loaded.graph.is_none());
}

#[test]
fn a_pack_that_cannot_be_asked_is_one_error_at_its_path() {
    let text = "ezrun: 1\npacks:\n  my: bin/missing\nnodes:\n  a: { use: my/one, with: { x: 1 } }\n  b: { use: my/two }\n\
                edges:\n  - { from: a.here, to: b.there }\n";
    let loaded = load_with(text, &[], Level::Error, &Same);
    assert_eq!(codes(&loaded), [(3, 7, "environment/bad-pack")]);
    assert!(loaded.findings[0].message.ends_with("there is no program at dir/bin/missing"));
    let loaded = load_with(text, &[], Level::Error, &Saved);
    assert_eq!(codes(&loaded), [(3, 7, "environment/no-description")]);
    assert!(loaded.graph.is_none());
}

#[test]
fn findings_come_in_the_order_of_their_places() {
    let text = "ezrun: 2\nnodes:\n  a: { use: form }\n  b: { use: to, wiht: {} }\nedges:\n  - { from: c, to: b }\n";
    let loaded = load_with(text, &[], Level::Error, &Same);
    let codes = codes(&loaded);
    let expected = [
        (1, 8, "schema/version"),
        (3, 3, "flow/unread-output"),
        (3, 13, "schema/unknown-type"),
        (4, 17, "schema/unknown-key"),
        (6, 13, "wiring/unknown-node"),
    ];
    assert_eq!(codes, expected);
}

#[test]
fn no_text_is_too_strange_to_be_answered() {
    let whole =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs/ok/everything.yaml")).unwrap();
    // Every prefix, and the file with each line taken out: much of it is broken in ways that nobody wrote down.
    for (end, _) in whole.char_indices() {
        load_with(&whole[..end], &[], Level::Warning, &Same);
    }
    let lines: Vec<&str> = whole.lines().collect();
    for left_out in 0..lines.len() {
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
        load_with(&kept.join("\n"), &[], Level::Warning, &Same);
    }
}

#[test]
fn a_long_chain_is_checked_without_running_out_of_stack() {
    let mut text = "ezrun: 1\nnodes:\n  n0: { use: from }\n".to_owned();
    let count = 8000;
    for i in 1..count {
        text += &format!("  n{i}: {{use: band, with: {{low: 1, high: 2}}}}\n");
    }
    text += "edges:\n";
    for i in 1..count {
        text += &format!("- {{from: n{}, to: n{i}}}\n", i - 1);
    }
    let loaded = load_with(&text, &[], Level::Error, &Same);
    assert_eq!(loaded.findings.len(), 1, "{:?}", &codes(&loaded)[..2]);
    assert_eq!(loaded.findings[0].code, "flow/unread-output");
    assert_eq!(loaded.graph.unwrap().edges().len(), count - 1);
}

#[test]
fn a_text_of_a_whole_file_is_told_by_its_beginning_and_its_end() {
    let help = |list: &str| {
        let text = with_settings("{}", &format!("{{ low: 1, high: 2, list: \"{list}\" }}"));
        load_with(&text, &[], Level::Error, &Same).findings[0].help.clone().unwrap()
    };
    let (word, words) = (format!("first{}last", "-".repeat(500_000)), "word ".repeat(100_000));
    let (word, words) = (help(&word), help(&words));
    assert!(word.starts_with("write `[first---") && word.contains("- … -") && word.ends_with("---last]`"), "{word}");
    assert!(word.len() < 2100, "{}", word.len());
    assert_eq!(words, format!("write `[{}…]`", "word, ".repeat(12)));
}
