//! Findings as JSON, whose schema is `schemas/findings.schema.json`.

use super::{Found, Unread};
use crate::graph::{Edit, Finding, Level, Place, Related, Sources};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

/// Version of this format. It changes when something is taken out or comes to mean something else.
const VERSION: u32 = 1;

/// What `ezrun validate --format json` writes.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ezrun findings")]
struct Report {
    /// Version of this format.
    version: u32,
    /// Version of ezrun.
    ezrun: &'static str,
    /// Everything that was found, file by file, in the order of the places.
    findings: Vec<FindingReport>,
    /// The files and directories that could not be read.
    unreadable_files: Vec<UnreadableReport>,
    /// How much that is, those that are not listed included.
    summary: Summary,
}

/// One thing that is wrong, or could be better.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FindingReport {
    /// Stable name of the rule, such as `wiring/unknown-node`; `ezrun explain` tells more.
    code: &'static str,
    /// How bad it is.
    level: LevelName,
    /// What is wrong.
    message: String,
    /// The way out.
    help: Option<String>,
    /// How many findings it stands for: more than one where a rule has more of them in a graph than are listed.
    count: usize,
    /// The file, as it was named; `<stdin>` for standard input.
    file: String,
    /// First line, counted from 1.
    line: usize,
    /// First column, counted from 1, in characters.
    column: usize,
    /// Last line.
    end_line: usize,
    /// The column after the last one.
    end_column: usize,
    /// Other places that matter, in the order in which they should be read.
    related: Vec<RelatedReport>,
    /// Changes of the file that put it right beyond doubt, as `ezrun validate --fix` makes them, `--fix=hints` for hints;
    /// none where it is for people to say what was meant.
    fix: Vec<EditReport>,
}

/// A part of the finding's file, and what is to stand there instead.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditReport {
    /// First line, counted from 1.
    line: usize,
    /// First column, counted from 1, in characters.
    column: usize,
    /// Last line.
    end_line: usize,
    /// The column after the last one: the first one where something is only added.
    end_column: usize,
    /// The new text.
    text: String,
}

/// A place that a finding refers to.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RelatedReport {
    /// The file, as it was named.
    file: String,
    /// First line, counted from 1.
    line: usize,
    /// First column, counted from 1, in characters.
    column: usize,
    /// Last line.
    end_line: usize,
    /// The column after the last one.
    end_column: usize,
    /// What is there.
    message: String,
}

/// A file or directory that could not be read.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UnreadableReport {
    /// The file, as it was named or found.
    file: String,
    /// Why it could not be read.
    message: String,
}

/// How bad a finding is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum LevelName {
    /// Nothing runs.
    Error,
    /// It runs, but something is likely not as meant.
    Warning,
    /// It could be better.
    Hint,
}

/// How much was found.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Summary {
    /// Files that were checked.
    files: usize,
    /// Files and directories that could not be read.
    unreadable: usize,
    /// Findings that are errors.
    errors: usize,
    /// Findings that are warnings.
    warnings: usize,
    /// Findings that are hints.
    hints: usize,
}

/// All of `found`.
pub fn write(found: &Found) -> String {
    let tally = found.tally();
    let report = Report {
        version: VERSION,
        ezrun: env!("CARGO_PKG_VERSION"),
        findings: found.findings_in_files().map(|(finding, sources)| finding_report(finding, sources)).collect(),
        unreadable_files: found.unread.iter().map(unreadable_report).collect(),
        summary: Summary {
            files: found.checked.len(),
            unreadable: found.unread.len(),
            errors: tally.errors,
            warnings: tally.warnings,
            hints: tally.hints,
        },
    };
    // Texts and numbers can always be written.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

/// The schema of what is written.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>().to_value()
}

fn finding_report(finding: &Finding, sources: &Sources) -> FindingReport {
    let Place { line, column, end_line, end_column, .. } = finding.place;
    FindingReport {
        code: finding.code,
        level: match finding.level {
            Level::Error => LevelName::Error,
            Level::Warning => LevelName::Warning,
            Level::Hint => LevelName::Hint,
        },
        message: finding.message.clone(),
        help: finding.help.clone(),
        count: finding.count,
        file: finding.file.to_string(),
        line,
        column,
        end_line,
        end_column,
        related: finding.related.iter().map(related_report).collect(),
        fix: finding.fix.iter().map(|edit| edit_report(edit, sources)).collect(),
    }
}

fn unreadable_report(unread: &Unread) -> UnreadableReport {
    UnreadableReport { file: unread.file.clone(), message: unread.cause.clone() }
}

fn edit_report(edit: &Edit, sources: &Sources) -> EditReport {
    let Place { line, column, end_line, end_column, .. } = sources.place(edit.span);
    EditReport { line, column, end_line, end_column, text: edit.new.clone() }
}

fn related_report(related: &Related) -> RelatedReport {
    let Place { line, column, end_line, end_column, .. } = related.place;
    let (file, message) = (related.file.to_string(), related.message.clone());
    RelatedReport { file, line, column, end_line, end_column, message }
}
