//! Comments that allow what a rule tells: `# ezrun: allow CODE, CODE -- reason`.
//!
//! Such a comment covers its own line, or, where it stands alone, the next one with more than a comment on it. It covers
//! warnings and hints; what makes a graph invalid cannot be allowed, so that no invalid graph passes.

use super::comments::{Comment, comments};
use super::finding::{Draft, Finding, Findings, Level, Omitted, Rule, stand_ins};
use super::rules;
use super::source::{SourceFile, Span};
use super::sources::Sources;
use super::suggest;
use std::collections::HashSet;
use std::sync::Arc;

/// What a comment for ezrun begins with.
const MARK: &str = "ezrun:";

/// All findings but those that the comments of their files allow, and what is wrong with these comments.
pub(super) fn apply(mut findings: Findings, sources: &Sources) -> Vec<Finding> {
    let mut faults = Findings::default();
    let allowances = allowances(sources, &mut faults);
    let mut omitted = findings.take_omitted(sources);
    let mut findings = findings.into_sorted(sources);
    // Where there are errors, not all rules may have had their say.
    if !allowances.is_empty() && findings.iter().all(|finding| finding.level != Level::Error) {
        let omitted = omitted.iter().map(|omitted| omitted_at(omitted, sources));
        let told: HashSet<Covered> = findings.iter().map(at).chain(omitted).collect();
        for unneeded in allowances.iter().filter(|allowance| !told.contains(&allowance.covers)) {
            // In its place in a graph a file may need less than alone.
            if unneeded.span.file == sources.first().id() && !depends_on_surroundings(unneeded.rule) {
                faults.add(unused(unneeded));
            }
        }
    }
    let allowed: HashSet<Covered> = allowances.into_iter().map(|allowance| allowance.covers).collect();
    findings.retain(|finding| finding.level == Level::Error || !allowed.contains(&at(finding)));
    omitted.retain(|omitted| {
        omitted.level == Level::Error || allowed.is_empty() || !allowed.contains(&omitted_at(omitted, sources))
    });
    omitted.extend(faults.take_omitted(sources));
    findings.extend(faults.into_sorted(sources));
    findings.extend(stand_ins(omitted, sources));
    findings.sort_by_key(|finding| finding.place.span);
    findings
}

/// What a comment covers, and where a finding is: a file, a line of it, and the code of a rule.
type Covered = (Arc<str>, usize, &'static str);

fn at(finding: &Finding) -> Covered {
    (Arc::clone(&finding.file), finding.place.line, finding.code)
}

fn omitted_at(omitted: &Omitted, sources: &Sources) -> Covered {
    let file = sources.file(omitted.span.file);
    (Arc::clone(file.name()), file.line(omitted.span.start()), omitted.code)
}

/// Whether there may be a comment for ezrun: looking for all comments takes a second reading.
fn may_speak(text: &str) -> bool {
    text.split('#').skip(1).any(|rest| rest.trim_start().starts_with(MARK))
}

/// One code of a comment.
struct Allowance {
    rule: &'static Rule,
    span: Span,
    covers: Covered,
}

/// What the comments of all files allow, those of a file that is used several times once.
fn allowances(sources: &Sources, faults: &mut Findings) -> Vec<Allowance> {
    let mut read = HashSet::new();
    let mut allowances = Vec::new();
    for file in sources.iter().filter(|file| may_speak(file.text())) {
        if read.insert(file.name()) {
            allowances.extend(allowances_in(file, faults));
        }
    }
    allowances
}

fn allowances_in(file: &SourceFile, faults: &mut Findings) -> Vec<Allowance> {
    let comments = comments(file);
    let mut allowances = Vec::new();
    for (comment, line) in comments.iter().zip(covered_lines(&comments, file)) {
        let Some(codes) = allowed_codes(comment, faults) else { continue };
        let allowed = codes.into_iter().filter_map(|span| {
            let rule = allowable(file.slice(span), span, faults)?;
            Some(Allowance { rule, span, covers: (Arc::clone(file.name()), line, rule.code) })
        });
        allowances.extend(allowed);
    }
    allowances
}

/// For each comment the line that it speaks of: its own, or the next one below it that has more than a comment.
fn covered_lines(comments: &[Comment<'_>], file: &SourceFile) -> Vec<usize> {
    let covered = |comment: &Comment<'_>| if comment.alone { written_below(comment.line, file) } else { comment.line };
    let mut lines: Vec<usize> = comments.iter().map(covered).collect();
    for upper in (0..comments.len().saturating_sub(1)).rev() {
        let lower = &comments[upper + 1];
        if comments[upper].alone && lower.alone && lower.line == lines[upper] {
            lines[upper] = lines[upper + 1];
        }
    }
    lines
}

/// The first line below `line` with something on it; the next one, where there is none.
fn written_below(line: usize, file: &SourceFile) -> usize {
    let mut below = file.text().get(file.line_end(line)..).unwrap_or("").split('\n').skip(1);
    line + 1 + below.position(|text| !text.trim().is_empty()).unwrap_or(0)
}

/// The codes that a comment lists; nothing where it speaks of something else.
fn allowed_codes(comment: &Comment<'_>, faults: &mut Findings) -> Option<Vec<Span>> {
    let rest = comment.text.trim_start().strip_prefix(MARK)?;
    let rest_span = comment.span.part(comment.span.end() - rest.len(), comment.span.end());
    let mut words = words(rest, rest_span).into_iter();
    let (verb, verb_span) = words.next()?;
    if verb != "allow" {
        suggest::nearest(verb, ["allow"])?;
        let draft = Draft::new(rules::BAD_ALLOW, verb_span, format!("there is no `ezrun: {verb}`"));
        faults.add(draft.help("did you mean `allow`?"));
        return None;
    }
    let codes: Vec<Span> = words.take_while(|(word, _)| *word != "--").map(|(_, span)| span).collect();
    if codes.is_empty() {
        let draft = Draft::new(rules::BAD_ALLOW, verb_span, "this comment does not say what it allows");
        faults.add(draft.help("write the code that a finding has: `# ezrun: allow delivery/needless-copy`"));
    }
    Some(codes)
}

/// The words of `text`, which stands at `span`; spaces and commas part them.
fn words(text: &str, span: Span) -> Vec<(&str, Span)> {
    let mut words = Vec::new();
    let mut start = span.start();
    for part in text.split([' ', '\t', ',']) {
        let end = start + part.len();
        if !part.is_empty() {
            words.push((part, span.part(start, end)));
        }
        start = end + 1;
    }
    words
}

fn allowable(code: &str, span: Span, faults: &mut Findings) -> Option<&'static Rule> {
    let Some(rule) = rules::find(code) else {
        if let Some(group) = rules::in_group(code) {
            faults.add(not_a_group(code, &group, span));
            return None;
        }
        let codes = rules::ALL.iter().map(|rule| rule.code);
        let near = faults.suggestion(|| suggest::nearest(code, codes));
        let help = near.map_or("`ezrun rules` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
        faults.add(Draft::new(rules::BAD_ALLOW, span, format!("there is no rule `{code}`")).help(help));
        return None;
    };
    if rule.is_always_an_error() {
        let message = format!("`{code}` is an error, which no comment can allow");
        let help = format!("repair what it tells; `ezrun explain {code}` shows how");
        faults.add(Draft::new(rules::BAD_ALLOW, span, message).help(help));
        return None;
    }
    Some(rule)
}

/// That a comment allows single rules.
fn not_a_group(group: &str, members: &[&Rule], span: Span) -> Draft {
    let codes: Vec<&str> = members.iter().filter(|rule| !rule.is_always_an_error()).map(|rule| rule.code).collect();
    let message = format!("`{group}` is a group of rules, and a comment allows single ones");
    let help = match codes.as_slice() {
        [] => "all of its rules are errors, which no comment can allow".to_owned(),
        codes => format!("write the code that the finding has: {}", codes.join(", ")),
    };
    Draft::new(rules::BAD_ALLOW, span, message).help(help)
}

/// Whether a rule tells something here and nothing elsewhere, though the file is the same.
fn depends_on_surroundings(rule: &Rule) -> bool {
    rule.group() == rules::MISSING_ENV.group() || *rule == rules::MEMORY_BUDGET
}

fn unused(allowance: &Allowance) -> Draft {
    let (_, line, code) = &allowance.covers;
    let message = format!("there is no `{code}` on line {line} to allow");
    Draft::new(rules::UNUSED_ALLOW, allowance.span, message).help("take it out")
}
