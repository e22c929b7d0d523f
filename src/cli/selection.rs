//! `--select` and `--ignore`: which findings are told. Errors always are, so that no invalid graph passes.

use super::explain;
use crate::graph::{Finding, Level, Rule, rules};

/// A rule, or all rules of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The rules before whose codes this stands, and a slash.
    Group(&'static str),
    /// The rule with this code.
    Rule(&'static Rule),
}

impl Selector {
    fn has(self, finding: &Finding) -> bool {
        match self {
            Selector::Rule(rule) => rule.code == finding.code,
            Selector::Group(group) => finding.code.split('/').next() == Some(group),
        }
    }
}

/// Reads a code or a group.
pub fn selector(text: &str) -> Result<Selector, String> {
    if let Some(rule) = rules::find(text) {
        return Ok(Selector::Rule(rule));
    }
    let groups = rules::groups();
    if let Some(group) = groups.iter().find(|group| **group == text) {
        return Ok(Selector::Group(group));
    }
    Err(explain::unknown(text, groups.into_iter().chain(rules::ALL.iter().map(|rule| rule.code))))
}

/// As [`selector`], but no rule whose breach makes a graph invalid.
pub fn ignorable(text: &str) -> Result<Selector, String> {
    match selector(text)? {
        Selector::Rule(rule) if rule.is_always_an_error() => {
            Err(format!("`{text}` is an error, which is always told: only warnings and hints can be ignored"))
        }
        selector => Ok(selector),
    }
}

/// Whether a finding is told: an error, or one that is selected, if any are, and not ignored.
pub fn is_told(finding: &Finding, select: &[Selector], ignore: &[Selector]) -> bool {
    let any = |selectors: &[Selector]| selectors.iter().any(|selector| selector.has(finding));
    finding.level == Level::Error || ((select.is_empty() || any(select)) && !any(ignore))
}
