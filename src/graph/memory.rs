//! The rule on memory: what all queues together may hold fits into the budget, or into the machine.

use super::finding::{Draft, Findings, Level};
use super::model::{Model, Port, Wire};
use super::source::Span;
use super::streams::{Streams, bytes_in_words};
use super::{Delivery, Overflow, rules};
use std::cmp::Reverse;

/// Most places that a finding shows beside its own.
const MAX_RELATED: usize = 3;

/// What a process can address on any machine that ezrun runs on, in bytes.
const ADDRESS_SPACE: f64 = (1u64 << 47) as f64;

/// How much memory the queues of a graph may need.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub of: LimitOf,
    /// How many bytes an output with these edges may need at most: what the plan would reserve for it.
    pub port_bytes: fn(&[EdgeDemand]) -> u64,
}

/// Who limits the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    /// The user, who wants to be sure: every edge counts with the largest messages that it lets through.
    Budget,
    /// The machine: memory that was reserved is not used before it is needed, so an edge counts with the messages that it
    /// will have or that the file allows by name, and not at all where neither is known; with its largest ones where all
    /// of its memory is there before the first.
    Machine,
    /// The control group, such as that of a container: otherwise as the machine.
    ControlGroup,
}

/// What an edge asks of its output's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeDemand {
    /// How the consumer receives.
    pub delivery: Delivery,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Depth of the queue in messages.
    pub queue: u32,
    /// How many messages the input keeps.
    pub holds: u32,
    /// Largest payload in bytes.
    pub max_message: u64,
    /// Whether both ends are in one backend.
    pub same_backend: bool,
}

/// An output and what it may need.
struct Need {
    bytes: u64,
    from: Port,
}

/// An edge that no process can have, whatever the machine has: what its queue holds is more than there are addresses for.
pub(super) fn unaddressable(model: &Model<'_>, findings: &mut Findings) {
    let places = model.places();
    for wire in model.wires().filter(|wire| places[wire.from.0] != places[wire.to.0]) {
        let bytes = f64::from(wire.edge.depth()) * wire.edge.largest() as f64;
        if bytes > ADDRESS_SPACE {
            let (all, most) = (bytes_in_words(bytes), bytes_in_words(ADDRESS_SPACE));
            let message = format!("this queue may hold {all}, and a process has addresses for {most}");
            let span = wire.edge.max_message.map_or(wire.to_span, |bytes| bytes.span);
            let draft = Draft::new(rules::MEMORY_BUDGET, span, message);
            findings.add(draft.help("write a smaller `max_message` or `queue`"));
        }
    }
}

pub(super) fn budget(model: &Model<'_>, streams: &Streams, limit: &MemoryLimit, findings: &mut Findings) {
    // What no process can have, no machine has.
    if limit.of != LimitOf::Budget && !findings.places_of(rules::MEMORY_BUDGET).is_empty() {
        return;
    }
    let mut needs = needs(model, streams, limit);
    let total: u128 = needs.iter().map(|need| u128::from(need.bytes)).sum();
    if total <= u128::from(limit.bytes) {
        return;
    }
    needs.sort_by_cached_key(|need| (Reverse(need.bytes), wires_of(model, need).next().map(|wire| wire.to_span)));
    let Some((largest, others)) = needs.split_first() else { return };
    let (all, most) = (bytes_in_words(total as f64), bytes_in_words(limit.bytes as f64));
    let whose = match limit.of {
        LimitOf::Budget => format!("the budget is {most}"),
        LimitOf::Machine => format!("this machine has {most}"),
        LimitOf::ControlGroup => format!("the control group that this runs in, as in a container, has {most}"),
    };
    let level = if limit.of == LimitOf::Budget { Level::Error } else { Level::Warning };
    let message = format!("the queues of this graph may need {all} of memory, and {whose}");
    let own = format!("write a smaller `max_message` or `queue`; {}", share(model, largest));
    let mut draft = Draft::new(rules::MEMORY_BUDGET, place(model, largest), message).level(level).help(own);
    for need in others.iter().take(MAX_RELATED).filter(|need| need.bytes > 0) {
        draft = draft.related(place(model, need), share(model, need));
    }
    findings.add(draft);
}

/// What each output may need.
fn needs(model: &Model<'_>, streams: &Streams, limit: &MemoryLimit) -> Vec<Need> {
    let places = model.places();
    let (mut needs, mut wires) = (Vec::with_capacity(model.nodes.len()), Vec::new());
    for node in 0..model.nodes.len() {
        wires.clear();
        wires.extend(model.wires_out_of(node));
        wires.sort_by_key(|wire| wire.from);
        needs.extend(wires.chunk_by(|a, b| a.from == b.from).map(|wires| {
            let demands = wires.iter().filter_map(|wire| {
                let same_backend = places[wire.from.0] == places[wire.to.0];
                demand(model, streams, wire, limit.of).map(|demand| EdgeDemand { same_backend, ..demand })
            });
            let demands: Vec<EdgeDemand> = demands.collect();
            Need { bytes: if demands.is_empty() { 0 } else { (limit.port_bytes)(&demands) }, from: wires[0].from }
        }));
    }
    needs
}

/// The edges of an output.
fn wires_of<'m>(model: &'m Model<'_>, need: &Need) -> impl DoubleEndedIterator<Item = Wire<'m>> {
    let from = need.from;
    model.wires_out_of(from.0).filter(move |wire| wire.from == from)
}

/// Nothing where it is not known how large the messages are.
fn demand(model: &Model<'_>, streams: &Streams, wire: &Wire<'_>, limit: LimitOf) -> Option<EdgeDemand> {
    let written = wire.edge.max_message.map(|bytes| bytes.value);
    let known = streams.sent(wire.from).bytes.map(|bytes| bytes.ceil() as u64);
    let max_message = match limit {
        LimitOf::Budget => wire.edge.largest(),
        // What has its memory before the first message needs it whatever comes.
        _ if wire.edge.prefault.is_some_and(|flag| flag.value) => wire.edge.largest(),
        LimitOf::Machine | LimitOf::ControlGroup => known.or(written)?.min(wire.edge.largest()),
    };
    let zero_copy = wire.edge.zero_copy.is_some_and(|flag| flag.value);
    Some(EdgeDemand {
        delivery: if zero_copy { Delivery::ZeroCopy } else { Delivery::Copy },
        overflow: wire.edge.overflow.map_or(Overflow::Block, |overflow| overflow.value),
        queue: wire.edge.depth(),
        holds: model.nodes[wire.to.0].node_type.as_ref()?.inputs[wire.to.1].holds,
        max_message,
        same_backend: false,
    })
}

/// Where the most can be gained: at the largest edge's `max_message`, else at its `queue`, else where it ends.
fn place(model: &Model<'_>, need: &Need) -> Span {
    let size = |wire: &Wire<'_>| (wire.edge.largest(), wire.edge.depth());
    // Of equals, the first.
    let largest = wires_of(model, need).rev().max_by_key(size);
    largest.map_or(Span::default(), |wire| {
        let written = wire.edge.max_message.map(|bytes| bytes.span);
        written.or(wire.edge.queue.map(|queue| queue.span)).unwrap_or(wire.to_span)
    })
}

fn share(model: &Model<'_>, need: &Need) -> String {
    let from = &model.nodes[need.from.0].name.text;
    format!("what `{from}` sends may need {}", bytes_in_words(need.bytes as f64))
}
