//! How a file is connected where it stands for a node.

use super::ports::{HasPorts, Side};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Ports of a file, by name, and what each stands for.
pub(super) type Ports = Vec<(SmolStr, Vec<SmolStr>)>;

/// Nodes, by the name that stands for them.
pub(super) type Groups = HashMap<SmolStr, Vec<SmolStr>>;

/// How a file is connected where it stands for a node.
pub(super) struct Interface {
    /// What it is called.
    pub file: Arc<str>,
    /// Its ports, and what each stands for.
    pub inputs: Ports,
    pub outputs: Ports,
    /// Where among them a port is.
    places: HashMap<(Side, SmolStr), usize>,
    /// Its nodes.
    pub nodes: Vec<SmolStr>,
    /// The nodes of each file inside it, by the name of the node that stands for that one.
    pub groups: Groups,
    /// Ports that edges, or ports of the outer file, are at.
    pub reached: HashSet<(Side, usize)>,
    /// Where it may have ports that could not be read.
    pub may_have_more: Vec<Side>,
    /// Sides at which it is not clear whether edges were meant to be.
    pub unclear: HashSet<Side>,
}

impl HasPorts for Interface {
    fn type_name(&self) -> &str {
        &self.file
    }

    fn port_count(&self, side: Side) -> usize {
        self.ports(side).len()
    }

    fn port_name(&self, side: Side, at: usize) -> &str {
        &self.ports(side)[at].0
    }

    fn is_part(&self) -> bool {
        true
    }

    fn port_at(&self, side: Side, name: &str) -> Option<usize> {
        self.places.get(&(side, name.into())).copied()
    }
}

impl Interface {
    pub fn of(file: Arc<str>, nodes: Vec<SmolStr>, (inputs, outputs): (Ports, Ports), groups: Groups) -> Self {
        let on = |side: Side, ports: &Ports| {
            let names = ports.iter().map(|(name, _)| name.clone());
            names.enumerate().rev().map(move |(at, name)| ((side, name), at)).collect::<Vec<_>>()
        };
        let places = on(Side::Input, &inputs).into_iter().chain(on(Side::Output, &outputs)).collect();
        let (reached, unclear) = Default::default();
        Interface { file, inputs, outputs, places, nodes, groups, reached, may_have_more: Vec::new(), unclear }
    }

    /// The ports on one side, and what each stands for.
    pub fn ports(&self, side: Side) -> &Ports {
        match side {
            Side::Output => &self.outputs,
            Side::Input => &self.inputs,
        }
    }
}
