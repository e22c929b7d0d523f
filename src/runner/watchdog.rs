//! Looks at the counters of a run that flows, and says what is to be told and which node is stuck.

use super::exchange::Exchange;
use super::state::State;
use super::watch::{History, Look, Overdue, Silence, Snapshot, Stall, Watched, Why};
use crate::graph::{EdgeId, NodeId};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Watches a run.
pub struct Watchdog {
    watched: Watched,
    history: History,
    last: Instant,
    /// Stalls that the user knows of, by their nodes.
    told: BTreeMap<NodeId, Told>,
}

struct Told {
    edge: EdgeId,
    /// What had been taken from it.
    taken: u64,
    /// How long the node has been idle.
    idle: Duration,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The user is to be warned.
    Stalled(String),
    /// What the user was warned of is over.
    GoesOn(String),
    /// A node has failed.
    Hung(NodeId, String),
}

impl Watchdog {
    /// Messages begin to flow.
    pub fn new(plan: &Plan<'_>, warn_after: Option<Duration>) -> Self {
        let watched = Watched::of(plan, warn_after);
        Watchdog { history: History::new(&watched), watched, last: Instant::now(), told: BTreeMap::new() }
    }

    /// How often to look; nothing where no look could find anything.
    pub fn every(&self) -> Option<Duration> {
        self.watched.every()
    }

    pub fn look(&mut self, plan: &Plan<'_>, exchange: &Exchange, state: &State) -> Vec<Found> {
        let passed = self.last.elapsed();
        self.last += passed;
        self.history.see(&self.watched, snapshot(plan, exchange, state), passed);
        let mut found = self.who_goes_on(plan);
        found.extend(self.new_stalls(plan));
        let hung = self.history.overdue(&self.watched).into_iter();
        found.extend(hung.map(|overdue| Found::Hung(overdue.node, cause(plan, &overdue))));
        let silent = self.history.silences(&self.watched).into_iter();
        found.extend(silent.map(|silence| Found::Hung(silence.node, why_silent(plan, &silence))));
        found
    }

    fn new_stalls(&mut self, plan: &Plan<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        for stall in self.history.stalls(&self.watched) {
            let told = Told { edge: stall.edge, taken: self.history.look(stall.edge).taken, idle: stall.idle };
            if self.told.insert(stall.node, told).is_none() {
                found.push(Found::Stalled(warning(plan, &stall)));
            }
        }
        found
    }

    /// Who was told of and has taken something since. One whose process is ended instead is forgotten.
    fn who_goes_on(&mut self, plan: &Plan<'_>) -> Vec<Found> {
        let over = self.told.extract_if(.., |node, _| !self.history.is_idle(*node));
        let over: Vec<(NodeId, Told)> = over.collect();
        let gone_on = over.into_iter().filter(|(_, told)| self.history.look(told.edge).taken > told.taken);
        let note = |(node, told): (NodeId, Told)| {
            let (node, edge, idle) = (&plan.graph[node].name, &plan.edge(told.edge).terms.name, in_words(told.idle));
            Found::GoesOn(format!("node `{node}` goes on: the edge {edge} had blocked for {idle}"))
        };
        gone_on.map(note).collect()
    }
}

fn snapshot(plan: &Plan<'_>, exchange: &Exchange, state: &State) -> Snapshot {
    let edges = (0..plan.edges.len()).map(EdgeId).map(|edge| {
        let (consumer, producer) = (exchange.consumer(plan, edge), exchange.producer(plan, edge));
        let (offered, published) = (producer.sent, producer.published);
        Look { offered, published, taken: consumer.taken, left: consumer.left }
    });
    let nodes = (0..plan.graph.nodes().len()).map(|node| state.presence(NodeId(node)));
    Snapshot { edges: edges.collect(), nodes: nodes.collect() }
}

fn warning(plan: &Plan<'_>, stall: &Stall) -> String {
    let (edge, idle) = (&plan.edge(stall.edge).terms.name, in_words(stall.idle));
    let waiting: Vec<String> = stall.waiting.iter().map(|&node| format!("`{}`", plan.graph[node].name)).collect();
    let (node, waiting) = (&plan.graph[stall.node].name, waiting.join(", "));
    format!("the edge {edge} is full and blocks: node `{node}` has taken nothing for {idle}; waiting for it: {waiting}")
}

fn cause(plan: &Plan<'_>, overdue: &Overdue) -> String {
    let (edge, limit) = (&plan.edge(overdue.edge).terms.name, humantime::format_duration(overdue.limit));
    format!("it took nothing for {limit} while messages waited at the edge {edge} (`stall_timeout`)")
}

fn why_silent(plan: &Plan<'_>, silence: &Silence) -> String {
    let name = |edge: EdgeId| &plan.edge(edge).terms.name;
    let (edge, limit) = (name(silence.edge), humantime::format_duration(silence.limit));
    let from = plan.graph[silence.edge].from.node;
    let nothing = format!("nothing came through the edge {edge} for {limit} (`input_timeout`)");
    match silence.why {
        Why::SendsNothing if silence.node == from => format!("{nothing}: it sends nothing"),
        Why::SendsNothing => format!("{nothing}: what is before that edge waits for this node, which sends nothing"),
        Why::LeavesWaiting(at) => format!("{nothing}: messages wait at the edge {}, and it takes none", name(at)),
        Why::HoldsUp(at) => format!("{nothing}: the edge {} is full, which holds up what is before it", name(at)),
    }
}

/// As in `1m 12s`: looks are no more exact than that.
fn in_words(time: Duration) -> String {
    let whole = if time.as_secs() > 0 {
        Duration::from_secs(time.as_secs())
    } else {
        Duration::from_millis(time.as_millis() as u64)
    };
    humantime::format_duration(whole).to_string()
}
