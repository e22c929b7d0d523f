//! Which port of a node an end of an edge means.

use super::edit::Part;
use super::finding::{Draft, Findings, Rule};
use super::rules;
use super::source::Span;
use super::suggest::{self, Suggestion};
use crate::node::TypeDescription;

/// Which ports an end of an edge may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Output,
    Input,
}

/// What edges can be at: a node of a type, or of a file that stands for it.
pub(super) trait HasPorts {
    fn type_name(&self) -> &str;
    fn port_count(&self, side: Side) -> usize;
    fn port_name(&self, side: Side, at: usize) -> &str;

    /// Whether its ports are declared in a graph file.
    fn is_part(&self) -> bool {
        false
    }

    /// The port called `name`.
    fn port_at(&self, side: Side, name: &str) -> Option<usize> {
        (0..self.port_count(side)).find(|&at| self.port_name(side, at) == name)
    }

    /// Whether an end of an edge that names `port`, if any, can only be right at the other side.
    fn is_reversed(&self, side: Side, port: Option<&str>) -> bool {
        let is_at = |side: Side| port.is_some_and(|port| self.port_at(side, port).is_some());
        self.port_count(side) == 0 || (!is_at(side) && is_at(side.other()))
    }

    fn port_names(&self, side: Side) -> Vec<&str> {
        (0..self.port_count(side)).map(|at| self.port_name(side, at)).collect()
    }
}

impl HasPorts for TypeDescription {
    fn type_name(&self) -> &str {
        &self.name
    }

    fn port_count(&self, side: Side) -> usize {
        match side {
            Side::Output => self.outputs.len(),
            Side::Input => self.inputs.len(),
        }
    }

    fn port_name(&self, side: Side, at: usize) -> &str {
        match side {
            Side::Output => &self.outputs[at].name,
            Side::Input => &self.inputs[at].name,
        }
    }
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Side::Output => Side::Input,
            Side::Input => Side::Output,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Side::Output => "output",
            Side::Input => "input",
        }
    }
}

/// The port that is meant by `word`, which names `node` and maybe one of its ports: the only one where none is named. None is
/// a finding.
pub(super) fn find_port(
    ports: &impl HasPorts,
    (node, port): (&str, Option<&str>),
    side: Side,
    at: Span,
    findings: &mut Findings,
) -> Option<usize> {
    let found = match port {
        None => (ports.port_count(side) == 1).then_some(0),
        Some(name) => ports.port_at(side, name),
    };
    if found.is_none() {
        let (rule, message, help) = no_such_port(ports, (node, port), side, findings);
        findings.add(Draft::new(rule, at, message).suggest(help, Part::Back));
    }
    found
}

fn no_such_port(
    ports: &impl HasPorts,
    (node, port): (&str, Option<&str>),
    side: Side,
    findings: &Findings,
) -> (Rule, String, Option<Suggestion>) {
    let what = side.in_words();
    let count = ports.port_count(side);
    if count == 0 {
        let message = format!("`{node}` is a `{}`, which has no {what}s", ports.type_name());
        let (rule, other_way) = match side {
            Side::Output => {
                (rules::NO_OUTPUT, "messages end there; swap `from` and `to`, or begin the edge at another node")
            }
            Side::Input => {
                (rules::NO_INPUT, "messages begin there; swap `from` and `to`, or end the edge at another node")
            }
        };
        let lacks_all = ports.is_part() && ports.port_count(side.other()) == 0;
        let declared = || {
            let name = port.filter(|port| !port.is_empty()).unwrap_or("NAME");
            format!("declare it there, as in `ports: {{ {what}s: {{ {name}: NODE }} }}`")
        };
        let help = if lacks_all { declared() } else { other_way.to_owned() };
        return (rule, message, Some(help.into()));
    }
    let Some(port) = port else {
        let help = findings.suggestion(|| {
            let choices: Vec<String> = ports.port_names(side).iter().map(|port| format!("{node}.{port}")).collect();
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            Some(format!("say which one: {}", suggest::list(&choices)).into())
        });
        return (rules::AMBIGUOUS_PORT, format!("`{node}` has {count} {what}s"), help);
    };
    let help = findings.suggestion(|| {
        let (names, other) = (ports.port_names(side), side.other());
        match ports.port_at(other, port) {
            Some(_) => Some(format!("`{port}` is an {}; {what}s: {}", other.in_words(), suggest::list(&names)).into()),
            None => suggest::help(port, &names, what),
        }
    });
    let message = match port {
        "" => format!("behind the dot of `{node}.`, no {what} is named"),
        port => format!("`{node}` has no {what} `{port}`"),
    };
    (rules::UNKNOWN_PORT, message, help)
}
