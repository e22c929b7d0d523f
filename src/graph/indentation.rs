//! The lines of a file as people see them: what they are indented by, and what they could have been.

use super::finding::Draft;
use super::pieces::is_name;
use super::rules;
use super::source::{SourceFile, Span};

/// A line that is neither empty nor a comment.
pub(super) struct Line<'f> {
    file: &'f SourceFile,
    /// Counted from 1.
    number: usize,
}

/// Where something on a line begins, in characters from its beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Level {
    column: usize,
    is_dash: bool,
}

impl<'f> Line<'f> {
    /// The line of a byte.
    pub fn at(file: &'f SourceFile, offset: usize) -> Self {
        Line { file, number: file.line(offset) }
    }

    /// The first line of a file.
    pub fn first(file: &'f SourceFile) -> Option<Self> {
        let last = file.line(file.text().len());
        (1..=last).map(|number| Line { file, number }).find(Line::says_something)
    }

    pub fn text(&self) -> &'f str {
        let span = Span::new(self.start(), self.file.line_end(self.number));
        self.file.slice(span).trim_end()
    }

    /// The nearest line above that says something.
    pub fn above(&self) -> Option<Line<'f>> {
        (1..self.number).rev().map(|number| Line { file: self.file, number }).find(Line::says_something)
    }

    /// The first word, be it a `-`.
    pub fn first_word(&self) -> Span {
        let text = self.text();
        self.word_from(text.len() - text.trim_start().len())
    }

    /// The first word behind the dashes.
    pub fn first_key(&self) -> Span {
        self.word_from(self.levels().last().map_or(0, |level| level.column))
    }

    fn word_from(&self, start: usize) -> Span {
        let text = self.text();
        let word = text[start..].find(char::is_whitespace).unwrap_or(text.len() - start);
        self.part(start, start + word)
    }

    /// Whether it is a name alone, and `below` begins further in, as what belongs to a key does.
    pub fn is_a_name_above(&self, below: &Line<'_>) -> bool {
        let column = |line: &Line<'_>| line.levels().last().map_or(0, |level| level.column);
        let (own, belows) = (column(self), column(below));
        is_name(&self.text()[own..]) && belows > own
    }

    /// Whether something follows a `-` at once that should be an item of a list.
    pub fn lacks_space_behind_dash(&self) -> bool {
        let behind = self.text().trim_start().strip_prefix('-');
        behind.is_some_and(|behind| behind.starts_with(|c: char| c.is_alphabetic() || "{[\"'".contains(c)))
    }

    /// What stands behind the first `: `, where that is before `offset`.
    pub fn value_before(&self, offset: usize) -> Option<Span> {
        let text = self.text();
        let colon = text.find(": ").filter(|colon| self.start() + colon < offset)?;
        let value = &text[colon + 2..];
        let start = colon + 2 + (value.len() - value.trim_start().len());
        let end = text.find(" #").filter(|end| *end > start).unwrap_or(text.len());
        Some(self.part(start, end))
    }

    /// That no line above begins where this one does.
    pub fn wrong_indentation(&self) -> Option<Draft> {
        let Level { column: found, is_dash } = *self.levels().first()?;
        let allowed = self.allowed(is_dash);
        if allowed.is_empty() || allowed.contains(&found) {
            return None;
        }
        let distance = allowed.iter().map(|column| column.abs_diff(found)).min()?;
        let nearest = allowed.iter().rev().filter(|column| column.abs_diff(found) == distance);
        let nearest: Vec<String> = nearest.map(usize::to_string).collect();
        let message = format!("wrong indentation: expected {} spaces but found {found}", nearest.join(" or "));
        let help = "begin what belongs together in one column, and further in than what it belongs to";
        Some(Draft::new(rules::SYNTAX, self.first_word(), message).help(help))
    }

    /// Where lines above begin that this one may go on with, the innermost first: items of lists, or keys.
    fn allowed(&self, is_dash: bool) -> Vec<usize> {
        let mut levels: Vec<Level> = Vec::new();
        let mut line = self.above();
        while let Some(above) = line {
            let outermost = levels.last().map_or(usize::MAX, |level| level.column);
            levels.extend(above.levels().into_iter().rev().filter(|level| level.column < outermost));
            if levels.last().is_some_and(|level| level.column == 0) {
                break;
            }
            line = above.above();
        }
        levels.into_iter().filter(|level| level.is_dash == is_dash).map(|level| level.column).collect()
    }

    /// Where the dashes on this line stand, and what follows them; the outermost first.
    fn levels(&self) -> Vec<Level> {
        let text = self.text();
        let mut levels = Vec::new();
        let mut rest = text.trim_start_matches(' ');
        while let Some(behind) = rest.strip_prefix("- ") {
            levels.push(Level { column: text.len() - rest.len(), is_dash: true });
            rest = behind.trim_start_matches(' ');
        }
        levels.push(Level { column: text.len() - rest.len(), is_dash: rest == "-" });
        levels
    }

    fn says_something(&self) -> bool {
        let text = self.text().trim_start();
        !text.is_empty() && !text.starts_with('#')
    }

    fn start(&self) -> usize {
        self.file.offset(self.number, 1)
    }

    /// A part of this line, in bytes from its beginning.
    fn part(&self, start: usize, end: usize) -> Span {
        Span::new(self.start() + start, self.start() + end).in_file(self.file.id())
    }
}
