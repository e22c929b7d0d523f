//! Rules on delivery: a copy where the input writes, a view where it only reads; and nothing lost on the way to what
//! records.

use super::edges::MAX_MESSAGE_BYTES;
use super::edit::Change;
use super::finding::{Draft, Findings};
use super::model::{Model, Port, Wire};
use super::source::Span;
use super::streams::{Stream, Streams, bytes_in_words};
use super::{Overflow, rules};
use crate::node::{Cadence, counted, figures};
use std::collections::{HashMap, HashSet, VecDeque};

/// Most edges of a way to a node that records that are shown.
const MAX_PATH: usize = 8;

pub(super) fn in_place_views(model: &Model<'_>, findings: &mut Findings) {
    for wire in model.wires() {
        let Some(zero_copy) = wire.edge.zero_copy.filter(|flag| flag.value) else { continue };
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        if input.writes_in_place {
            let (name, port, type_name) = (&node.name.text, &input.name, &node_type.name);
            let message =
                format!("`{type_name}` writes into what it receives at `{name}.{port}`: it needs its own copy");
            let help = "write `zero_copy: false`, or take it out";
            let draft = Draft::new(rules::IN_PLACE_VIEW, zero_copy.span, message).help(help);
            let draft = draft.fix(Change::Replace(zero_copy.span, "false"));
            findings.add(draft.related(node.name.span, format!("`{name}` writes in place")));
        }
    }
}

pub(super) fn copies_for_views(model: &Model<'_>, findings: &mut Findings) {
    for wire in model.wires() {
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        if input.needs_views && copies(&wire) {
            let span = wire.edge.zero_copy.map_or(wire.to_span, |flag| flag.span);
            let (name, type_name) = (&node.name.text, &node_type.name);
            let message = format!("`{type_name}` asks for views at `{name}.{}`, and this edge copies", input.name);
            let draft = Draft::new(rules::NEEDS_VIEWS, span, message).help("write `zero_copy: true` on this edge");
            findings.add(draft.fix(views(&wire)));
        }
    }
}

pub(super) fn needless_copies(model: &Model<'_>, streams: &Streams, findings: &mut Findings) {
    if !model.wires().any(|wire| copies(&wire)) {
        return;
    }
    let mut readers: HashMap<Port, usize> = HashMap::new();
    for wire in model.wires() {
        *readers.entry(wire.from).or_default() += 1;
    }
    let places = model.places();
    let written_in_place = |wire: &Wire<'_>| {
        model.nodes[wire.to.0].node_type.as_ref().is_some_and(|node_type| node_type.inputs[wire.to.1].writes_in_place)
    };
    // An edge into a file's port may end at several inputs: one that writes needs the copy for all of them.
    let needed: HashSet<Span> = model.wires().filter(written_in_place).map(|wire| wire.to_span).collect();
    let twice = findings.places_of(rules::DUPLICATE_EDGE);
    for wire in model.wires().filter(|wire| !needed.contains(&wire.to_span) && !twice.contains(&wire.to_span)) {
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        // Inside one backend an only reader receives by move.
        let moves = readers[&wire.from] == 1 && places[wire.from.0] == places[wire.to.0];
        if copies(&wire) && !moves && !input.writes_in_place && !input.needs_views && !wire.edge.faulty {
            let span = wire.edge.zero_copy.map_or(wire.to_span, |flag| flag.span);
            let cost = cost(&streams.received(&wire)).map_or(String::new(), |cost| format!(": {cost}"));
            let message =
                format!("`{}.{}` only reads, yet each message is copied for it{cost}", node.name.text, input.name);
            let draft = Draft::new(rules::NEEDLESS_COPY, span, message).help("write `zero_copy: true` on this edge");
            findings.add(draft.fix(views(&wire)));
        }
    }
}

/// Messages that the edge does not take: the first of them ends the run.
pub(super) fn too_large(model: &Model<'_>, streams: &Streams, findings: &mut Findings) {
    for wire in model.wires() {
        let limit = wire.edge.largest();
        let Some(bytes) = streams.sent(wire.from).bytes.filter(|&bytes| bytes > limit as f64) else { continue };
        let span = wire.edge.max_message.map_or(wire.to_span, |limit| limit.span);
        let (message, help) = if bytes > MAX_MESSAGE_BYTES as f64 {
            let message = format!("messages of {} are over the limit of this edge", bytes_in_words(bytes));
            (message, "no edge takes more than 1 TiB: send smaller ones".to_owned())
        } else {
            let message = format!(
                "messages of {bytes:.0} bytes are over the limit of this edge, {}",
                counted(limit as usize, "byte")
            );
            (message, format!("write `max_message: {bytes:.0}`, or more, on this edge"))
        };
        let name = &model.nodes[wire.from.0].name;
        let draft = Draft::new(rules::TOO_LARGE, span, message).help(help);
        findings.add(draft.related(name.span, format!("`{}` sends them", name.text)));
    }
}

/// Timeouts that pass between any two messages: the first time, the producer is taken for one that has failed.
pub(super) fn short_timeouts(model: &Model<'_>, streams: &Streams, findings: &mut Findings) {
    for wire in model.wires() {
        let Some(timeout) = wire.edge.input_timeout else { continue };
        let stream = streams.sent(wire.from);
        let is_only_one = stream.messages.is_some_and(|messages| messages < 2.0);
        let Some(pause_s) = stream.pause_s.filter(|_| stream.realtime && !is_only_one) else { continue };
        if timeout.value.as_secs_f64() < pause_s {
            let (name, pause) = (&model.nodes[wire.from.0].name.text, figures(pause_s));
            let message = format!("`{name}` sends nothing for up to {pause} s, and the run gives up before that");
            let help = format!("write an `input_timeout` well above {pause} s, or take it out");
            findings.add(Draft::new(rules::SHORT_TIMEOUT, timeout.span, message).help(help));
        }
    }
}

/// Whether an edge surely copies.
fn copies(wire: &Wire<'_>) -> bool {
    !wire.edge.is_open && wire.edge.zero_copy.is_none_or(|flag| !flag.value)
}

/// Gives an edge `zero_copy: true`.
fn views(wire: &Wire<'_>) -> Change {
    match wire.edge.zero_copy {
        Some(flag) => Change::Replace(flag.span, "true"),
        None if wire.edge.in_braces => Change::Append(wire.to_span, ", zero_copy: true"),
        None => Change::AddLine(wire.to_span, "zero_copy: true"),
    }
}

/// What copying a stream costs, as far as that is known before it runs.
fn cost(stream: &Stream) -> Option<String> {
    let bytes = stream.bytes?;
    Some(match stream.messages_per_s {
        Some(per_s) if stream.realtime => format!("{} per second", bytes_in_words(bytes * per_s)),
        Some(per_s) => format!("{} for each second of the signal", bytes_in_words(bytes * per_s)),
        None => format!("{} a message", bytes_in_words(bytes)),
    })
}

/// Views lie in slots beside the queue, so an edge that waits neither stalls nor loses anything, however many are kept.
/// One that drops loses what comes while the node is busy with more messages than the queue is deep.
pub(super) fn shallow_queues(model: &Model<'_>, findings: &mut Findings) {
    for wire in model.wires() {
        let node = &model.nodes[wire.to.0];
        let Some(node_type) = &node.node_type else { continue };
        let (Some(overflow), Some(true)) = (wire.edge.overflow, wire.edge.zero_copy.map(|flag| flag.value)) else {
            continue;
        };
        let input = &node_type.inputs[wire.to.1];
        let (queue, span) = (wire.edge.depth(), wire.edge.queue.map_or(overflow.span, |queue| queue.span));
        let loses = match overflow.value {
            Overflow::Block => continue,
            Overflow::DropOldest | Overflow::DropNewest => "the others are dropped",
            Overflow::Fail => "one more ends the run",
        };
        if input.holds > queue && !wire.edge.faulty {
            let (name, port, holds) = (&node.name.text, &input.name, input.holds);
            let message = format!(
                "`{name}.{port}` keeps up to {holds} messages; of as many that come meanwhile {queue} can wait, and {loses}"
            );
            let draft = Draft::new(rules::SHALLOW_QUEUE, span, message);
            findings.add(draft.help(format!("write `queue: {holds}` or more on this edge")));
        }
    }
}

/// Every edge that may drop or fail and leads to a node that records, over whatever other nodes.
pub(super) fn lossy_recordings(model: &Model<'_>, findings: &mut Findings) {
    let loses = |wire: &Wire<'_>| {
        let overflow = wire.edge.overflow.filter(|overflow| overflow.value != Overflow::Block)?;
        let fails = overflow.value == Overflow::Fail;
        // Feedback has to drop, and what only slows a stream down is there to have messages dropped before it.
        (!wire.edge.may_be_feedback() && (fails || !slows_down(model, wire.to.0))).then_some((overflow.span, fails))
    };
    let lossy: Vec<(Wire<'_>, Span, bool)> =
        model.wires().filter_map(|wire| loses(&wire).map(|(span, fails)| (wire, span, fails))).collect();
    if lossy.is_empty() {
        return;
    }
    let towards = towards_recorders(model);
    for (wire, span, fails) in lossy {
        if let Some((path, recorder)) = path_to_recorder(model, &towards, wire) {
            findings.add(report_loss(model, &path, recorder, span, fails));
        }
    }
}

/// For each node, the first edge of a shortest way to a node that records, and that node.
type Towards<'m> = Vec<Option<(Wire<'m>, usize)>>;

fn towards_recorders<'m>(model: &'m Model<'_>) -> Towards<'m> {
    let mut towards: Towards<'m> = vec![None; model.nodes.len()];
    let mut queue: VecDeque<(usize, usize)> = VecDeque::new();
    let recording = model.wires().filter(|wire| records(model, wire));
    let mut reached: Vec<(Wire<'m>, usize)> = recording.map(|wire| (wire, wire.to.0)).collect();
    loop {
        for (wire, recorder) in reached.drain(..) {
            let first = &mut towards[wire.from.0];
            if first.is_none() {
                *first = Some((wire, recorder));
                queue.push_back((wire.from.0, recorder));
            }
        }
        let Some((node, recorder)) = queue.pop_front() else { return towards };
        reached.extend(model.wires_into(node).map(|wire| (wire, recorder)));
    }
}

/// The edges from `first` to the nearest node that records, the first [`MAX_PATH`] of them; and that node.
fn path_to_recorder<'m>(model: &Model<'_>, towards: &Towards<'m>, first: Wire<'m>) -> Option<(Vec<Wire<'m>>, usize)> {
    let mut last = first;
    let mut path = vec![last];
    if records(model, &last) {
        return Some((path, last.to.0));
    }
    let (_, recorder) = towards[last.to.0]?;
    while !records(model, &last) && path.len() < MAX_PATH {
        (last, _) = towards[last.to.0]?;
        path.push(last);
    }
    Some((path, recorder))
}

fn report_loss(model: &Model<'_>, path: &[Wire<'_>], recorder: usize, span: Span, fails: bool) -> Draft {
    let name = |node: usize| format!("`{}`", model.nodes[node].name.text);
    let recorder_name = name(recorder);
    let from = path.first().map(|wire| name(wire.from.0));
    let mut way: Vec<String> = from.into_iter().chain(path.iter().map(|wire| name(wire.to.0))).collect();
    if path.last().is_some_and(|wire| wire.to.0 != recorder) {
        way.extend(["…".to_owned(), recorder_name.clone()]);
    }
    let way = way.join(" → ");
    let message = if fails {
        format!("{recorder_name} records, and a full queue on the way to it ends the run: {way}")
    } else {
        format!("{recorder_name} records, and what is dropped here is missing in it: {way}")
    };
    let help = "write `overflow: block`, or record before this edge";
    let mut draft = Draft::new(rules::LOSSY_RECORDING, span, message).help(help);
    for wire in path {
        let what = if wire.to.0 == recorder { "records" } else { "passes on" };
        draft = draft.related(wire.to_span, format!("{} {what}", name(wire.to.0)));
    }
    draft
}

fn records(model: &Model<'_>, wire: &Wire<'_>) -> bool {
    let node = &model.nodes[wire.to.0];
    let (Some(node_type), Some(settings)) = (&node.node_type, &node.settings) else { return false };
    node_type.inputs[wire.to.1].records.applies(settings)
}

fn slows_down(model: &Model<'_>, node: usize) -> bool {
    let node_type = model.nodes[node].node_type.as_ref();
    let outputs = node_type.map_or(&[][..], |node_type| &node_type.outputs);
    outputs.iter().any(|output| matches!(output.cadence, Cadence::Limited { .. }))
}
