//! Changes of parts of a text.

use super::source::{SourceFile, Span};

/// A part of a text, and what is to stand there instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edit {
    /// The part.
    pub span: Span,
    /// What stands there, so that nothing else is changed by mistake.
    pub old: String,
    /// What is to stand there.
    pub new: String,
}

/// A change that would be right, before the text is looked at.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Everything there becomes this.
    Replace(Span, &'static str),
    /// This follows what is there.
    Append(Span, &'static str),
    /// This entry follows, on a line of its own, the one of which the value is there.
    AddLine(Span, &'static str),
    /// One of the names there becomes another.
    Rename { span: Span, part: Part, old: String, new: String },
}

/// Which of the names in `node.port` or `pack/type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    #[default]
    Whole,
    Front,
    Back,
}

impl Change {
    /// The change in the file that it is for; nothing where that does not say what it was made for.
    pub fn in_file(&self, file: &SourceFile) -> Option<Edit> {
        match self {
            // What a variable gives is not for one file to say.
            Change::Replace(span, _) if file.slice(*span).contains("${") => None,
            Change::Replace(span, new) => Some(Edit::replace(*span, file.slice(*span), new)),
            Change::Append(span, new) => Some(Edit::replace(span.part(span.end(), span.end()), "", new)),
            Change::AddLine(span, entry) => line_below(*span, entry, file),
            Change::Rename { span, part, old, new } => {
                let written = file.slice(*span);
                let bare = written.trim_matches(['"', '\'']);
                let at = match part {
                    Part::Whole if bare == old => 0,
                    Part::Front if bare.strip_prefix(old).is_some_and(|rest| rest.is_empty() || is_part_end(rest)) => 0,
                    Part::Back if bare.strip_suffix(old).is_some_and(|rest| rest.ends_with(['.', '/'])) => {
                        bare.len() - old.len()
                    }
                    _ => return None,
                };
                let start = span.start() + written.find(bare)? + at;
                Some(Edit::replace(span.part(start, start + old.len()), old, new))
            }
        }
    }
}

/// Most columns by which a line is indented that another one is put below.
const MAX_INDENTATION: usize = 1000;

/// `entry` on a line of its own, below the one that has the value at `span` and its key; nothing where that is not one line.
fn line_below(span: Span, entry: &str, file: &SourceFile) -> Option<Edit> {
    let place = file.place(span);
    let start = file.offset(place.line, 1);
    let line = file.slice(span.part(start, file.line_end(place.line)));
    let end = start + line.trim_end_matches('\r').len();
    let before = file.slice(span.part(start, span.start()));
    let key = before.trim_start_matches([' ', '-']);
    let line_break = if line.ends_with('\r') { "\r\n" } else { "\n" };
    let indentation = before.len() - key.len();
    let is_one_line = place.line == place.end_line && indentation <= MAX_INDENTATION && is_key(key);
    let new = || format!("{line_break}{}{entry}", " ".repeat(indentation));
    is_one_line.then(|| Edit::replace(span.part(end, end), "", &new()))
}

/// Whether a key and its colon, and nothing else, are there.
fn is_key(text: &str) -> bool {
    let key = text.trim_end().strip_suffix(':').unwrap_or("");
    !key.is_empty() && key.trim_matches(['"', '\'']).chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_part_end(rest: &str) -> bool {
    rest.starts_with(['.', '/'])
}

impl Edit {
    /// `new` instead of `old`, which begins at `span`.
    pub(super) fn replace(span: Span, old: &str, new: &str) -> Self {
        Edit { span, old: old.to_owned(), new: new.to_owned() }
    }
}

/// Applies `edits` to `text`. Of those that overlap, the one that begins first counts; one
/// whose old text does not stand there is left out. Says which were applied, in the order of the text.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> (String, Vec<Edit>) {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start(), edit.span.end()));
    sorted.dedup();
    let mut applied: Vec<Edit> = Vec::new();
    for edit in sorted {
        let is_free = applied.last().is_none_or(|last| last.span.end() <= edit.span.start());
        if is_free && text.get(edit.span.start()..edit.span.end()) == Some(&edit.old) {
            applied.push(edit.clone());
        }
    }
    let mut changed = String::with_capacity(text.len());
    let mut done = 0;
    for edit in &applied {
        changed += &text[done..edit.span.start()];
        changed += &edit.new;
        done = edit.span.end();
    }
    changed += &text[done..];
    (changed, applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_that_overlap_or_do_not_fit_are_left_out() {
        let edit = |start: usize, old: &str, new: &str| Edit::replace(Span::new(start, start + old.len()), old, new);
        let edits = [edit(6, "c", "CC"), edit(0, "ab", "x"), edit(1, "b", "y"), edit(3, "z", "no"), edit(6, "c", "CC")];
        let (text, applied) = apply("ab d  c", &edits);
        assert_eq!(text, "x d  CC");
        assert_eq!(applied.len(), 2);
    }
}
