//! Findings: what is wrong with a graph file, where, and what would be right.

use super::edit::{Change, Edit, Part};
use super::source::{Place, Span};
use super::sources::Sources;
use super::suggest::Suggestion;
use crate::node::counted;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Most findings of one rule that are kept; one more stands for all others.
const MAX_OF_RULE: usize = 1000;
/// Longest message or help: nobody reads more, and a thousand findings may each repeat a text of a whole file.
const MAX_TEXT: usize = 2000;
/// Most places that are looked at to show where the values of a finding are written.
const MAX_VALUES_SHOWN: usize = 8;
/// Most findings up to which suggestions are looked for.
const MAX_SUGGESTED: usize = 100;
/// Most pairs of names that are compared to find out what unknown keys were meant to be.
const MAX_COMPARED: usize = 200_000;

/// One thing that is wrong, or could be better, with a graph file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as it was named on the command line.
    pub file: Arc<str>,
    /// Where.
    pub place: Place,
    /// Stable name of the rule, such as `wiring/unknown-node`.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
    /// Other places that matter, in the order in which they should be read.
    pub related: Vec<Related>,
    /// What would put it right in its file, where there is no doubt, with the values that variables have.
    pub fix: Option<Edit>,
    /// How many values the fix changes: several where aliases repeat one.
    pub changes: usize,
    /// How many findings it stands for: itself, or all that a rule has beyond those that are kept.
    pub count: usize,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing runs.
    Error,
    /// It runs, but something is likely not as meant.
    Warning,
    /// It could be better. Never fails anything.
    Hint,
}

/// A place that a finding refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The file.
    pub file: Arc<str>,
    /// Where in it.
    pub place: Place,
    /// What is there.
    pub message: String,
}

/// What is at a place where a file is used.
const USED_HERE: &str = "used here";

impl Related {
    /// Whether it only tells where the finding's file is used.
    #[must_use]
    pub fn is_use(&self) -> bool {
        self.message == USED_HERE
    }
}

/// A rule that graphs are checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name, `group/name`.
    pub code: &'static str,
    /// How bad a breach is.
    pub level: Level,
    /// What the rule asks for, in one line.
    pub summary: &'static str,
    /// Cause, a broken graph and a repaired one, in Markdown.
    pub documentation: &'static str,
}

/// How many findings of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Tally {
    pub errors: usize,
    pub warnings: usize,
    pub hints: usize,
}

impl Tally {
    /// Counts `findings`.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let count = |level| findings.iter().filter(|f| f.level == level).map(|f| f.count).sum();
        Tally { errors: count(Level::Error), warnings: count(Level::Warning), hints: count(Level::Hint) }
    }
}

impl fmt::Display for Tally {
    /// As in `2 errors, 1 warning`; `no findings` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.errors, "error"), (self.warnings, "warning"), (self.hints, "hint")];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|&(count, level)| counted(count, level)).collect();
        f.write_str(if parts.is_empty() { "no findings" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Hint => "hint",
        })
    }
}

/// A finding that is being written: places are still spans.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    rule: Rule,
    level: Level,
    span: Span,
    message: String,
    help: Option<String>,
    related: Vec<(Span, String)>,
    fix: Option<Change>,
    changes: usize,
}

impl Draft {
    pub fn new(rule: Rule, span: Span, message: impl Into<String>) -> Self {
        let message = without_middle(message.into());
        Draft { rule, level: rule.level, span, message, help: None, related: Vec::new(), fix: None, changes: 1 }
    }

    /// The code of its rule, and its place.
    pub fn key(&self) -> (&'static str, Span) {
        (self.rule.code, self.span)
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(without_middle(help.into()));
        self
    }

    /// The help of a suggestion, and the fix that it stands for: `part` of what stands there is misspelt.
    pub fn suggest(mut self, suggestion: Option<Suggestion>, part: Part) -> Self {
        let Some(Suggestion { text, instead }) = suggestion else { return self };
        self.fix = instead.map(|(old, new)| Change::Rename { span: self.span, part, old, new });
        self.help(text)
    }

    /// What would put it right without doubt.
    pub fn fix(mut self, change: Change) -> Self {
        self.fix = Some(change);
        self
    }

    pub fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        self.related.push((span, message.into()));
        self
    }

    /// Another level than the rule's own.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

/// `text`, or, where it is too long, its beginning and its end.
fn without_middle(text: String) -> String {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let head = text.floor_char_boundary(MAX_TEXT / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_TEXT / 2);
    format!("{} … {}", &text[..head], &text[tail..])
}

/// The findings in one file so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    drafts: Vec<Draft>,
    /// How many drafts there are of each rule, by its code.
    of_rule: HashMap<&'static str, usize>,
    omitted: Vec<Omitted>,
    compared: usize,
}

/// A finding that its rule has too many of to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Omitted {
    pub code: &'static str,
    pub level: Level,
    pub span: Span,
}

impl Findings {
    pub fn add(&mut self, draft: Draft) {
        let count = self.of_rule.entry(draft.rule.code).or_default();
        if *count < MAX_OF_RULE {
            *count += 1;
            self.drafts.push(draft);
        } else {
            self.omitted.push(Omitted { code: draft.rule.code, level: draft.level, span: draft.span });
        }
    }

    pub fn extend(&mut self, other: Findings) {
        other.drafts.into_iter().for_each(|draft| self.add(draft));
        self.omitted.extend(other.omitted);
    }

    /// As [`extend`](Self::extend), but those that are `repeated` for another alias only count for what is told there.
    pub fn extend_with_aliases(&mut self, other: Findings, mut repeated: impl FnMut(&Draft) -> bool) {
        let (again, new): (Vec<Draft>, Vec<Draft>) = other.drafts.into_iter().partition(|draft| repeated(draft));
        new.into_iter().for_each(|draft| self.add(draft));
        for draft in again {
            if let Some(told) = self.drafts.iter_mut().find(|told| told.key() == draft.key()) {
                told.changes += 1;
            }
        }
        self.omitted.extend(other.omitted);
    }

    /// Where `rule` was broken.
    pub fn places_of(&self, rule: Rule) -> HashSet<Span> {
        let told = self.drafts.iter().filter(|draft| draft.rule.code == rule.code).map(|draft| draft.span);
        let omitted = self.omitted.iter().filter(|omitted| omitted.code == rule.code).map(|omitted| omitted.span);
        told.chain(omitted).collect()
    }

    pub fn len(&self) -> usize {
        self.drafts.len() + self.omitted.len()
    }

    /// Whether there are so few that a search for what was meant is worth its time: each looks at many names.
    pub fn are_few(&self) -> bool {
        self.len() < MAX_SUGGESTED
    }

    /// What `search` finds, where it is worth its time.
    pub fn suggestion<T>(&self, search: impl FnOnce() -> Option<T>) -> Option<T> {
        self.are_few().then(search).flatten()
    }

    /// Whether each of `unknown` keys may be compared with each of `known` ones, after all that were before.
    pub fn may_compare(&mut self, unknown: usize, known: usize) -> bool {
        self.compared += unknown * known;
        self.compared <= MAX_COMPARED
    }

    pub fn has_errors(&self) -> bool {
        self.drafts.iter().any(|draft| draft.level == Level::Error)
    }

    /// Takes out those that are not kept, with their places in the first use of their file, each once.
    pub fn take_omitted(&mut self, sources: &Sources) -> Vec<Omitted> {
        let mut omitted = std::mem::take(&mut self.omitted);
        if sources.iter().nth(1).is_none() {
            return omitted;
        }
        let told = self.drafts.iter().map(|draft| (sources.in_first_use(draft.span), draft.rule.code));
        let mut told: HashSet<(Span, &str)> = told.collect();
        omitted.retain_mut(|Omitted { code, span, .. }| {
            let first = sources.in_first_use(*span);
            let is_first = std::mem::replace(span, first) == first;
            told.insert((first, *code)) || is_first
        });
        omitted
    }

    /// All that are kept, in the order of their places, each once: also one in a file that is used more than once.
    pub fn into_sorted(self, sources: &Sources) -> Vec<Finding> {
        let mut drafts = self.drafts;
        // Of the uses of a file, the first is shown.
        drafts.sort_by_key(|draft| draft.span.file);
        let mut findings: Vec<(Finding, Around)> = drafts.into_iter().map(|draft| finish(draft, sources)).collect();
        findings.sort_by(|(a, _), (b, _)| {
            (a.place.span, a.level, a.code, &a.message).cmp(&(b.place.span, b.level, b.code, &b.message))
        });
        findings.dedup_by(|(finding, around), (first, around_first)| {
            let is_same = finding == first;
            if is_same {
                around_first.values.append(&mut around.values);
            }
            is_same
        });
        findings.into_iter().map(|(finding, around)| with_places(finding, around, sources)).collect()
    }
}

/// One finding for each rule that has omitted ones, at the first of them.
pub(super) fn stand_ins(mut omitted: Vec<Omitted>, sources: &Sources) -> Vec<Finding> {
    omitted.sort_by_key(|Omitted { code, level, span }| (*code, *level, *span));
    let of_rules = omitted.chunk_by(|a, b| (a.code, a.level) == (b.code, b.level));
    of_rules.map(|of_rule| stand_in(of_rule[0], of_rule.len(), sources)).collect()
}

fn stand_in(Omitted { code, level, span }: Omitted, count: usize, sources: &Sources) -> Finding {
    let message = match count {
        1 => "1 more of this kind is not listed".to_owned(),
        _ => format!("{count} more of this kind, from here on, are not listed"),
    };
    Finding {
        file: Arc::clone(sources.file(span.file).name()),
        place: sources.place(span),
        code,
        level,
        message,
        help: Some(format!("of each kind {MAX_OF_RULE} are listed; put those right first")),
        related: Vec::new(),
        fix: None,
        changes: 0,
        count,
    }
}

/// Whether a character is none to be shown: it would begin a line, control the terminal, or turn around what follows it.
pub(super) fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with odd characters as they would be escaped.
fn shown(text: String) -> String {
    if !text.contains(is_odd) {
        return text;
    }
    let escaped = |c: char| if is_odd(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// What is shown around a finding beside the places that it names itself.
struct Around {
    /// Where the values are written that variables stand for at its place.
    values: Vec<Related>,
    /// Where its file is used.
    uses: Vec<Span>,
}

fn finish(draft: Draft, sources: &Sources) -> (Finding, Around) {
    let own = draft.span.file;
    // A finding that speaks of several files has names that all of them understand.
    let is_of_one_file = draft.related.iter().all(|(span, _)| span.file == own);
    let words = |text: String| shown(if is_of_one_file { sources.in_own_words(own, &text) } else { text });
    let mut uses = sources.uses(own);
    // Two uses of one file may be wrong only together.
    let others = draft.related.iter().map(|(span, _)| span.file).filter(|file| sources.are_one_file(*file, own));
    uses.extend(others.flat_map(|file| sources.uses(file)));
    let values = sources.origins(draft.span).iter().map(|origin| {
        let name = sources.file(own).slice(origin.param).trim_matches(['"', '\'']);
        related(origin.value, shown(format!("`{name}` is given here")), sources)
    });
    let around = Around { values: values.collect(), uses };
    let related = draft.related.into_iter().map(|(span, message)| related(span, words(message), sources));
    let place = sources.place(draft.span);
    let fix = draft.fix.and_then(|change| change.in_file(sources.file(own)));
    let finding = Finding {
        file: Arc::clone(sources.file(own).name()),
        place,
        code: draft.rule.code,
        level: draft.level,
        message: words(draft.message),
        help: draft.help.map(words),
        related: related.collect(),
        // As the place, in the file's first use.
        fix: fix.map(|edit| Edit { span: edit.span.in_file(place.span.file), ..edit }),
        changes: draft.changes,
        count: 1,
    };
    (finding, around)
}

fn with_places(mut finding: Finding, Around { values, uses }: Around, sources: &Sources) -> Finding {
    for (at, value) in values.iter().enumerate().take(MAX_VALUES_SHOWN) {
        if !values[..at].contains(value) {
            finding.related.push(value.clone());
        }
    }
    for (at, span) in uses.iter().enumerate() {
        if !uses[..at].contains(span) {
            finding.related.push(related(*span, USED_HERE.to_owned(), sources));
        }
    }
    finding
}

fn related(span: Span, message: String, sources: &Sources) -> Related {
    Related { file: Arc::clone(sources.file(span.file).name()), place: sources.place(span), message }
}
