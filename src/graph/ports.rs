//! Which port of a node an end of an edge means.

use super::edit::Part;
use super::finding::{Draft, Rule};
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
    fn other(self) -> Self {
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

/// What is wrong with a port, to be placed.
pub(super) type LatePlace = Box<dyn FnOnce(Span) -> Draft>;

/// The port of `node` that is meant: the only one where none is named. Else what is wrong.
pub(super) fn find_port(ports: &impl HasPorts, node: &str, port: Option<&str>, side: Side) -> Result<usize, LatePlace> {
    let count = ports.port_count(side);
    let found = match port {
        None => (count == 1).then_some(0),
        Some(name) => (0..count).find(|&at| ports.port_name(side, at) == name),
    };
    found.ok_or_else(|| no_such_port(ports, node, port, side))
}

fn no_such_port(ports: &impl HasPorts, node: &str, port: Option<&str>, side: Side) -> LatePlace {
    let late = |rule: Rule, message: String, help: Option<Suggestion>| -> LatePlace {
        Box::new(move |span| Draft::new(rule, span, message).suggest(help, Part::Back))
    };
    let what = side.in_words();
    let names = ports.port_names(side);
    if names.is_empty() {
        let message = format!("`{node}` is a `{}`, which has no {what}s", ports.type_name());
        let (rule, help) = match side {
            Side::Output => (rules::NO_OUTPUT, "messages end there; begin the edge at another node"),
            Side::Input => (rules::NO_INPUT, "messages begin there; end the edge at another node"),
        };
        return late(rule, message, Some(help.to_owned().into()));
    }
    let Some(port) = port else {
        let choices: Vec<String> = names.iter().map(|port| format!("{node}.{port}")).collect();
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let message = format!("`{node}` has {} {what}s", names.len());
        let help = format!("say which one: {}", suggest::list(&choices));
        return late(rules::AMBIGUOUS_PORT, message, Some(help.into()));
    };
    let other = side.other();
    let help = if ports.port_names(other).contains(&port) {
        Some(format!("`{port}` is an {}; {what}s: {}", other.in_words(), suggest::list(&names)).into())
    } else {
        suggest::help(port, &names, what)
    };
    late(rules::UNKNOWN_PORT, format!("`{node}` has no {what} `{port}`"), help)
}
