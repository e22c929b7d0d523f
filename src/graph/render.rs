//! Findings as text: the source line, a caret under the exact token, the code and the way out.

use super::finding::{Finding, Level, Tally};
use super::source::{Place, SourceFile};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};
use std::ops::Range;

/// Whether escape sequences for colours are written; `anstream` takes them out where they are not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Style {
    Plain,
    Coloured,
}

/// All `findings` in `file`, with an empty line after each.
#[must_use]
pub fn text(findings: &[Finding], file: &SourceFile, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let rendered = findings.iter().map(|finding| renderer.render(&[group(finding, file)]) + "\n\n");
    rendered.collect()
}

/// As in `2 errors, 1 warning in graphs/x.yaml`.
#[must_use]
pub fn summary(findings: &[Finding], file: &SourceFile) -> String {
    format!("{} in {}", Tally::of(findings), file.name())
}

fn group<'a>(finding: &'a Finding, file: &'a SourceFile) -> Group<'a> {
    let title = match finding.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Hint => Title::INFO.with_name("hint"),
    };
    let primary = AnnotationKind::Primary.span(visible(finding.place, file));
    let related = finding
        .related
        .iter()
        .map(|related| AnnotationKind::Context.span(visible(related.place, file)).label(related.message.as_str()));
    let snippet = Snippet::source(file.text()).path(file.name().as_ref()).annotation(primary).annotations(related);
    let group = title.primary_title(finding.message.as_str()).id(finding.code).element(snippet);
    match &finding.help {
        Some(help) => group.element(Title::HELP.message(help.as_str())),
        None => group,
    }
}

/// The part of a place on its first line: an arrow across many lines would hide more than it shows.
fn visible(place: Place, file: &SourceFile) -> Range<usize> {
    let text = file.text();
    let start = place.span.start.min(text.len());
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    start..place.span.end.clamp(start, line_end)
}
