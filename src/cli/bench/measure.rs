//! One run of a case: through the runner and real backends, as `ezrun GRAPH` runs a graph.

use super::case::{Amount, Case, Place};
use super::graph::{CaseGraph, CaseNode, figures_file};
use super::tally::{Launch, Tally, figures};
use super::{Figures, exit};
use crate::channel::SegmentKind;
use crate::control::LogLevel;
use crate::graph::{self, Executing, Graph, LoadOptions, SourceFile, render};
use crate::node::Registry;
use crate::nodes::bench::{self, now_ns};
use crate::plan::{Plan, plan};
use crate::runner::{self, EdgeLedger, End, Interruption, Observer, Options, Progress, Summary};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long queues may drain once a run is ending.
const GRACE: Duration = Duration::from_secs(5);

/// What all runs share.
pub struct Bench {
    program: PathBuf,
    registry: Registry,
    cpus: Vec<usize>,
}

/// Why a run has no figures.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A folder or a file.
    #[error("{0}")]
    File(String),
    /// The graph was refused.
    #[error("its graph is refused:\n{0}")]
    Refused(String),
    /// The run could not start, or a node failed.
    #[error("{0}")]
    Failed(String),
    /// A message was lost, or one arrived that nobody had sent.
    #[error("{0}")]
    Broken(String),
    /// Too little was measured.
    #[error("{0}")]
    TooLittle(String),
    /// The user has had enough.
    #[error("interrupted")]
    Interrupted(Interruption),
}

impl Fault {
    /// The exit code that follows from it.
    pub fn code(&self) -> u8 {
        match self {
            Fault::File(_) | Fault::TooLittle(_) => exit::USAGE,
            Fault::Refused(_) => exit::INVALID,
            Fault::Failed(_) => exit::FAILED,
            Fault::Broken(_) => exit::CONTRACT,
            Fault::Interrupted(Interruption::Int) => exit::INTERRUPTED,
            Fault::Interrupted(Interruption::Term) => exit::TERMINATED,
        }
    }
}

impl Bench {
    /// Finds out what runs need.
    ///
    /// # Errors
    /// Where ezrun's own program cannot be found.
    pub fn new() -> Result<Self, Fault> {
        let program = std::env::current_exe();
        let program = program.map_err(|e| Fault::File(format!("cannot find ezrun's own program: {e}")))?;
        let registry = bench::registry();
        Ok(Bench { program, registry, cpus: usable_cpus() })
    }

    /// How many processors there are.
    pub fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// Runs `case` once.
    ///
    /// # Errors
    /// [`Fault`] where anything keeps its figures from being true.
    pub fn measure(&self, case: &Case) -> Result<Figures<f64>, Fault> {
        let scratch = tempfile::Builder::new().prefix("ezrun-bench-").tempdir();
        let scratch = scratch.map_err(|e| Fault::File(format!("cannot make a folder for figures: {e}")))?;
        let case_graph = CaseGraph::of(case, &self.cpus);
        let graph = self.load(&case_graph, scratch.path())?;
        let segments = match case.place {
            Place::Named => SegmentKind::Named,
            Place::Sealed | Place::Local => SegmentKind::Sealed,
        };
        let plan = plan(&graph, segments);
        let (program, log_level) = (self.program.clone(), LogLevel::Warn);
        let options = Options { program, stop_after: None, grace: GRACE, stall_warning: None, log_level };
        let launched_ns = now_ns();
        let summary = runner::run(&plan, &options, &mut Quiet).map_err(|e| Fault::Failed(e.to_string()))?;
        let launch = Launch { launched_ns, ended_ns: now_ns() };
        judge(&summary)?;
        let tallies = read_tallies(&case_graph.nodes, scratch.path())?;
        account(case, &plan, &summary, &tallies)?;
        figures(case, &tallies, launch).map_err(Fault::TooLittle)
    }

    fn load(&self, case_graph: &CaseGraph, dir: &Path) -> Result<Graph, Fault> {
        let file = SourceFile::from_text("bench.yaml", dir, &case_graph.text);
        let loaded = graph::load(&file, &LoadOptions::run(&self.registry, &[]), &Executing::default());
        let findings = loaded.findings;
        loaded.graph.ok_or_else(|| Fault::Refused(render::text(&findings, &loaded.sources, render::Style::Plain)))
    }
}

/// A failure of any node is one of the whole.
fn judge(summary: &Summary) -> Result<(), Fault> {
    if let Some(failure) = summary.failures.first() {
        let lines: String = failure.last_lines.iter().map(|line| format!("\n  | {line}")).collect();
        return Err(Fault::Failed(format!("{}: {}{lines}", failure.who, failure.cause)));
    }
    match summary.end {
        End::Finished => Ok(()),
        End::Interrupted(interruption) => Err(Fault::Interrupted(interruption)),
    }
}

fn read_tallies(nodes: &[CaseNode], dir: &Path) -> Result<Vec<Tally>, Fault> {
    let read = |node: &CaseNode| -> anyhow::Result<Tally> {
        let text = std::fs::read(dir.join(figures_file(&node.name)))?;
        Ok(Tally { part: node.part, figures: serde_json::from_slice(&text)? })
    };
    let missing = |node: &CaseNode, e| Fault::Failed(format!("{} has left no figures: {e}", node.name));
    nodes.iter().map(|node| read(node).map_err(|e| missing(node, e))).collect()
}

/// Holds what the nodes counted against the ledger: nothing is lost, and nothing comes from nowhere.
fn account(case: &Case, plan: &Plan<'_>, summary: &Summary, tallies: &[Tally]) -> Result<(), Fault> {
    for (edge, ledger) in plan.edges.iter().zip(&summary.edges) {
        account_of_edge(&edge.terms.name, ledger)?;
    }
    let ends = || plan.graph.edges().iter().zip(&summary.edges);
    for (at, (node, tally)) in plan.graph.nodes().iter().zip(tallies).enumerate() {
        // Every edge of an output has every message of it.
        let sent = ends().find(|(edge, _)| edge.from.node.0 == at).map_or(0, |(_, ledger)| ledger.sent);
        let received = ends().filter(|(edge, _)| edge.to.node.0 == at).map(|(_, ledger)| ledger.received).sum();
        account_of_node(case, &node.name, tally, (sent, received))?;
    }
    Ok(())
}

/// What was sent has been received.
fn account_of_edge(name: &str, ledger: &EdgeLedger) -> Result<(), Fault> {
    let (sent, received) = (ledger.sent, ledger.received);
    if ledger.quarantined {
        return Err(Fault::Broken(format!("the edge {name} was put in quarantine: its consumer broke it")));
    }
    if sent != received || ledger.dropped > 0 {
        return Err(Fault::Broken(format!("{sent} messages were sent on {name}, {received} were received")));
    }
    Ok(())
}

/// The node has counted as many messages, sent and received, as the ledger, and as were asked for.
fn account_of_node(case: &Case, name: &str, tally: &Tally, ledger: (u64, u64)) -> Result<(), Fault> {
    let (sent, received) = (tally.figures.sent, tally.figures.received);
    if (sent, received) != ledger {
        let counted = format!("{name} counted {sent} sent and {received} received");
        return Err(Fault::Broken(format!("{counted}, the ledger says {} and {}", ledger.0, ledger.1)));
    }
    match case.amount {
        Amount::Messages(wanted) if tally.part.sends_first() && sent != wanted => {
            Err(Fault::Broken(format!("{name} sent {sent} messages, not {wanted}")))
        }
        _ => Ok(()),
    }
}

/// The processors that this process may run on.
fn usable_cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return vec![0] };
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

/// Says nothing but what goes wrong.
struct Quiet;

impl Observer for Quiet {
    fn log(&mut self, from: &str, level: LogLevel, line: &str) {
        if matches!(level, LogLevel::Error | LogLevel::Warn) {
            say!("{from} | {line}");
        }
    }

    fn output(&mut self, from: &str, line: &str) {
        say!("{from} | {line}");
    }

    fn note(&mut self, level: LogLevel, line: &str) {
        if matches!(level, LogLevel::Error | LogLevel::Warn) {
            say!("{line}");
        }
    }

    fn progress_every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn progress(&mut self, _: Progress) {}
}

#[cfg(test)]
mod tests {
    use super::super::case::Topology;
    use super::super::graph::Part;
    use super::*;
    use crate::graph::Delivery;
    use crate::graph::Wait;
    use crate::nodes::bench::{Figures as NodeFigures, Reach, Touch};

    fn said(result: Result<(), Fault>) -> String {
        result.map_or_else(|fault| format!("{}: {fault}", fault.code()), |()| "fine".to_owned())
    }

    #[test]
    fn an_edge_that_lost_a_message_breaks_the_contract() {
        let of = |sent, received, dropped, quarantined| {
            said(account_of_edge(
                "a -> b",
                &EdgeLedger { sent, received, dropped, quarantined, ..EdgeLedger::default() },
            ))
        };
        assert_eq!(of(10, 10, 0, false), "fine");
        assert_eq!(of(10, 9, 1, false), "4: 10 messages were sent on a -> b, 9 were received");
        assert_eq!(of(10, 9, 0, false), "4: 10 messages were sent on a -> b, 9 were received");
        assert_eq!(of(10, 10, 0, true), "4: the edge a -> b was put in quarantine: its consumer broke it");
    }

    #[test]
    fn a_node_that_counts_otherwise_than_the_ledger_breaks_the_contract() {
        let case = Case {
            topology: Topology::Pair,
            clients: 1,
            size_bytes: 64,
            delivery: Delivery::Copy,
            place: Place::Sealed,
            depth: 8,
            rate_hz: None,
            touch: Touch { written: Reach::Full, read: Reach::Full },
            wait: Wait::Adaptive,
            pinned: false,
            prefault: false,
            amount: Amount::Messages(10),
        };
        let of = |part, (sent, received), ledger| {
            let tally = Tally { part, figures: NodeFigures { sent, received, ..NodeFigures::default() } };
            said(account_of_node(&case, "it", &tally, ledger))
        };
        assert_eq!(of(Part::Source, (10, 0), (10, 0)), "fine");
        assert_eq!(of(Part::Sink, (0, 9), (0, 9)), "fine", "how many arrive is for the edges to say");
        assert_eq!(of(Part::Source, (9, 0), (9, 0)), "4: it sent 9 messages, not 10");
        let other = "4: it counted 0 sent and 9 received, the ledger says 0 and 10";
        assert_eq!(of(Part::Sink, (0, 9), (0, 10)), other);
    }
}
