//! Why a file cannot be read, in the words of whoever writes it: the parser tells what it would have gone on with.

use super::finding::{Draft, Findings};
use super::indentation::Line;
use super::pieces::{is_name, is_name_char};
use super::rules;
use super::source::{SourceFile, Span};
use super::suggest;
use granit_parser::ErrorKind::{self, UnclosedFlowCollection};
use granit_parser::{ScanError, Scanner, StrInput};

/// Longest text that is shown as it should be written, in bytes.
const MAX_SHOWN_BYTES: usize = 80;

/// What the parser stumbled over.
struct Stumble<'f> {
    file: &'f SourceFile,
    /// Where, in bytes.
    at: usize,
    /// The word there.
    word: Span,
    /// The bracket of the innermost list or mapping that is not closed.
    open: Option<Span>,
}

/// A fault of the text.
pub(super) fn fault(error: &ScanError, file: &SourceFile) -> Draft {
    let at = file.text().floor_char_boundary(error.marker().byte_offset().unwrap_or(0));
    let stumble = Stumble { file, at, word: word_at(file, at), open: open_bracket(file, at) };
    let known = stumble.conflict().or_else(|| stumble.strange_blank()).or_else(|| stumble.in_words(error));
    known.unwrap_or_else(|| {
        draft(stumble.word, format!("not YAML: {}", error.info()))
            .help("check the indentation, and that every bracket and quote is closed")
    })
}

/// A `word` that begins with what no text can begin with.
pub(super) fn needs_quotes(file: &SourceFile, word: Span, first: char) -> Draft {
    Stumble { file, at: word.start(), word, open: None }.needs_quotes(first)
}

/// An `alias` for which no anchor is above it.
pub(super) fn unknown_anchor(file: &SourceFile, alias: Span, findings: &Findings) -> Draft {
    let name = file.slice(alias).trim_start_matches('*');
    if !is_name(name) {
        return needs_quotes(file, alias, '*');
    }
    let near = findings.suggestion(|| {
        let before = file.text().get(..alias.start()).unwrap_or("");
        let anchors = before.split('&').skip(1);
        suggest::nearest(name, anchors.filter_map(|rest| rest.split([' ', '\t', '\n', '\r', ',', '}', ']']).next()))
    });
    let help = match near {
        Some(near) => format!("did you mean `*{near}`?"),
        None => format!("write `&{name}` before the value that it stands for, further up in the file"),
    };
    draft(alias, format!("`*{name}` stands for nothing: no anchor `&{name}` is above")).help(help)
}

impl Stumble<'_> {
    fn in_words(&self, error: &ScanError) -> Option<Draft> {
        match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => Some(self.tab()),
            ErrorKind::ExpectedBlockMappingKey => self.left_over().or_else(|| self.no_key()),
            ErrorKind::ExpectedBlockSequenceEntry => self.left_over().or_else(|| Some(self.no_item())),
            ErrorKind::MappingValueNotAllowed => Some(self.colon()),
            ErrorKind::FlowMappingValueAdjacentCollection => {
                Some(missing_space(self.colon_span(), ":").help("write `key: { … }` or `key: [ … ]`"))
            }
            ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => Some(self.missing_colon(self.word)),
            ErrorKind::BlockSequenceEntryNotAllowed => Some(
                draft(self.word, "a list cannot begin behind its key")
                    .help("begin each `- item` on a line of its own, or write `[item, item]`"),
            ),
            ErrorKind::UnexpectedCharacter { character } => Some(self.character(*character)),
            ErrorKind::MissingAnchorOrAliasName => self.first_char().map(|first| self.needs_quotes(first)),
            ErrorKind::ExpectedDocumentStart if self.file.text().starts_with('%') => {
                let help = "put a text that begins with `%` in quotes, or take the line out";
                Some(draft(word_at(self.file, 0), "a graph file has no `%` directives").help(help))
            }
            ErrorKind::ExpectedDocumentStart => self.indented_beginning(),
            kind => self.in_brackets(kind).or_else(|| self.in_quotes(kind)),
        }
    }

    /// What is wrong inside `{ }` and `[ ]`, or with these.
    fn in_brackets(&self, kind: &ErrorKind) -> Option<Draft> {
        match kind {
            UnclosedFlowCollection { open } => Some(not_closed(self.word, *open)),
            ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
                let message = format!("`{open}` is closed by `{close}`");
                Some(draft(self.word, message).help(format!("write `{}` at its end", closing(*open))))
            }
            ErrorKind::MisplacedFlowCollectionEnd => {
                let message = format!("`{}` closes nothing", self.file.slice(self.word));
                Some(draft(self.word, message).help("take it out, or put the text that it belongs to in quotes"))
            }
            ErrorKind::BlockEntryInFlowCollection
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::InvalidColonPlacement
            | ErrorKind::InvalidFlowScalarIndent
            | ErrorKind::InvalidIndentation
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofImplicitFlowMapping => self.open.map(|open| self.unparted(open)),
            _ => None,
        }
    }

    fn in_quotes(&self, kind: &ErrorKind) -> Option<Draft> {
        let may_begin_early = matches!(
            kind,
            ErrorKind::UnclosedQuotedScalar
                | ErrorKind::InvalidTrailingSingleQuotedScalar
                | ErrorKind::InvalidTrailingDoubleQuotedScalar
        );
        if may_begin_early
            && let Some(earlier) = self
                .quote_behind_colon()
                .or_else(|| self.quote_behind_key())
                .or_else(|| self.bracket_behind_name())
                .or_else(|| self.closed_late())
        {
            return Some(earlier);
        }
        Some(match kind {
            ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar => {
                let quote = self.first_char().filter(|first| matches!(first, '"' | '\''))?;
                draft(self.word, "this quote is not closed").help(format!("write `{quote}` at the end of the text"))
            }
            ErrorKind::InvalidTrailingSingleQuotedScalar => {
                draft(self.word, "something follows the quote that ends the text")
                    .help("inside '…' a `'` is written twice: 'it''s'")
            }
            ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                draft(self.word, "something follows the quote that ends the text")
                    .help("put all of the text in quotes; inside \"…\" a `\"` is written `\\\"`")
            }
            ErrorKind::UnknownQuotedScalarEscape
            | ErrorKind::InvalidQuotedScalarHexEscape
            | ErrorKind::InvalidUnicodeEscape => {
                draft(self.word, "inside \"…\" a `\\` begins an escape such as `\\n`, and one here is none")
                    .help("write `\\\\`, or put the text in '…', where a `\\` is only a `\\`")
            }
            ErrorKind::CommentNotSeparated => {
                draft(self.word, "a comment begins right behind a value").help("write a space before the `#`")
            }
            ErrorKind::InvalidBlockScalarHeader => draft(self.word, "a text follows its `|` or `>` on the same line")
                .help("begin the text on the next line, or put it in quotes"),
            _ => return None,
        })
    }

    /// The last `:` before it with a quote right behind, as in `key:"text"`: YAML takes that quote for a part of the key, and
    /// the next one for the beginning of a text.
    fn quote_behind_colon(&self) -> Option<Draft> {
        let before = self.file.text().get(..self.at)?;
        let colon = before.rmatch_indices(':').map(|(at, _)| at).find(|&at| {
            let (key, value) = (&before[..at], &before[at + 1..]);
            value.starts_with(['"', '\'']) && key.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })?;
        Some(missing_space(span(self.file, colon, colon + 1), ":").help("write `key: \"…\"`"))
    }

    /// The last quote before it that follows a key without its colon, as in `{ key "text" }`.
    fn quote_behind_key(&self) -> Option<Draft> {
        let before = self.file.text().get(..self.at)?;
        before.rmatch_indices(" ").find_map(|(at, _)| {
            let has_quote = before[at + 1..].starts_with(['"', '\'']);
            has_quote.then(|| self.key_ending_at(at)).flatten().map(|key| self.missing_colon(key))
        })
    }

    /// The name that its line begins with, where a bracket follows without a colon between, as in `name { key: "text" }`.
    fn bracket_behind_name(&self) -> Option<Draft> {
        let line = Line::at(self.file, self.at);
        let (start, text) = (line.first_word().start(), line.text().trim_start());
        let name = text[..text.find(['{', '['])?].trim_end();
        let key = self.key_ending_at(start + name.len()).filter(|key| key.start() == start)?;
        Some(self.missing_colon(key))
    }

    /// The name that ends there, if a line or an entry in brackets begins with it.
    fn key_ending_at(&self, end: usize) -> Option<Span> {
        let text = self.file.text().get(..end)?;
        let start = text.trim_end_matches(is_name_char).len();
        let before = text[..start].trim_end_matches(' ');
        let is_key = before.is_empty() || before.ends_with(['{', ',', '\n']);
        (is_key && text[start..].contains(|c| c != '-')).then(|| span(self.file, start, end))
    }

    /// The quote of a text that ends right before it, where that text began on another line: it should have ended there.
    fn closed_late(&self) -> Option<Draft> {
        let before = self.file.text().get(..self.at)?.trim_end();
        let quote = before.chars().next_back().filter(|last| matches!(last, '"' | '\''))?;
        let text = &before[..before.len() - 1];
        let start = text.rmatch_indices(quote).map(|(at, _)| at).find(|&at| !text[..at].ends_with([quote, '\\']))?;
        let [opened, closed] = [start, text.len()].map(|at| self.file.line(at));
        let message = format!("this quote is closed on line {closed} only");
        let found =
            draft(span(self.file, start, start + 1), message).help(format!("write `{quote}` at the end of its text"));
        (opened < closed).then(|| found.related(self.word, "something follows the quote that closes it"))
    }

    /// The first line, where it is indented and others are not.
    fn indented_beginning(&self) -> Option<Draft> {
        let first = Line::first(self.file)?.text();
        let indentation = &first[..first.len() - first.trim_start().len()];
        let start = first.as_ptr() as usize - self.file.text().as_ptr() as usize;
        if let Some(tab) = indentation.find('\t') {
            return Some(indented_with_tab(span(self.file, start + tab, start + tab + 1)));
        }
        let word = word_at(self.file, start + indentation.len());
        let is_indented = !indentation.is_empty() && self.at > word.end();
        let help = "begin all keys of the graph in the first column";
        is_indented.then(|| draft(word, "the first line is indented, and another is not").help(help))
    }

    /// What is left of two versions that were merged.
    fn conflict(&self) -> Option<Draft> {
        const MARKS: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];
        let text = self.file.text();
        let mark = MARKS.iter().filter_map(|mark| {
            let begins = |at: &usize| *at == 0 || text.as_bytes()[at - 1] == b'\n';
            text.match_indices(mark).map(|(at, _)| at).find(begins)
        });
        let at = mark.min()?;
        let help = "keep one of the two versions, and take the lines with `<<<<<<<`, `=======` and `>>>>>>>` out";
        Some(draft(word_at(self.file, at), "two versions of this file were merged, and differ here").help(help))
    }

    fn tab(&self) -> Draft {
        // The parser tells of it where it is, or behind it.
        let text = self.file.text();
        let at = text[..text.ceil_char_boundary(self.at + 1)].rfind('\t').unwrap_or(self.at);
        indented_with_tab(span(self.file, at, at + 1))
    }

    /// A key was expected.
    fn no_key(&self) -> Option<Draft> {
        let line = Line::at(self.file, self.at);
        if let Some(wrong) = line.wrong_indentation() {
            return Some(wrong);
        }
        match line.text().trim_start().chars().next()? {
            '-' => Some(
                draft(self.word, "an item of a list stands among the keys of a mapping")
                    .help("write `key: value`, or indent the list"),
            ),
            '{' | '[' | '"' | '\'' => Some(no_key_but_value(self.word)),
            _ => None,
        }
    }

    /// What follows a bracket on its line, behind which the value is at its end.
    fn left_over(&self) -> Option<Draft> {
        let before = self.file.text().get(..self.at)?.trim_end_matches(' ');
        let bracket = before.chars().next_back().filter(|last| matches!(last, '}' | ']'))?;
        let message = format!("`{}` follows `{bracket}`, where the value ends", self.file.slice(self.word));
        Some(draft(self.word, message).help("take it out"))
    }

    /// A `- ` was expected.
    fn no_item(&self) -> Draft {
        let line = Line::at(self.file, self.at);
        if line.lacks_space_behind_dash() {
            return missing_space(line.first_word(), "-");
        }
        line.wrong_indentation().unwrap_or_else(|| {
            draft(self.word, "a key stands among the items of a list")
                .help("write `- ` before it, or indent it otherwise")
        })
    }

    /// A colon where nothing can have a value: the line has one before, or is read as a part of the line above.
    fn colon(&self) -> Draft {
        let line = Line::at(self.file, self.at);
        let above = line.above();
        if let Some(dash) =
            [Some(&line), above.as_ref()].into_iter().flatten().find(|line| line.lacks_space_behind_dash())
        {
            return missing_space(dash.first_word(), "-");
        }
        if let Some(lacking) = self.bracket_behind_name() {
            return lacking;
        }
        let count = |bracket: char| line.text().matches(bracket).count();
        if count('}') > count('{') {
            let help = "write `{` and `}` around the keys, or each key on a line of its own";
            return draft(line.first_key(), "a `{` is missing before this").help(help);
        }
        if let Some(value) = line.value_before(self.at) {
            let help = format!("put the text in quotes{}, or begin a mapping on a line of its own", self.quoted(value));
            return draft(self.colon_span(), "a second `: ` on one line").help(help);
        }
        if let Some(above) = above.as_ref().filter(|above| above.is_a_name_above(&line)) {
            return self.missing_colon(above.first_key());
        }
        if let Some(wrong) = line.wrong_indentation() {
            return wrong;
        }
        match above {
            Some(above) => self.missing_colon(above.first_key()),
            None => draft(self.colon_span(), "a `:` where no key is").help("put the text in quotes"),
        }
    }

    fn colon_span(&self) -> Span {
        span(self.file, self.at, self.at + 1)
    }

    /// `key` has no `: ` behind it.
    fn missing_colon(&self, key: Span) -> Draft {
        let text = self.file.slice(key);
        if text.starts_with(['{', '[']) {
            return no_key_but_value(key);
        }
        if text.strip_prefix('-').is_some_and(is_name) {
            return missing_space(key, "-");
        }
        if text.starts_with("//") {
            return draft(key, "a comment begins with `#`").help("write `#` in the place of `//`");
        }
        match text.split_once(':') {
            Some((name, value)) if !value.is_empty() => {
                missing_space(key, ":").help(format!("write `{name}: {value}`"))
            }
            _ => draft(key, format!("there is no `:` behind `{text}`")).help(format!("write `{text}:`")),
        }
    }

    /// What looks like a space, at the word or right beside it, and is none to YAML.
    fn strange_blank(&self) -> Option<Draft> {
        let text = self.file.text();
        let before = text.get(..self.at)?.chars().next_back().map_or(0, char::len_utf8);
        [self.at - before, self.at, self.word.end()].into_iter().find_map(|at| {
            let blank = text.get(at..)?.chars().next().filter(|&c| c.is_whitespace() && !" \t\r\n".contains(c))?;
            let message = format!("this blank is the character U+{:04X}, which is none to YAML", u32::from(blank));
            Some(draft(span(self.file, at, at + blank.len_utf8()), message).help("write a space"))
        })
    }

    fn character(&self, character: char) -> Draft {
        match character {
            '|' | '>' => {
                let message =
                    format!("a text of several lines cannot begin with `{character}` inside `{{ }}` and `[ ]`");
                draft(self.word, message).help("put the text in quotes")
            }
            '@' | '`' | '%' => self.needs_quotes(character),
            _ => draft(self.word, format!("a graph file cannot have the character `{}`", character.escape_default()))
                .help("take it out"),
        }
    }

    fn needs_quotes(&self, first: char) -> Draft {
        let help = format!("put it in quotes{}", self.quoted(self.word));
        draft(self.word, format!("without quotes, no text can begin with `{first}`")).help(help)
    }

    /// An entry has not ended where the next one should begin.
    fn unparted(&self, open: Span) -> Draft {
        let bracket = if self.file.slice(open) == "{" { '{' } else { '[' };
        if self.file.line(open.start()) != self.file.line(self.at) {
            return not_closed(open, bracket).related(self.word, "this was read as a part of it");
        }
        let line = Line::at(self.file, self.at).text();
        if line.contains("${") && line.replace("${", "").contains(['{', '[']) {
            let value = self.value_with_variable().unwrap_or(self.word);
            let written = self.quoted(value).replace("${ ", "${").replace(" }", "}");
            return draft(value, "a variable inside `{ }` or `[ ]` has no quotes")
                .help(format!("put it in quotes{written}"));
        }
        match self.file.slice(self.word) {
            "-" => draft(self.word, "`- ` has no place inside `{ }` and `[ ]`").help("write `[item, item]`"),
            "," => draft(self.word, "nothing stands before this `,`").help("take it out"),
            ":" => draft(self.word, "a second `: ` in one entry")
                .help("write `,` between two entries; put a text that has `: ` in it in quotes"),
            word => {
                let before = self.file.text()[..self.at].trim_end_matches(' ').len();
                match self.key_ending_at(before).filter(|_| matches!(word, "{" | "[")) {
                    Some(key) => self.missing_colon(key),
                    None => draft(self.word, "a `,` is missing before this").help("write `,` between two entries"),
                }
            }
        }
    }

    /// The text with a variable in it whose brace was taken for the beginning of a mapping.
    fn value_with_variable(&self) -> Option<Span> {
        let (before, variable) = self.file.text().split_at_checked(self.at)?;
        let is_end = |c: char| c.is_whitespace() || ",{}[]".contains(c);
        let start = before.strip_suffix('$')?.rfind(is_end).map_or(0, |at| at + 1);
        let name = variable.find('}')? + 1;
        if variable[..name].contains('\n') {
            return None;
        }
        let rest = variable[name..].find(is_end).unwrap_or(variable.len() - name);
        Some(span(self.file, start, self.at + name + rest))
    }

    fn first_char(&self) -> Option<char> {
        self.file.slice(self.word).chars().next()
    }

    /// The text of `span` as it should be written, where it is short enough and has no quotes itself.
    fn quoted(&self, span: Span) -> String {
        let text = self.file.slice(span);
        if text.len() > MAX_SHOWN_BYTES || text.contains(['"', '\\']) {
            return String::new();
        }
        format!(": \"{text}\"")
    }
}

/// The bracket of a list or mapping that is not closed before a byte.
fn open_bracket(file: &SourceFile, at: usize) -> Option<Span> {
    let mut before = Scanner::new(StrInput::new(&file.text()[..at]));
    let error = before.find_map(Result::err).filter(|error| matches!(error.kind(), UnclosedFlowCollection { .. }))?;
    let start = error.marker().byte_offset()?;
    Some(span(file, start, start + 1))
}

fn draft(span: Span, message: impl Into<String>) -> Draft {
    Draft::new(rules::SYNTAX, span, message)
}

fn indented_with_tab(tab: Span) -> Draft {
    draft(tab, "this line is indented with a tab").help("indent it with spaces: YAML knows no tabs there")
}

fn not_closed(bracket: Span, open: char) -> Draft {
    draft(bracket, format!("`{open}` is not closed")).help(format!("write `{}` at its end", closing(open)))
}

fn closing(open: char) -> char {
    if open == '{' { '}' } else { ']' }
}

fn no_key_but_value(value: Span) -> Draft {
    draft(value, "a value stands where a key was expected").help("write `key: ` or `- ` before it")
}

fn missing_space(word: Span, behind: &str) -> Draft {
    draft(word, format!("a space is missing behind the `{behind}`")).help(format!("write `{behind} `"))
}

/// All characters of which a byte is from `start` up to `end`.
fn span(file: &SourceFile, start: usize, end: usize) -> Span {
    let text = file.text();
    Span::new(text.floor_char_boundary(start), text.ceil_char_boundary(end)).in_file(file.id())
}

/// From `start` to the end of the word that begins there.
pub(super) fn word_at(file: &SourceFile, start: usize) -> Span {
    let rest = file.text().get(start..).unwrap_or("");
    let word = rest.find(|c: char| c.is_whitespace() || ",{}[]".contains(c)).unwrap_or(rest.len());
    span(file, start, start + word.max(rest.chars().next().map_or(0, char::len_utf8)))
}
