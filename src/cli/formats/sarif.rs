//! Findings as SARIF 2.1.0, which code-scanning services read.

use super::Found;
use crate::graph::{Edit, Finding, Level, Place, Related, Rule, Sources, rules};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::path::Path;

/// What does not stand for itself in the path of a URI.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Most related places of one finding: more than anyone looks through, and less than memory for the longest cycles.
const MAX_RELATED: usize = 1000;

/// All of `found`, in one run.
pub fn write(found: &Found) -> String {
    let notifications: Vec<Value> =
        found.unread.iter().map(|unread| json!({ "level": "error", "message": { "text": unread.cause } })).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ezrun",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules::ALL.iter().map(rule).collect::<Vec<Value>>(),
            } },
            "invocations": [{
                "executionSuccessful": found.unread.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": found.findings_in_files().map(|(finding, sources)| result(finding, sources)).collect::<Vec<Value>>(),
        }],
    });
    format!("{log:#}\n")
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.code,
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": rule.cause() },
        "help": { "text": rule.documentation, "markdown": rule.documentation },
        "defaultConfiguration": { "level": level(rule.level) },
        "properties": { "tags": [rule.group()] },
    })
}

fn result(finding: &Finding, sources: &Sources) -> Value {
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let related =
        finding.related.iter().take(MAX_RELATED).enumerate().map(|(id, related)| related_location(id, related));
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rules::ALL.iter().position(|rule| rule.code == finding.code),
        "level": level(finding.level),
        "message": { "text": format!("{}{help}", finding.message) },
        "locations": [{ "physicalLocation": physical_location(&finding.file, finding.place) }],
        "relatedLocations": related.collect::<Vec<Value>>(),
    });
    if let Some(edit) = &finding.fix {
        result["fixes"] = json!([fix(edit, &finding.file, sources)]);
    }
    result
}

/// What puts a finding right in its file.
fn fix(edit: &Edit, file: &str, sources: &Sources) -> Value {
    json!({
        "artifactChanges": [{
            "artifactLocation": artifact(file),
            "replacements": [{
                "deletedRegion": region(sources.place(edit.span)),
                "insertedContent": { "text": edit.new },
            }],
        }],
    })
}

fn related_location(id: usize, related: &Related) -> Value {
    json!({
        "id": id,
        "message": { "text": related.message },
        "physicalLocation": physical_location(&related.file, related.place),
    })
}

fn physical_location(file: &str, place: Place) -> Value {
    json!({
        "artifactLocation": artifact(file),
        "region": region(place),
    })
}

fn region(place: Place) -> Value {
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    })
}

/// A file by its URI: relative to the current folder where it lies below it.
fn artifact(file: &str) -> Value {
    let encode = |path: &str| utf8_percent_encode(path, &ENCODED).to_string();
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = std::path::absolute(Path::new(file)).unwrap_or_default();
    let has_parents = absolute.components().any(|part| part == std::path::Component::ParentDir);
    match absolute.strip_prefix(&here) {
        Ok(relative) if !has_parents => {
            json!({ "uri": encode(&relative.display().to_string()), "uriBaseId": "%SRCROOT%" })
        }
        _ => {
            let absolute = std::fs::canonicalize(&absolute).unwrap_or(absolute);
            json!({ "uri": format!("file://{}", encode(&absolute.display().to_string())) })
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Hint => "note",
    }
}
