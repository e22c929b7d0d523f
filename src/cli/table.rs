//! Columns of words and numbers under each other, for people.

use crate::graph::Delivery;
use crate::plan::Transport;
use std::fmt::Write as _;

/// Rows under each other; the first `words` columns stand left, the others right.
pub fn table(rows: &[Vec<String>], words: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            // Writing to a string cannot fail.
            let _ = if at < words { write!(line, "{gap}{cell:<width$}") } else { write!(line, "{gap}{cell:>width$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How an edge delivers, in one word.
pub fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Copy => "copy",
        Delivery::ZeroCopy => "zero_copy",
    }
}

/// How an edge crosses, in one word.
pub fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Local => "local",
        Transport::Sealed => "sealed",
        Transport::Named => "named",
    }
}
