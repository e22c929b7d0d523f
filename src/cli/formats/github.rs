//! Findings as workflow commands, which GitHub shows as annotations beside the lines of a change.

use super::{Found, Unread};
use crate::graph::{Finding, Level, Place, render};

/// All of `found`, one command on each line.
pub fn write(found: &Found) -> String {
    found.unread.iter().map(unread).chain(found.findings().map(command)).collect()
}

fn command(finding: &Finding) -> String {
    let name = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Hint => "notice",
    };
    let Place { line, column, end_line, end_column, .. } = finding.place;
    // Columns of different lines are refused together.
    let columns = if line == end_line {
        format!(",line={line},col={column},endLine={end_line},endColumn={end_column}")
    } else {
        format!(",line={line},endLine={end_line}")
    };
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let file = finding.file.strip_prefix("./").unwrap_or(&finding.file);
    let message = data(&format!("{}{}{help}", finding.message, render::used_at(finding)));
    format!("::{name} file={}{columns},title={}::{message}\n", property(file), property(finding.code))
}

fn unread(unread: &Unread) -> String {
    format!("::error file={}::{}\n", property(&unread.file), data(&unread.cause))
}

/// Text after the last `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
