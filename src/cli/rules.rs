//! `ezrun rules`: every rule that graphs are checked against.

use super::flags::{self, Format};
use super::{exit, nodes};
use crate::graph::rules;
use serde_json::json;

/// List the rules that graphs are checked against: code, level, what each asks for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A table for people, or JSON: an object with `rules`, each with `code`, `level` and `summary`.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Prints the rules and returns the exit code.
pub fn run(args: &Args) -> u8 {
    let text = match args.format {
        Format::Text => text(),
        Format::Json => json_text(),
    };
    nodes::print(&text, exit::OK)
}

fn text() -> String {
    let width = rules::ALL.iter().map(|rule| rule.code.len()).max().unwrap_or(0);
    let mut text = String::new();
    for rule in rules::ALL {
        text += &format!("{:width$}  {:7}  {}\n", rule.code, rule.level.to_string(), rule.summary);
    }
    text
}

fn json_text() -> String {
    let rules: Vec<_> = rules::ALL
        .iter()
        .map(|rule| json!({ "code": rule.code, "level": rule.level.to_string(), "summary": rule.summary }))
        .collect();
    flags::json(&json!({ "rules": rules }))
}
