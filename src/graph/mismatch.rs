//! The rule on types: an input accepts what the output sends, also through nodes that pass on what comes in.

use super::finding::{Draft, Findings};
use super::model::{Model, Port, Wire};
use super::per_output::PerOutput;
use super::rules;
use super::source::Span;
use crate::message::DType;
use crate::node::{InputPort, Narrowed, PortType};
use std::borrow::Cow;
use std::ops::Range;

/// Most different types that are told apart on one output.
const MAX_SENT: usize = 8;
/// Most hops of a way that are shown.
const MAX_HOPS: usize = 16;

/// What an output may send, and the way that it came.
struct Sent<'m> {
    what: Cow<'m, PortType>,
    /// Whose output it first came from.
    origin: usize,
    /// The edge that it came in by, and its place among what that edge's output sends; none at its origin.
    came_by: Option<Hop>,
}

#[derive(Clone, Copy, PartialEq)]
struct Hop {
    from: Port,
    to_span: Span,
    place: usize,
}

/// What every output may send.
struct AllSent<'m> {
    /// Where in `sent` it lies; nothing until it is known.
    places: PerOutput<Range<usize>>,
    sent: Vec<Sent<'m>>,
}

impl<'m> AllSent<'m> {
    fn by(&self, port: Port) -> &[Sent<'m>] {
        &self.sent[self.places[port].clone()]
    }

    fn add(&mut self, port: Port, what: impl IntoIterator<Item = Sent<'m>>) {
        let begin = self.sent.len();
        self.sent.extend(what);
        self.places[port] = begin..self.sent.len();
    }
}

pub(super) fn mismatches(model: &Model<'_>, findings: &mut Findings) {
    let mut sent = AllSent { places: PerOutput::all(model, 0..0), sent: Vec::new() };
    for &node in &model.shape.sources_first {
        let Some(node_type) = &model.nodes[node].node_type else { continue };
        for (port, output) in node_type.outputs.iter().enumerate() {
            match &output.sends {
                PortType::SameAs { input } => sent.add((node, port), passed_on(model, node, input, &sent)),
                what => sent.add((node, port), [Sent { what: Cow::Borrowed(what), origin: node, came_by: None }]),
            }
        }
    }
    for wire in model.wires() {
        let Some(node_type) = &model.nodes[wire.to.0].node_type else { continue };
        let input = &node_type.inputs[wire.to.1];
        let accepts = accepted(model, wire.to.0, input);
        for one in sent.by(wire.from).iter().filter(|one| !fits(&one.what, accepts)) {
            let draft = report(model, &wire, one, input, accepts);
            findings.add(with_hops(draft, model, &wire, one, &sent));
        }
        if input.uniform {
            let fitting: Vec<&Sent<'_>> = sent.by(wire.from).iter().filter(|one| fits(&one.what, accepts)).collect();
            if let Some(draft) = mixed(model, &wire, &fitting) {
                findings.add(draft);
            }
        }
    }
}

/// What `input` of `node` accepts, with the settings that the node has.
fn accepted<'m>(model: &'m Model<'_>, node: usize, input: &'m InputPort) -> &'m PortType {
    input.accepts_with(model.nodes[node].settings.as_ref())
}

fn report(model: &Model<'_>, wire: &Wire<'_>, sent: &Sent<'_>, input: &InputPort, accepts: &PortType) -> Draft {
    let Sent { what, origin, .. } = sent;
    let (from, to) = (&model.nodes[wire.from.0].name.text, &model.nodes[wire.to.0].name.text);
    let message = if *origin == wire.from.0 {
        format!("`{from}` sends {what}, but `{to}.{}` accepts {accepts}", input.name)
    } else {
        let origin = &model.nodes[*origin].name.text;
        format!("`{from}` passes on {what} from `{origin}`, but `{to}.{}` accepts {accepts}", input.name)
    };
    let help = match &input.narrowed {
        Some(Narrowed { setting, .. }) if input.accepts != *accepts => {
            format!("with another `{setting}` it accepts {}", input.accepts)
        }
        _ if (&**what, accepts) == (&PortType::Bytes, &PortType::Table) => {
            "`file_sink` writes bytes; or put a node between them that makes rows of them".to_owned()
        }
        _ => "put a node between them that turns the one into the other; `ezrun nodes NAME` shows its ports".to_owned(),
    };
    let draft = Draft::new(rules::TYPE_MISMATCH, wire.to_span, message).help(help);
    let node = &model.nodes[*origin];
    draft.related(node.name.span, format!("`{}` sends {what}", node.name.text))
}

/// What comes in by `wire` at an input that takes messages of one kind, where it surely is of several.
fn mixed(model: &Model<'_>, wire: &Wire<'_>, sent: &[&Sent<'_>]) -> Option<Draft> {
    let (first, rest) = sent.split_first()?;
    let other = rest.iter().find(|other| !may_be_one_kind(&first.what, &other.what))?;
    let to = &model.nodes[wire.to.0].name.text;
    let message = format!("`{to}` takes messages of one kind, but both {} and {} come here", first.what, other.what);
    let draft = Draft::new(rules::MIXED_MESSAGES, wire.to_span, message).help("let each kind have a node of its own");
    Some([first, other].into_iter().fold(draft, |draft, sent| {
        let origin = &model.nodes[sent.origin].name;
        draft.related(origin.span, format!("`{}` sends {}", origin.text, sent.what))
    }))
}

/// Whether messages of these types may be records of one type, or tensors with the same dimensions.
fn may_be_one_kind(a: &PortType, b: &PortType) -> bool {
    match (a, b) {
        (PortType::Tensor { dims: a, .. }, PortType::Tensor { dims: b, .. }) => may_be_same(a, b),
        _ => fits(a, b),
    }
}

/// Whether these may be names of the same dimensions; none means any.
fn may_be_same(a: &[String], b: &[String]) -> bool {
    a.is_empty() || b.is_empty() || a == b
}

/// Shows every hop on the way from where a message began to the edge at fault.
fn with_hops(mut draft: Draft, model: &Model<'_>, wire: &Wire<'_>, sent: &Sent<'_>, all: &AllSent<'_>) -> Draft {
    let mut hops: Vec<(Hop, usize)> = Vec::new();
    let (mut one, mut to) = (Some(sent), wire.from.0);
    while let Some(hop) = one.and_then(|one| one.came_by).filter(|_| hops.len() < MAX_HOPS) {
        hops.push((hop, to));
        to = hop.from.0;
        one = all.by(hop.from).get(hop.place);
    }
    for (hop, to) in hops.into_iter().rev() {
        let name = |node: usize| &model.nodes[node].name.text;
        draft = draft.related(hop.to_span, format!("`{}` → `{}`", name(hop.from.0), name(to)));
    }
    draft
}

/// What comes in at `input`, as far as it would have been accepted there.
fn passed_on<'m>(model: &'m Model<'_>, node: usize, input: &str, sent: &AllSent<'m>) -> Vec<Sent<'m>> {
    let inputs = model.nodes[node].node_type.as_ref().map_or(&[][..], |node_type| &node_type.inputs);
    let Some(at) = inputs.iter().position(|port| port.name == input) else { return Vec::new() };
    let accepts = accepted(model, node, &inputs[at]);
    let mut all: Vec<Sent<'_>> = Vec::new();
    for wire in model.wires_into(node).filter(|wire| wire.to.1 == at) {
        for (place, Sent { what, origin, .. }) in sent.by(wire.from).iter().enumerate() {
            // What does not fit is reported where it comes in, and goes no further.
            if !fits(what, accepts) {
                continue;
            }
            let narrowed = narrow(what, accepts);
            let hop = Hop { from: wire.from, to_span: wire.to_span, place };
            let (origin, came_by) = if narrowed == *what { (*origin, Some(hop)) } else { (node, None) };
            if all.len() < MAX_SENT && !all.iter().any(|known| known.what == narrowed) {
                all.push(Sent { what: narrowed, origin, came_by });
            }
        }
    }
    if all.is_empty() { vec![Sent { what: Cow::Borrowed(accepts), origin: node, came_by: None }] } else { all }
}

/// Whether an input that accepts `accepts` can be given `what`.
fn fits(what: &PortType, accepts: &PortType) -> bool {
    match (what, accepts) {
        (PortType::Any | PortType::SameAs { .. }, _) | (_, PortType::Any | PortType::SameAs { .. }) => true,
        (PortType::Bytes, PortType::Bytes) => true,
        (a, PortType::Table) => *a != PortType::Bytes,
        (PortType::Table, b) => *b != PortType::Bytes,
        (PortType::Tensor { dtypes: a, dims: x }, PortType::Tensor { dtypes: b, dims: y }) => {
            let dtypes = a.is_empty() || b.is_empty() || a.iter().any(|dtype| b.contains(dtype));
            dtypes && may_be_same(x, y)
        }
        (PortType::Record { name: a }, PortType::Record { name: b }) => a.is_none() || b.is_none() || a == b,
        _ => false,
    }
}

/// What is known of a message of type `what` that `accepts` has let in.
fn narrow<'m>(what: &Cow<'m, PortType>, accepts: &'m PortType) -> Cow<'m, PortType> {
    match (&**what, accepts) {
        (PortType::Any | PortType::SameAs { .. }, known) => Cow::Borrowed(known),
        (PortType::Table, PortType::Tensor { .. } | PortType::Record { .. }) => Cow::Borrowed(accepts),
        (PortType::Tensor { dtypes: a, dims: x }, PortType::Tensor { dtypes: b, dims: y }) => {
            let dtypes: Vec<DType> = match (a.is_empty(), b.is_empty()) {
                (true, _) => b.clone(),
                (_, true) => a.clone(),
                _ => a.iter().copied().filter(|dtype| b.contains(dtype)).collect(),
            };
            let dims = if x.is_empty() { y } else { x };
            if dtypes == *a && dims == x {
                return what.clone();
            }
            Cow::Owned(PortType::Tensor { dtypes, dims: dims.clone() })
        }
        (PortType::Record { name: None }, PortType::Record { name: Some(_) }) => Cow::Borrowed(accepts),
        _ => what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_fit_by_element_type_and_dimension_names() {
        let signal = PortType::signal();
        let u8s = PortType::Tensor { dtypes: vec![DType::U8], dims: Vec::new() };
        assert!(fits(&PortType::tensor(), &signal) && fits(&signal, &PortType::tensor()));
        assert!(!fits(&u8s, &signal));
        assert!(!fits(&PortType::floats(&["frequency", "channel"]), &signal));
        assert!(!fits(&PortType::Bytes, &signal) && !fits(&signal, &PortType::Bytes));
        assert!(fits(&PortType::record("Beat"), &PortType::Record { name: None }));
        assert!(!fits(&PortType::record("Beat"), &PortType::record("Rate")));
        assert!(
            [signal, PortType::record("Beat"), PortType::Any, PortType::Table]
                .iter()
                .all(|a| fits(a, &PortType::Table))
        );
        assert!(!fits(&PortType::Bytes, &PortType::Table) && !fits(&PortType::Table, &PortType::Bytes));
    }

    #[test]
    fn what_passes_an_input_is_known_as_well_as_the_input_knows_it() {
        let signal = PortType::signal();
        assert_eq!(*narrow(&Cow::Owned(PortType::Any), &signal), signal);
        let f32s = PortType::Tensor { dtypes: vec![DType::F32], dims: Vec::new() };
        let narrowed = narrow(&Cow::Owned(f32s), &signal);
        assert_eq!(narrowed.to_string(), "tensor f32[time, channel]");
        assert_eq!(*narrow(&Cow::Owned(PortType::Table), &signal), signal);
        assert_eq!(*narrow(&Cow::Owned(signal.clone()), &PortType::Table), signal);
    }
}
