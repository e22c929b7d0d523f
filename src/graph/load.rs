//! From a file to a graph: read, look up, check, build. Every finding of every step is kept.

use super::edit::Edit;
use super::finding::{Finding, Findings, Level};
use super::flatten::flatten;
use super::memory::MemoryLimit;
use super::model::{Model, ModelEdge};
use super::packs::Packs;
use super::source::SourceFile;
use super::sources::Sources;
use super::streams::Streams;
use super::supervision::{self, Supervision};
use super::types::KnownTypes;
use super::units::{self, LARGE};
use super::variables::Override;
use super::{Backend, BackendId, Delivery, Edge, Graph, Node, NodeId, Overflow, PortRef, Wait};
use super::{allow, delivery, fitting, flow, joins, machine, memory, mismatch, parse, resources, settings, wiring};
use crate::node::Registry;
use std::collections::{BTreeMap, HashSet};
use std::thread;

/// Depth of a queue where the file says none, in messages.
pub const DEFAULT_QUEUE: u32 = 8;
/// Largest payload where the file says none, in bytes.
pub const DEFAULT_MAX_MESSAGE: u64 = 64 << 20;

/// What a graph is loaded with, besides its file.
pub struct LoadOptions<'a> {
    /// The built-in node types.
    pub registry: &'a Registry,
    /// Values for params, as after `--set`; the last one of a name counts.
    pub set: &'a [Override],
    /// Looks up a variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// How bad a `${env:NAME}` is that is not set and has no default: an error to run, a warning to validate.
    pub missing_env: Level,
    /// How bad it is that this machine lacks what the graph needs of it, such as a file that a source reads: an error to
    /// run, a warning to validate; nothing where nobody asks.
    pub machine: Option<Level>,
    /// How much memory its queues may need; nothing where nobody asks.
    pub memory: Option<MemoryLimit>,
    /// Whether no variable counts as known, whatever it stands for: what is found then holds for all values.
    pub only_written: bool,
}

/// What a file turned out to be.
#[derive(Debug)]
pub struct Loaded {
    /// The graph, where there is no error and everything in it is known.
    pub graph: Option<Graph>,
    /// All findings, in the order of their places.
    pub findings: Vec<Finding>,
    /// The files that it came from.
    pub sources: Sources,
}

impl<'a> LoadOptions<'a> {
    /// To run a graph: with the process's environment, in which nothing may be missing.
    #[must_use]
    pub fn run(registry: &'a Registry, set: &'a [Override]) -> Self {
        let env = &|name: &str| std::env::var(name).ok();
        let (missing_env, machine) = (Level::Error, Some(Level::Error));
        LoadOptions { registry, set, env, missing_env, machine, memory: None, only_written: false }
    }

    /// To validate a graph: as to run it, but a variable may be missing, and whatever else the machine may lack.
    #[must_use]
    pub fn validate(registry: &'a Registry, set: &'a [Override]) -> Self {
        LoadOptions { missing_env: Level::Warning, machine: Some(Level::Warning), ..Self::run(registry, set) }
    }
}

impl Loaded {
    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Error)
    }
}

/// Loads a graph: valid and ready, or with all findings at once.
pub fn load(file: &SourceFile, options: &LoadOptions<'_>, packs: &dyn Packs) -> Loaded {
    let mut findings = Findings::default();
    let mut sources = Sources::new(file.clone());
    let graph = read(&mut sources, options, packs, &mut findings);
    let findings = allow::apply(findings, &sources);
    Loaded { graph, findings, sources }
}

/// Takes out the fixes that are right only with the values that variables have now: what the command line or the environment
/// gives is not for a file to say. `loaded` came of the same `file`, `options` and `packs`.
pub fn keep_sure_fixes(loaded: &mut Loaded, file: &SourceFile, options: &LoadOptions<'_>, packs: &dyn Packs) {
    let has_variables = |file: &SourceFile| file.text().contains("${");
    let has_fixes = loaded.findings.iter().any(|finding| finding.fix.is_some());
    if !has_fixes || !loaded.sources.iter().any(has_variables) {
        return;
    }
    let key = |edit: &Edit, sources: &Sources| {
        (sources.file(edit.span.file).path(), edit.span.start(), edit.span.end(), edit.new.clone())
    };
    let only_written = load(file, &LoadOptions { only_written: true, ..*options }, packs);
    let fixes = only_written.findings.iter().filter_map(|finding| finding.fix.as_ref());
    let sure: HashSet<_> = fixes.map(|edit| key(edit, &only_written.sources)).collect();
    for finding in &mut loaded.findings {
        finding.fix = finding.fix.take().filter(|edit| sure.contains(&key(edit, &loaded.sources)));
    }
}

/// What is wrong with a file that cannot be read at all; nothing where it can be.
#[must_use]
pub fn syntax_fault(file: &SourceFile) -> Option<Finding> {
    let mut findings = Findings::default();
    parse::parse(file, &mut findings);
    findings.into_sorted(&Sources::new(file.clone())).into_iter().next()
}

fn read(sources: &mut Sources, options: &LoadOptions<'_>, packs: &dyn Packs, findings: &mut Findings) -> Option<Graph> {
    let unit = units::gather(sources, options, findings)?;
    let sources = &*sources;
    let types = KnownTypes::new(options.registry, packs);
    let flat = flatten(&unit, sources, types, findings);
    let first = sources.first();
    let name = flat.name.as_ref().map_or_else(|| first.stem().to_owned(), |name| name.text.to_string());
    let mut model = Model::resolve(flat, first.id(), findings);
    if options.missing_env == Level::Error {
        // Nobody uses the file: it is run as it is.
        model.needed_of_users = std::mem::take(&mut model.open_inputs);
    }
    let mut told = settings::Told::new();
    for node in &mut model.nodes {
        settings::check(node, options.registry, sources.file(node.file), &mut told, findings);
    }
    if !options.only_written {
        settings::ask_packs(&mut model, packs, sources, findings);
    }
    let streams = check(&model, findings);
    // An edge that is there twice, which is known by now, is no needless copy.
    delivery::needless_copies(&model, &streams, findings);
    fitting::misfits(&model, &streams, options.registry, sources, findings);
    if let Some(limit) = &options.memory {
        memory::budget(&model, &streams, limit, findings);
    }
    resources::paths(&model, sources, findings);
    machine::lacks(&model, sources, options, findings);
    if findings.has_errors() {
        return None;
    }
    build(name, model, sources)
}

/// Checks the graph as a whole. Where it is large, what flows in it is looked into beside all else.
fn check(model: &Model<'_>, findings: &mut Findings) -> Streams {
    let check_streams = || {
        let mut findings = Findings::default();
        mismatch::mismatches(model, &mut findings);
        let streams = Streams::of(model);
        STREAM_RULES.iter().for_each(|rule| rule(model, &streams, &mut findings));
        (streams, findings)
    };
    let (streams, of_streams) = thread::scope(|scope| {
        let is_large = model.edges.len() > LARGE;
        let beside = is_large.then(|| thread::Builder::new().spawn_scoped(scope, check_streams).ok()).flatten();
        RULES.iter().for_each(|rule| rule(model, findings));
        match beside {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => check_streams(),
        }
    });
    findings.extend(of_streams);
    streams
}

/// The rules on the graph as a whole; those on single values are checked where the values are read.
const RULES: &[fn(&Model<'_>, &mut Findings)] = &[
    wiring::self_edges,
    wiring::inputs_taken,
    wiring::unconnected_inputs,
    wiring::unread_outputs,
    delivery::in_place_views,
    delivery::copies_for_views,
    delivery::shallow_queues,
    delivery::lossy_recordings,
    flow::cycles,
    flow::feedback,
    flow::only_feedback,
    flow::unreached,
    joins::self_fed,
    resources::placements,
    supervision::shared_processes,
    resources::mixed_packs,
    resources::backend_names,
    resources::standard_input,
    memory::unaddressable,
];

/// The rules that reckon with how often messages come, and how large they are.
const STREAM_RULES: &[fn(&Model<'_>, &Streams, &mut Findings)] =
    &[delivery::too_large, delivery::short_timeouts, joins::differing_streams, joins::deadlocks];

/// The graph, unless something in it is not known yet.
fn build(name: String, model: Model<'_>, sources: &Sources) -> Option<Graph> {
    let mut backends: Vec<Backend> = Vec::new();
    let mut placed: Vec<Option<BackendId>> = vec![None; model.nodes.len()];
    for written in &model.backends {
        let nodes: Vec<usize> =
            written.nodes.iter().filter_map(|word| model.by_name.get(&word.text).copied()).collect();
        for &node in &nodes {
            placed[node] = Some(BackendId(backends.len()));
        }
        backends.push(Backend {
            name: written.name.text.to_string(),
            pack: nodes.iter().find_map(|&node| model.nodes[node].pack.clone()),
            nodes: nodes.into_iter().map(NodeId).collect(),
            cpu: written.cpu.map(|cpu| cpu.value),
            priority: written.priority.map(|priority| priority.value),
            env: written.env.clone(),
            supervision: supervision::of(&written.supervision),
        });
    }
    let edges = model.edges.iter().map(build_edge).collect::<Option<Vec<Edge>>>()?;
    let mut nodes = Vec::with_capacity(model.nodes.len());
    for (at, node) in model.nodes.into_iter().enumerate() {
        let backend = placed[at].unwrap_or_else(|| {
            backends.push(own_backend(&node.name.text, NodeId(at), node.pack, supervision::of(&node.supervision)));
            BackendId(backends.len() - 1)
        });
        nodes.push(Node {
            name: node.name.text.into(),
            dir: sources.file(node.file).dir().to_owned(),
            uses: node.uses?.text.into(),
            node_type: node.node_type?,
            settings: node.settings?,
            backend,
            wait: node.wait.map_or_else(Wait::default, |wait| wait.value),
        });
    }
    Some(Graph::new(name, sources.first().dir().to_owned(), nodes, edges, backends))
}

fn own_backend(name: &str, node: NodeId, pack: Option<std::path::PathBuf>, supervision: Supervision) -> Backend {
    let (name, nodes, env) = (name.to_owned(), vec![node], BTreeMap::new());
    Backend { name, nodes, pack, cpu: None, priority: None, env, supervision }
}

fn build_edge(edge: &ModelEdge) -> Option<Edge> {
    let (from, to, written) = (edge.from?, edge.to?, &edge.written);
    let zero_copy = written.zero_copy.is_some_and(|flag| flag.value);
    Some(Edge {
        from: PortRef { node: NodeId(from.node), port: from.port? },
        to: PortRef { node: NodeId(to.node), port: to.port? },
        delivery: if zero_copy { Delivery::ZeroCopy } else { Delivery::Copy },
        overflow: written.overflow.map_or(Overflow::Block, |overflow| overflow.value),
        queue: written.depth(),
        max_message: written.largest(),
        prefault: written.prefault.is_some_and(|flag| flag.value),
        feedback: written.feedback.is_some_and(|flag| flag.value),
        input_timeout: written.input_timeout.map(|time| time.value),
    })
}
