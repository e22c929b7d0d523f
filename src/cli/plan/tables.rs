//! A plan as tables for people.

use crate::channel::SegmentKind;
use crate::cli::table;
use crate::graph::{OnExit, Overflow, Restart};
use crate::node::counted;
use crate::plan::{BackendOutline, EdgeOutline, Outline, RestartOutline, SegmentOutline, SegmentUse, Totals};
use indicatif::BinaryBytes;
use std::fmt::Write;
use std::time::Duration;

/// A table up to so many columns stands side by side; in a wider one the last column goes below its row.
const MAX_COLUMNS: usize = 120;

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// Columns of backends that are left out where they would be empty.
const OPTIONAL_COLUMNS: [&str; 4] = ["restart", "ready within", "takes within", "on exit"];

/// The whole plan.
pub fn text(outline: &Outline) -> String {
    let mut text = headline(outline);
    text += "\nBackends\n";
    text += &backends(&outline.backends);
    if !outline.edges.is_empty() {
        text += "\nEdges\n";
        text += &edges(&outline.edges);
    }
    text += "\nShared memory\n";
    text + &memory(outline)
}

fn backends(backends: &[BackendOutline]) -> String {
    let mut titles = vec![
        "backend",
        "program",
        "cpu",
        "priority",
        "env",
        "restart",
        "ready within",
        "takes within",
        "on exit",
        "nodes",
    ];
    let mut rows: Vec<Vec<String>> = backends.iter().map(backend).collect();
    leave_out_empty(&mut titles, &mut rows, &OPTIONAL_COLUMNS);
    folding(&titles, 1, rows.into_iter())
}

fn edges(edges: &[EdgeOutline]) -> String {
    let mut titles =
        vec!["edge", "delivery", "transport", "queue", "overflow", "max message", "slots", "input timeout", "why"];
    let mut rows: Vec<Vec<String>> = edges.iter().map(edge).collect();
    leave_out_empty(&mut titles, &mut rows, &["input timeout"]);
    folding(&titles, 1, rows.into_iter())
}

fn memory(outline: &Outline) -> String {
    let mut titles = vec!["segment", "written by", "slots", "at a time", "at start", "at most", "reserved"];
    let mut rows: Vec<Vec<String>> = outline.memory.iter().map(segment).collect();
    rows.push(totals(&outline.totals));
    leave_out_empty(&mut titles, &mut rows, &["at a time"]);
    folding(&titles, 0, rows.into_iter())
}

/// Takes out those of the columns `optional` in which no row says anything.
fn leave_out_empty(titles: &mut Vec<&str>, rows: &mut [Vec<String>], optional: &[&str]) {
    for at in (0..titles.len()).rev() {
        if optional.contains(&titles[at]) && rows.iter().all(|row| row[at] == NOTHING) {
            titles.remove(at);
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
}

fn headline(outline: &Outline) -> String {
    let Totals { processes, nodes, edges, copying_edges, .. } = outline.totals;
    let kind = match outline.segments {
        SegmentKind::Sealed => "sealed segments",
        SegmentKind::Named => "named segments: read-only by how they are mapped, not by the kernel",
    };
    let (nodes, backends, edges) = (counted(nodes, "node"), counted(processes, "backend"), counted(edges, "edge"));
    format!("{}: {nodes} in {backends}, {edges} ({copying_edges} copying), {kind}\n", outline.graph)
}

fn backend(backend: &BackendOutline) -> Vec<String> {
    let program = if backend.is_pack { backend.program.as_str() } else { "ezrun" };
    let nodes = backend.nodes.iter().map(|node| format!("{} ({})", node.name, node.node_type));
    vec![
        backend.name.clone(),
        program.to_owned(),
        or_dash(backend.cpu.map(|cpu| cpu.to_string())),
        or_dash(backend.priority.map(|priority| priority.to_string())),
        or_dash(Some(backend.env.join(" "))),
        or_dash(backend.restart.as_ref().map(restarts)),
        or_dash(backend.startup_timeout_ms.map(time)),
        or_dash(backend.stall_timeout_ms.map(time)),
        or_dash(on_exit(backend.on_exit)),
        nodes.collect::<Vec<_>>().join(", "),
    ]
}

fn or_dash(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| NOTHING.to_owned())
}

/// Nothing where it is what the file need not say.
fn on_exit(on_exit: OnExit) -> Option<String> {
    match on_exit {
        OnExit::Fail => None,
        OnExit::Drain => Some("drain".to_owned()),
        OnExit::Ignore => Some("ignore".to_owned()),
    }
}

/// As in `3 in 1m`.
fn restarts(restart: &RestartOutline) -> String {
    let always = if restart.when == Restart::Always { "always, " } else { "" };
    format!("{always}{} in {}", restart.max_restarts, time(restart.window_ms))
}

/// As in `1m 30s`.
fn time(milliseconds: u64) -> String {
    humantime::format_duration(Duration::from_millis(milliseconds)).to_string()
}

fn edge(edge: &EdgeOutline) -> Vec<String> {
    let feedback = if edge.policy.feedback { " (feedback)" } else { "" };
    vec![
        format!("{} -> {}{feedback}", edge.from, edge.to),
        table::delivery(edge.delivery).to_owned(),
        table::transport(edge.transport).to_owned(),
        edge.policy.queue.to_string(),
        overflow(edge.policy.overflow).to_owned(),
        bytes(edge.policy.max_message_bytes),
        or_dash(edge.slots.map(|slots| slots.to_string())),
        or_dash(edge.policy.input_timeout_ms.map(time)),
        edge.why.clone(),
    ]
}

fn segment(segment: &SegmentOutline) -> Vec<String> {
    let (name, slots) = match segment.holds {
        SegmentUse::Messages => (format!("messages of {}", segment.name), segment.slots.to_string()),
        SegmentUse::Receipts => (format!("receipts of {}", segment.name), "-".to_owned()),
    };
    vec![
        name,
        segment.written_by.clone(),
        slots,
        or_dash((segment.segments_at_most > 1).then(|| format!("up to {}", segment.segments_at_most))),
        bytes(segment.at_start_bytes),
        bytes(segment.at_most_bytes),
        bytes(segment.reserved_bytes),
    ]
}

fn totals(totals: &Totals) -> Vec<String> {
    vec![
        "total".to_owned(),
        format!("{} processes", totals.processes),
        String::new(),
        NOTHING.to_owned(),
        bytes(totals.at_start_bytes),
        bytes(totals.at_most_bytes),
        bytes(totals.reserved_bytes),
    ]
}

/// As in `64 MiB`, `1.19 GiB`.
fn bytes(bytes: u64) -> String {
    BinaryBytes(bytes).to_string().replace(".00 ", " ")
}

fn overflow(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Block => "block",
        Overflow::DropOldest => "drop_oldest",
        Overflow::DropNewest => "drop_newest",
        Overflow::Fail => "fail",
    }
}

/// Rows under a line of titles. The last `foldable` columns go below their rows where the table is too wide with them.
fn folding(titles: &[&str], foldable: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let titles: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let columns = rows[0].len();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).min(MAX_COLUMNS);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let folds = widths.iter().map(|width| width + 2).sum::<usize>() > MAX_COLUMNS;
    let beside = if folds { columns - foldable } else { columns };
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, &width) in row[..beside].iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "  {cell:<width$}");
        }
        text += &format!("{}\n", line.trim_end());
        for cell in row[beside..].iter().filter(|_| at > 0) {
            text += &format!("      {cell}\n");
        }
    }
    text
}
