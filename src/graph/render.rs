//! Findings as text: the source line, a caret under the exact token, the code and the way out.

use super::finding::{Finding, Level, Related, Tally, is_odd};
use super::source::{FileId, Place, SourceFile};
use super::sources::Sources;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level as Title, Renderer, Snippet};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Whether escape sequences for colours are written; `anstream` takes them out where they are not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Style {
    Plain,
    Coloured,
}

/// Most findings that are shown with their source lines, and most bytes of such lines; each of the others gets one line.
const MAX_SHOWN: usize = 200;
const MAX_SHOWN_BYTES: usize = 1 << 20;

/// All `findings` in `sources`, with an empty line after each.
#[must_use]
pub fn text(findings: &[Finding], sources: &Sources, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut bytes = 0;
    let fits = |finding: &&Finding| {
        bytes += source_bytes(finding, sources);
        bytes <= MAX_SHOWN_BYTES
    };
    let shown = findings.iter().take(MAX_SHOWN).take_while(fits).count();
    let (shown, others) = findings.split_at(shown);
    let mut text: String = shown.iter().map(|finding| renderer.render(&[group(finding, sources)]) + "\n\n").collect();
    text.extend(others.iter().map(|finding| line(finding) + "\n"));
    text
}

/// Length of the lines from the first to the last that a finding speaks of, in each file: what showing it costs.
fn source_bytes(finding: &Finding, sources: &Sources) -> usize {
    let mut lines: HashMap<FileId, (usize, usize)> = HashMap::new();
    for place in std::iter::once(finding.place).chain(finding.related.iter().map(|related| related.place)) {
        let (first, last) = lines.entry(place.span.file).or_insert((place.line, place.line));
        (*first, *last) = (place.line.min(*first), place.line.max(*last));
    }
    let bytes = |(file, (first, last)): (FileId, (usize, usize))| {
        let file = sources.file(file);
        file.line_end(last) - file.offset(first, 1)
    };
    lines.into_iter().map(bytes).sum()
}

/// A finding on one line, as in ``x.yaml:3:5: error[wiring/unknown-node]: there is no node `a` ``.
#[must_use]
pub fn line(finding: &Finding) -> String {
    let Finding { file, place, level, code, message, .. } = finding;
    let line = format!("{file}:{}:{}: {level}[{code}]: {message}{}", place.line, place.column, used_at(finding));
    // Names of files may have line breaks in them.
    line.replace(is_odd, " ")
}

/// Where the file of a finding is used, as in ` (used at graph.yaml:5:12)`; nothing for the first file of a graph.
#[must_use]
pub fn used_at(finding: &Finding) -> String {
    let place = |at: &Related| format!("{}:{}:{}", at.file, at.place.line, at.place.column);
    let uses: Vec<String> = finding.related.iter().filter(|related| related.is_use()).map(place).collect();
    if uses.is_empty() { String::new() } else { format!(" (used at {})", uses.join(", ")) }
}

/// As in `2 errors, 1 warning in graphs/x.yaml`.
#[must_use]
pub fn summary(findings: &[Finding], sources: &Sources) -> String {
    format!("{} in {}", Tally::of(findings), sources.first().name())
}

fn group<'a>(finding: &'a Finding, sources: &'a Sources) -> Group<'a> {
    let title = match finding.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Hint => Title::INFO.with_name("hint"),
    };
    // The finding's own file first, then the others in the order in which they are spoken of.
    let mut files = vec![finding.place.span.file];
    for related in &finding.related {
        if !files.contains(&related.place.span.file) {
            files.push(related.place.span.file);
        }
    }
    let title = title.primary_title(finding.message.as_str()).id(finding.code);
    let snippets = files.into_iter().map(|id| snippet(finding, sources.file(id)));
    let group = Group::with_title(title).elements(snippets);
    match &finding.help {
        Some(help) => group.element(Title::HELP.message(help.as_str())),
        None => group,
    }
}

/// The lines of one file that a finding speaks of.
fn snippet<'a>(finding: &'a Finding, file: &'a SourceFile) -> Snippet<'a, Annotation<'a>> {
    let here = |place: &Place| place.span.file == file.id();
    let related = || finding.related.iter().filter(|related| here(&related.place));
    // Only the lines from the first place to the last: a snippet costs as much as its source is long.
    let own = Some(finding.place).filter(here);
    let places = || own.into_iter().chain(related().map(|related| related.place));
    let first_line = places().map(|place| place.line).min().unwrap_or(1);
    let last_line = places().map(|place| place.line).max().unwrap_or(1);
    let start = file.offset(first_line, 1);
    let span = |place: Place| {
        let visible = visible(place, file);
        visible.start - start..visible.end - start
    };
    let primary = own.map(|place| AnnotationKind::Primary.span(span(place)));
    let context =
        related().map(|related| AnnotationKind::Context.span(span(related.place)).label(related.message.as_str()));
    Snippet::source(plain_ends(&file.text()[start..file.line_end(last_line)]))
        .line_start(first_line)
        .path(file.name().as_ref())
        .annotations(primary.into_iter().chain(context))
}

/// `text` with lines that end in `\n` alone, and everything at the same byte.
fn plain_ends(text: &str) -> Cow<'_, str> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.contains("\r\n") { text.replace("\r\n", " \n").into() } else { text.into() }
}

/// The part of a place on its first line: an arrow across many lines would hide more than it shows.
fn visible(place: Place, file: &SourceFile) -> Range<usize> {
    let end = file.line_end(place.line);
    let start = file.text().floor_char_boundary(place.span.start().min(end));
    start..file.text().ceil_char_boundary(place.span.end().clamp(start, end))
}
