//! The text of graph files, and places in it.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest graph file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Longest file in which places can be told, in bytes.
const MAX_SPAN: u64 = u32::MAX as u64;

/// Length of a block in which characters are counted, in bytes.
const BLOCK_BYTES: usize = 1024;

/// A file in its place in a graph: the first one, or one use of another. A file that is used twice has two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(super) u32);

/// A part of a file, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    start: u32,
    end: u32,
}

/// A part of a file, as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Place {
    pub span: Span,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
}

/// A graph file that has been read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    id: FileId,
    name: Arc<str>,
    dir: PathBuf,
    stem: String,
    text: Arc<String>,
    line_starts: Arc<[usize]>,
    /// Characters before each block of [`BLOCK_BYTES`], so that a column costs no more on a very long line.
    chars_before: Arc<[usize]>,
    /// Files that it uses are refused where every user may write to them.
    is_guarded: bool,
}

/// A graph file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// The file is too large.
    #[error("{} has {size} bytes; a graph file has at most {limit} (`--max-file-size` says otherwise)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many bytes it has, in words.
        size: String,
        /// The largest size that is read.
        limit: u64,
    },
    /// Every user of the machine may change the file.
    #[error(
        "{} is not run: every user may write to it (`chmod o-w` takes that right away; `--allow-writable` runs it all \
         the same)",
        path.display()
    )]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{} {fault}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        fault: TextFault,
    },
}

/// What there is to do about a file that every user may write to.
pub(super) const WAY_OUT_OF_WRITABLE: &str =
    "`chmod o-w` takes that right away; `ezrun --allow-writable` runs it all the same";

/// What is said of such a file.
pub(super) fn why_not_run(name: impl std::fmt::Display) -> String {
    format!("{name} is not run: every user may write to it")
}

/// Whether every user of the machine may write to the file at `path`: then what it says may be anybody's word.
pub(super) fn is_writable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o002 != 0)
}

/// Why bytes are not the text of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextFault {
    /// This byte, counted from 0, is not UTF-8.
    #[error("is not UTF-8 text: byte {0} belongs to no character")]
    NotUtf8(usize),
    /// The text is in another encoding.
    #[error("is UTF-16 text: save it as UTF-8")]
    Utf16,
    /// This byte, counted from 0, is one that no text has.
    #[error("is not text: byte {0} is NUL")]
    Nul(usize),
}

/// The text that `bytes` are.
///
/// # Errors
/// What they are instead.
pub fn text_of(bytes: Vec<u8>) -> Result<String, TextFault> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(TextFault::Utf16);
    }
    let text = String::from_utf8(bytes).map_err(|error| TextFault::NotUtf8(error.utf8_error().valid_up_to()))?;
    text.find('\0').map_or(Ok(text), |at| Err(TextFault::Nul(at)))
}

impl FileId {
    /// A part of this file, which is no longer than [`MAX_SPAN`].
    fn span(self, start: usize, end: usize) -> Span {
        let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self, start: short(start), end: short(end) }
    }
}

impl Span {
    /// The first place of the first file.
    pub(super) const BEGINNING: Self = Span { file: FileId(0), start: 0, end: 0 };

    /// From `start` up to, not including, `end`, in the first file.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        FileId::default().span(start, end)
    }

    /// The same part of another file.
    #[must_use]
    pub fn in_file(self, file: FileId) -> Self {
        Span { file, ..self }
    }

    /// Another part of the same file.
    #[must_use]
    pub fn part(self, start: usize, end: usize) -> Self {
        self.file.span(start, end)
    }

    /// Its first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The byte after its last one.
    #[must_use]
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The smallest part that has both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl SourceFile {
    /// Reads the file at `path`, a pipe up to its end.
    ///
    /// # Errors
    /// [`ReadError`] where it cannot be read, is no text or is larger than [`MAX_FILE_BYTES`].
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_up_to(path, MAX_FILE_BYTES)
    }

    /// As [`SourceFile::read`], with another limit in bytes.
    ///
    /// # Errors
    /// As there.
    pub fn read_up_to(path: &Path, limit: u64) -> Result<Self, ReadError> {
        let limit = limit.min(MAX_SPAN);
        let unreadable = |cause| ReadError::Unreadable { path: path.to_owned(), cause };
        let kind = std::fs::metadata(path).map_err(unreadable)?.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            return Err(unreadable(std::io::Error::other("it is a device, not a file")));
        }
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, limit.saturating_add(1)), &mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            let whole = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
            let size = whole.map_or_else(|| format!("more than {limit}"), |whole| whole.len().to_string());
            return Err(ReadError::TooLarge { path: path.to_owned(), size, limit });
        }
        let text = text_of(bytes).map_err(|fault| ReadError::NotText { path: path.to_owned(), fault })?;
        let dir = dir_of(path).map_err(unreadable)?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self::new(&path.display().to_string(), &stem, dir, text))
    }

    /// Refuses it, read from `path`, where every user may write to it; and all files that it uses, likewise.
    ///
    /// # Errors
    /// [`ReadError::Writable`].
    pub fn guarded(self, path: &Path) -> Result<Self, ReadError> {
        if is_writable_by_all(path) {
            return Err(ReadError::Writable { path: path.to_owned() });
        }
        Ok(SourceFile { is_guarded: true, ..self })
    }

    /// Reads the file that this one calls `path`, and errors call `name`. What is no file, such as a pipe, might never end.
    pub(super) fn read_beside(&self, path: &str, name: &str) -> Result<Self, ReadError> {
        let full = self.dir.join(path);
        if std::fs::metadata(&full).is_ok_and(|found| !found.is_file()) {
            return Err(ReadError::Unreadable { path: name.into(), cause: std::io::Error::other("it is no file") });
        }
        let mut result = Self::read(&full);
        if self.is_guarded {
            result = result.and_then(|file| file.guarded(&full));
        }
        if let Err(
            ReadError::Unreadable { path, .. }
            | ReadError::TooLarge { path, .. }
            | ReadError::Writable { path }
            | ReadError::NotText { path, .. },
        ) = &mut result
        {
            *path = name.into();
        }
        result
    }

    /// The same file in another place of its graph.
    pub(super) fn known_as(self, id: FileId, name: Arc<str>) -> Self {
        SourceFile { id, name, ..self }
    }

    /// Whether both were read from one place.
    #[must_use]
    pub fn is_same_file(&self, other: &SourceFile) -> bool {
        self.path() == other.path()
    }

    /// Where it was read, absolute.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join(Path::new(&*self.name).file_name().unwrap_or_default())
    }

    /// A file that is in memory already; `name` is what findings call it, `dir` what its paths are relative to.
    #[must_use]
    pub fn from_text(name: &str, dir: &Path, text: &str) -> Self {
        let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
        Self::new(name, &stem, dir.to_owned(), text.to_owned())
    }

    fn new(name: &str, stem: &str, dir: PathBuf, mut text: String) -> Self {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let line_starts: Arc<[usize]> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let chars_before = chars_before(&text).into();
        let id = FileId::default();
        let (name, stem, text) = (name.into(), stem.to_owned(), Arc::new(text));
        SourceFile { id, name, dir, stem, text, line_starts, chars_before, is_guarded: false }
    }

    /// Which of the files of its graph it is.
    #[must_use]
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Its first place.
    #[must_use]
    pub fn beginning(&self) -> Span {
        Span::default().in_file(self.id)
    }

    /// What findings call it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its directory, absolute.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its name without directory and extension.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Its text, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of `span`; empty where the file has no such part.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start()..span.end()).unwrap_or("")
    }

    /// Lines and columns of `span`.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let (line, column) = self.position(span.start());
        let (end_line, end_column) = self.position(span.end());
        Place { span, line, column, end_line, end_column }
    }

    /// The byte at which each line begins.
    pub(super) fn line_starts(&self) -> &[usize] {
        &self.line_starts
    }

    /// The byte at which the line begins in which `span` does.
    pub(super) fn line_start(&self, span: Span) -> usize {
        self.line_starts[self.line(span.start()) - 1]
    }

    /// The byte at `line` and `column`, both counted from 1; the nearest one where the file has no such place.
    #[must_use]
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or("");
        let rest = rest.lines().next().unwrap_or("");
        start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
    }

    /// The byte after the last one of `line`, which is counted from 1; its line break does not belong to it.
    #[must_use]
    pub fn line_end(&self, line: usize) -> usize {
        match self.line_starts.get(line) {
            Some(next) => next - 1,
            None => self.text.len(),
        }
    }

    /// The line of a byte, counted from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.line_starts[line - 1];
        (line, self.chars_until(offset.min(self.text.len())) - self.chars_until(start) + 1)
    }

    fn chars_until(&self, offset: usize) -> usize {
        let block = offset / BLOCK_BYTES;
        self.chars_before[block] + count_chars(&self.text.as_bytes()[block * BLOCK_BYTES..offset])
    }
}

/// The folder that paths in the file at `path` are relative to. What the system has no file for, such as a pipe that a
/// shell made, is of the current folder.
fn dir_of(path: &Path) -> std::io::Result<PathBuf> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = std::fs::canonicalize(dir)?;
    if dir == Path::new("/dev") || dir.starts_with("/proc") { std::env::current_dir() } else { Ok(dir) }
}

fn chars_before(text: &str) -> Vec<usize> {
    let blocks = text.as_bytes().chunks(BLOCK_BYTES);
    let mut before = vec![0];
    before.extend(blocks.scan(0, |count, block| {
        *count += count_chars(block);
        Some(*count)
    }));
    before
}

/// The characters that begin in `bytes`, which are UTF-8.
fn count_chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let file = SourceFile::from_text("x.yaml", Path::new("."), "a: 1\nnäme: é\n");
        let start = file.text().find('é').unwrap();
        let place = file.place(Span::new(start, start + 2));
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 7, 2, 8));
    }

    #[test]
    fn a_file_over_the_limit_is_refused_by_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big.yaml");
        std::fs::write(&path, vec![b' '; (MAX_FILE_BYTES + 7) as usize]).unwrap();
        let error = SourceFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("1048583 bytes"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_text_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bin.yaml");
        std::fs::write(&path, b"ezrun: 1\n\xff").unwrap();
        let error = SourceFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("not UTF-8 text: byte 9"), "{error}");
    }
}
