//! Who is to blame for the end of a process, and what happened.

use super::State;
use crate::graph::BackendId;
use crate::runner::event::Exit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Who is to blame for an end, and what happened.
#[derive(Clone, Debug)]
pub(super) struct Blame {
    pub who: String,
    pub cause: String,
    /// Nothing is wrong: a node has ended by itself, and is to be started again.
    pub is_well: bool,
}

impl Blame {
    pub fn of(who: String, cause: String) -> Self {
        Blame { who, cause, is_well: false }
    }
}

/// A store into a view, which ends a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewFault {
    pub node: u32,
    pub edge: u32,
    pub sequence: u64,
    pub offset: i64,
}

impl State {
    /// Who is to blame for the end of a process, and what happened: as precisely as is known.
    pub(super) fn explain_exit(
        &self,
        backend: BackendId,
        exit: &Exit,
        who: String,
        edge_name: impl Fn(u32) -> String,
    ) -> Blame {
        let state = &self.backends[backend.0];
        let ended = exit.status.map_or("its process ended".to_owned(), describe_status);
        if let Some(fault) = state.view_fault {
            let who = self.nodes.get(fault.node as usize).map_or(who, |node| format!("node `{}`", node.name));
            let ViewFault { edge, sequence, offset, .. } = fault;
            let edge = edge_name(edge);
            let cause = format!(
                "it wrote into its read-only view of the edge {edge}: message {sequence}, offset {offset} of the payload; \
                 {ended} (a node that writes in place needs `zero_copy: false` on that edge)"
            );
            return Blame::of(who, cause);
        }
        if let Some(refusal) = &state.refusal {
            return Blame::of(who, refusal.clone());
        }
        let cause = match &exit.complaint {
            Some(complaint) => complaint.clone(),
            None if state.ready => ended,
            None => format!("{ended} before it was ready"),
        };
        Blame::of(who, cause)
    }
}

fn describe_status(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("unknown signal");
            format!("its process was killed by signal {signal} ({name})")
        }
        (None, Some(code)) => format!("its process exited with status {code}"),
        (None, None) => "its process ended".to_owned(),
    }
}
