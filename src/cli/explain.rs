//! `ezrun explain`: cause, example and repair of what a rule tells.

use super::{exit, nodes};
use crate::graph::{nearest_name, rules};

/// Explain a rule: the cause in plain words, a broken graph, a repaired one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code that a finding has, such as `wiring/unknown-node`.
    code: String,
}

/// Prints the rule's documentation and returns the exit code.
pub fn run(args: &Args) -> u8 {
    match rules::find(&args.code) {
        Some(rule) => nodes::print(&format!("{}\nLevel: {}.\n", rule.documentation, rule.level), exit::OK),
        None => {
            nodes::complain(&unknown(&args.code, rules::ALL.iter().map(|rule| rule.code)));
            exit::USAGE
        }
    }
}

/// Says that there is no such code, and which of `known` was meant.
pub(super) fn unknown<'c>(code: &str, known: impl Iterator<Item = &'c str> + Clone) -> String {
    if code.trim().is_empty() {
        return "the code of a rule is empty; `ezrun rules` lists them all".to_owned();
    }
    if let Some(group) = rules::in_group(code) {
        let codes: Vec<&str> = group.iter().map(|rule| rule.code).collect();
        return format!("`{code}` is a group of rules; name one of them: {}", codes.join(", "));
    }
    // Who leaves the group out has the name right.
    let same_name = known.clone().find(|known| known.rsplit('/').next() == Some(code));
    match same_name.or_else(|| nearest_name(code, known)) {
        Some(near) => format!("there is no rule `{code}`; did you mean `{near}`?"),
        None => format!("there is no rule `{code}`; `ezrun rules` lists them all"),
    }
}
