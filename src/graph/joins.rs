//! Rules on joins: streams that meet at a node come at one rate, and no node waits for ever.
//!
//! A node that takes whatever comes first cannot be part of a deadlock: of the nodes that wait for room, the last one
//! before the sinks waits for a node that takes. A node that takes its inputs in turn can: it waits at one input while the
//! queue of the other is full, and whoever feeds both is held up there.

use super::finding::{Draft, Findings};
use super::flow::beginnings;
use super::model::{Model, Wire};
use super::rules;
use super::streams::{Stream, Streams};
use super::{MAX_QUEUE, Overflow};
use crate::node::{Joins, PortType, SHOWN_LABELS, figures, first_of};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Longest way to where two streams came apart that is followed, in edges.
const MAX_PATH: usize = 64;
/// Most edges into one node that are looked at.
const MAX_WAYS: usize = 64;
/// How many turns of a node are looked at one by one.
const MAX_TURNS: u32 = 64;
/// How much is looked at for deadlocks in all, in steps of about ten nanoseconds; nothing is said of what is left then.
const MAX_STEPS: usize = 40_000_000;
/// Steps to reckon how many messages pass an edge.
const STEPS_OF_EDGE: usize = 8;
/// So many messages that what comes first no longer matters.
const LONG_RUN: f64 = 1e9;
/// Rates that differ by less, relatively, are the same.
const TOLERANCE: f64 = 1e-6;

fn joins(model: &Model<'_>, node: usize) -> Joins {
    model.nodes[node].node_type.as_ref().map_or(Joins::Freely, |node_type| node_type.joins)
}

/// Streams that are joined are alike.
pub(super) fn differing_streams(model: &Model<'_>, streams: &Streams, findings: &mut Findings) {
    let needing = needing_one_layout(model);
    differing_rates(model, streams, &needing, findings);
    differing_channels(model, streams, &needing, findings);
}

/// Where messages are paired, as many come at each input; and what becomes one stream has one sampling rate.
fn differing_rates(model: &Model<'_>, streams: &Streams, needing: &[Option<usize>], findings: &mut Findings) {
    for (node, &needing) in needing.iter().enumerate() {
        let paired = joins(model, node) != Joins::Freely;
        let mut first: HashMap<usize, (Wire<'_>, f64)> = HashMap::new();
        for wire in model.wires_into(node) {
            let stream = streams.received(&wire);
            // At one input edges become one stream; between inputs messages find their partners.
            let (key, rate) = if paired {
                // A second of a signal that is not held back is not one of the clock.
                (usize::from(stream.realtime), stream.messages_per_s)
            } else {
                (wire.to.1, stream.rate)
            };
            let Some(rate) = rate.filter(|_| paired || takes_many(model, &wire)) else { continue };
            let &mut (other, other_rate) = first.entry(key).or_insert((wire, rate));
            if differ(rate, other_rate) && (!paired || other.to.1 != wire.to.1) {
                findings.add(report_rates(model, &wire, rate, (&other, other_rate), paired, needing));
            }
        }
    }
}

/// Whether several edges may end where this one does; where they may not, a rule of its own says so.
fn takes_many(model: &Model<'_>, wire: &Wire<'_>) -> bool {
    let inputs = model.nodes[wire.to.0].node_type.as_ref().map(|node_type| &node_type.inputs);
    inputs.and_then(|inputs| inputs.get(wire.to.1)).is_some_and(|input| input.many)
}

/// What becomes one stream has the same channels all along, where a node after it needs that.
fn differing_channels(model: &Model<'_>, streams: &Streams, needing: &[Option<usize>], findings: &mut Findings) {
    for (node, &needing) in needing.iter().enumerate().filter(|&(node, _)| joins(model, node) == Joins::Freely) {
        let Some(needing) = needing else { continue };
        let mut first: HashMap<usize, (Wire<'_>, Cow<'_, Stream>)> = HashMap::new();
        for wire in model.wires_into(node).filter(|wire| takes_many(model, wire)) {
            let stream = streams.received(&wire);
            if stream.channels.is_none() && stream.labels.is_none() {
                continue;
            }
            let (other, others) = first.entry(wire.to.1).or_insert_with(|| (wire, stream.clone()));
            let Some((these, those)) = differing(&stream, others) else { continue };
            let name = |node: usize| &model.nodes[node].name.text;
            let message = format!(
                "`{}` makes one stream of signals with {those} and {these}, and `{}` needs one that stays",
                name(node),
                name(needing)
            );
            let draft = Draft::new(rules::DIFFERING_CHANNELS, wire.to_span, message);
            let draft = draft.help(if stream.channels == others.channels {
                "let each signal have nodes of its own"
            } else {
                "put a `select` before it, or let each signal have nodes of its own"
            });
            findings.add(draft.related(other.to_span, format!("{those} here")));
        }
    }
}

/// In what the channels of two signals surely differ, in words.
fn differing(one: &Stream, other: &Stream) -> Option<(String, String)> {
    let (channels, others) = (one.channels?, other.channels?);
    if channels != others {
        return Some((format!("{} channels", figures(channels)), format!("{} channels", figures(others))));
    }
    let (labels, others) = (one.labels.as_deref()?, other.labels.as_deref()?);
    let called = |labels: &[String]| match labels {
        [] => "channels without labels".to_owned(),
        labels => format!("channels called {}", first_of(labels, SHOWN_LABELS)),
    };
    (labels != others).then(|| (called(labels), called(others)))
}

/// For each node, one after it, or itself, to which what comes in there has to be of one kind all along; whatever only
/// passes messages on does not mind.
fn needing_one_layout(model: &Model<'_>) -> Vec<Option<usize>> {
    let mut needing = vec![None; model.nodes.len()];
    for &node in model.shape.sources_first.iter().rev() {
        let Some(node_type) = &model.nodes[node].node_type else { continue };
        for wire in model.wires_into(node) {
            let input = &node_type.inputs[wire.to.1];
            let minds = input.uniform || matches!(input.accepts, PortType::Tensor { .. });
            let passes = |_: &usize| node_type.outputs.iter().any(|out| out.sends == PortType::same_as(&input.name));
            let after = if minds { Some(node) } else { needing[node].filter(passes) };
            needing[wire.from.0] = needing[wire.from.0].or(after);
        }
    }
    needing
}

fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > TOLERANCE * a.max(b)
}

fn report_rates(
    model: &Model<'_>,
    wire: &Wire<'_>,
    rate: f64,
    other: (&Wire<'_>, f64),
    paired: bool,
    needing: Option<usize>,
) -> Draft {
    let name = |node: usize| format!("`{}`", model.nodes[node].name.text);
    let to = name(wire.to.0);
    let unit = if paired { "messages per second" } else { "samples per second" };
    let (rate, other_rate) = (figures(rate), figures(other.1));
    let (message, help) = if paired {
        let (from, other_from) = (name(wire.from.0), name(other.0.from.0));
        let message = format!(
            "{to} needs as many messages at each input, but {from} sends {rate} and {other_from} {other_rate} per second"
        );
        (message, "bring both to one rate: a `window` before an input cuts its signal anew")
    } else {
        let whoever = needing.map_or("most nodes need".to_owned(), |node| format!("{} needs", name(node)));
        let message = format!(
            "{to} makes one stream of signals at {other_rate} and {rate} samples per second, and {whoever} one that stays"
        );
        (message, "put a `resample` before it, or let each signal have nodes of its own")
    };
    let draft = Draft::new(rules::DIFFERING_RATES, wire.to_span, message).help(help);
    draft.related(other.0.to_span, format!("{other_rate} {unit}"))
}

/// A node that takes its inputs in turn, fed from one output over two ways, of which one holds messages back for longer
/// than the other one has room.
pub(super) fn deadlocks(model: &Model<'_>, streams: &Streams, findings: &mut Findings) {
    let mut steps = MAX_STEPS;
    for node in (0..model.nodes.len()).filter(|&node| joins(model, node) == Joins::InTurn) {
        let wires: Vec<Wire<'_>> = model.wires_into(node).take(MAX_WAYS).collect();
        let ways: Vec<Vec<Wire<'_>>> = wires.iter().map(|wire| way_back(model, *wire)).collect();
        for (slow, slow_way) in ways.iter().enumerate() {
            for (full, full_way) in ways.iter().enumerate() {
                if slow == full || wires[slow].to.1 == wires[full].to.1 {
                    continue;
                }
                let Some(left) = steps.checked_sub(steps_of(slow_way.len(), full_way.len())) else { return };
                steps = left;
                let Some((slow_way, full_way)) = since_they_came_apart(slow_way, full_way) else { continue };
                let join = Join { model, streams, slow: slow_way, full: full_way };
                if let Some(turn) = join.stalls() {
                    findings.add(join.report(turn));
                }
            }
        }
    }
}

/// What it takes to compare two ways of so many edges.
fn steps_of(slow: usize, full: usize) -> usize {
    slow * full + (slow + full) * MAX_TURNS as usize * STEPS_OF_EDGE
}

/// A node that takes its inputs in turn, and at the first of them waits for what it would have to send itself.
pub(super) fn self_fed(model: &Model<'_>, findings: &mut Findings) {
    let begins = beginnings(model);
    let mut steps = MAX_STEPS / STEPS_OF_EDGE;
    for node in (0..model.nodes.len()).filter(|&node| joins(model, node) == Joins::InTurn && !begins[node]) {
        let Some(first) = model.wires_into(node).map(|wire| wire.to.1).min() else { continue };
        let wires: Vec<Wire<'_>> = model.wires_into(node).filter(|wire| wire.to.1 == first).collect();
        if only_from_itself(model, node, &wires, &begins, &mut steps) {
            let name = &model.nodes[node].name.text;
            let message =
                format!("`{name}` can never begin: it first waits here, where only what it sends itself would come");
            let help = "lead a source here too, or end this edge at an input that is taken later";
            let mut draft = Draft::new(rules::DEADLOCK, wires[0].to_span, message).help(help);
            for other in model.wires_into(node).filter(|wire| wire.to.1 != first) {
                draft = draft.related(other.to_span, "taken after that");
            }
            findings.add(draft);
        }
    }
}

/// Whether no message comes by `wires` before `node` has sent one.
fn only_from_itself(model: &Model<'_>, node: usize, wires: &[Wire<'_>], begins: &[bool], steps: &mut usize) -> bool {
    let mut seen: HashSet<usize> = HashSet::new();
    let mut next: Vec<usize> = wires.iter().map(|wire| wire.from.0).collect();
    let mut comes_round = false;
    while let Some(at) = next.pop() {
        comes_round |= at == node;
        if at == node || !seen.insert(at) {
            continue;
        }
        let Some(left) = steps.checked_sub(1).filter(|_| !begins[at]) else { return false };
        *steps = left;
        next.extend(model.wires_into(at).map(|wire| wire.from.0));
    }
    comes_round
}

/// The edges from `last` back towards the source, for as long as each node on the way has one edge into it.
fn way_back<'m>(model: &'m Model<'_>, last: Wire<'m>) -> Vec<Wire<'m>> {
    let mut way = vec![last];
    while way.len() < MAX_PATH {
        let mut before = model.wires_into(way[way.len() - 1].from.0);
        let (Some(only), None) = (before.next(), before.next()) else { break };
        way.push(only);
    }
    way
}

/// Both ways up to the output that is on both of them.
fn since_they_came_apart<'w, 'm>(a: &'w [Wire<'m>], b: &'w [Wire<'m>]) -> Option<(&'w [Wire<'m>], &'w [Wire<'m>])> {
    a.iter().enumerate().find_map(|(i, from_a)| {
        let j = b.iter().position(|from_b| from_b.from.0 == from_a.from.0)?;
        (b[j].from == from_a.from).then(|| (&a[..=i], &b[..=j]))
    })
}

/// Two ways from one output to two inputs of a node, each from its end to its beginning.
struct Join<'a, 'm, 't> {
    model: &'a Model<'t>,
    streams: &'a Streams,
    /// The way that holds messages back.
    slow: &'a [Wire<'m>],
    /// The way that fills up.
    full: &'a [Wire<'m>],
}

impl Join<'_, '_, '_> {
    /// How the node comes to wait for ever at the end of the slow way, if it does.
    fn stalls(&self) -> Option<Stall> {
        let waits = |wire: &Wire<'_>| wire.edge.overflow.is_none_or(|overflow| overflow.value == Overflow::Block);
        if !self.full.iter().all(waits) {
            return None;
        }
        let (slow, full) = (self.needed(self.slow, LONG_RUN)?, self.needed(self.full, LONG_RUN)?);
        if slow.is_infinite() && full.is_finite() {
            return Some(Stall::Sparse);
        }
        if slow > full * (1.0 + TOLERANCE * 100.0) {
            return Some(Stall::Fewer);
        }
        // In each turn, the node has one more of the full way where that input comes before the slow one.
        let ahead = f64::from(u8::from(self.full[0].to.1 < self.slow[0].to.1));
        let mut worst: Option<Stall> = None;
        for turn in (1..=MAX_TURNS).map(f64::from) {
            let needed = self.needed(self.slow, turn)?;
            // The output that both come from sends on the slow way also the message that finds no room on the full one.
            let sent = self.room(depth(&self.full[0]) + turn - 1.0 + ahead)? + 1.0;
            let most = worst.map_or(0.0, |stall| stall.lacks());
            if needed - sent > most {
                worst = Some(Stall::Late { needed, sent });
            }
        }
        worst
    }

    /// How many messages of the common output must be sent before `outputs` have come to the end of `way`.
    fn needed(&self, way: &[Wire<'_>], outputs: f64) -> Option<f64> {
        way.windows(2).try_fold(outputs, |outputs, pair| self.inputs_for(&pair[0], &pair[1], outputs))
    }

    /// How many messages of the common output find room on the full way, of which `end` messages can leave the last node.
    fn room(&self, end: f64) -> Option<f64> {
        self.full.windows(2).try_fold(end, |room, pair| {
            // What comes in until one message more would have to go out than there is room for.
            Some(self.inputs_for(&pair[0], &pair[1], room + 1.0)? + depth(&pair[1]))
        })
    }

    /// How many messages of `before` come in before the node between the two has sent `outputs` on `after`.
    fn inputs_for(&self, after: &Wire<'_>, before: &Wire<'_>, outputs: f64) -> Option<f64> {
        let node = &self.model.nodes[after.from.0];
        let output = &node.node_type.as_ref()?.outputs[after.from.1];
        self.streams.sent(before.from).needed_for(outputs, &output.cadence, node.settings.as_ref()?)
    }

    fn report(&self, stall: Stall) -> Draft {
        let name = |node: usize| format!("`{}`", self.model.nodes[node].name.text);
        let (join, fork) = (name(self.full[0].to.0), name(self.fork()));
        let (slow, full) = (self.port(&self.slow[0]), self.port(&self.full[0]));
        let drop = "write `overflow: drop_oldest` on this edge, or take both inputs from one node".to_owned();
        let (message, help) = match stall {
            Stall::Sparse => {
                let any = format!("what comes at `{slow}` may need any number of messages from {fork}");
                (format!("{join} can wait for ever: {any}, and the way to `{full}` fills up meanwhile"), drop)
            }
            Stall::Fewer => {
                let fewer = format!("of what {fork} sends, fewer messages come at `{slow}` than at `{full}`");
                (format!("{join} can wait for ever: {fewer}, so the way there fills up"), drop)
            }
            Stall::Late { needed, sent } => {
                let (needed, sent) = (figures(needed), figures(sent));
                let takes = format!("the next message at `{slow}` takes {needed} messages from {fork}");
                let message = format!("{join} can wait for ever: {takes}, and {sent} fill the way to `{full}`");
                let queue = depth(&self.full[0]) + stall.lacks();
                let deeper = || format!("write `queue: {}` or more on this edge", figures(queue));
                (message, if queue <= f64::from(MAX_QUEUE) { deeper() } else { drop })
            }
        };
        let mut draft = Draft::new(rules::DEADLOCK, self.full[0].to_span, message).help(help);
        for wire in self.slow.iter().rev() {
            draft = draft.related(wire.to_span, format!("{} → {}", name(wire.from.0), name(wire.to.0)));
        }
        draft
    }

    fn fork(&self) -> usize {
        self.full[self.full.len() - 1].from.0
    }

    fn port(&self, wire: &Wire<'_>) -> String {
        let inputs = self.model.nodes[wire.to.0].node_type.as_ref().map_or(&[][..], |node_type| &node_type.inputs);
        inputs.get(wire.to.1).map_or(String::new(), |port| port.name.clone())
    }
}

/// How a node comes to wait for ever.
#[derive(Clone, Copy)]
enum Stall {
    /// Messages come on the slow way only where there is an event.
    Sparse,
    /// Fewer messages come on the slow way, for as long as it runs.
    Fewer,
    /// They come later than the full way has room.
    Late {
        /// How many messages would have to be sent.
        needed: f64,
        /// How many can be.
        sent: f64,
    },
}

impl Stall {
    /// How many more messages would have to find room.
    fn lacks(self) -> f64 {
        match self {
            Stall::Late { needed, sent } => needed - sent,
            Stall::Sparse | Stall::Fewer => f64::INFINITY,
        }
    }
}

fn depth(wire: &Wire<'_>) -> f64 {
    f64::from(wire.edge.depth())
}
