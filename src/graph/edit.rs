//! Changes of parts of a text.

use super::source::Span;

/// A part of a text, and what is to stand there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The part.
    pub span: Span,
    /// What stands there, so that nothing else is changed by mistake.
    pub old: String,
    /// What is to stand there.
    pub new: String,
}

impl Edit {
    /// `new` instead of `old`, which begins at `span`.
    pub(super) fn replace(span: Span, old: &str, new: &str) -> Self {
        Edit { span, old: old.to_owned(), new: new.to_owned() }
    }
}

/// Applies `edits` to `text`, from its end to its beginning. Of those that overlap, the one that begins first counts; one
/// whose old text does not stand there is left out. Says which were applied, in the order of the text.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> (String, Vec<Edit>) {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    sorted.dedup();
    let mut applied: Vec<Edit> = Vec::new();
    for edit in sorted {
        let is_free = applied.last().is_none_or(|last| last.span.end <= edit.span.start);
        if is_free && text.get(edit.span.start..edit.span.end) == Some(&edit.old) {
            applied.push(edit.clone());
        }
    }
    let mut text = text.to_owned();
    for edit in applied.iter().rev() {
        text.replace_range(edit.span.start..edit.span.end, &edit.new);
    }
    (text, applied)
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
