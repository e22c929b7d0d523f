//! The files of one graph, so that a place can be in any of them.
//!
//! A file that two nodes use is there twice: what is wrong with it may be wrong for one of them alone. What is wrong for
//! both is one finding, in the words of the file itself.

use super::pieces::is_name_char;
use super::source::{FileId, Place, ReadError, SourceFile, Span};
use super::variables::Origin;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The files of one graph, each for every time that it is used.
#[derive(Clone, Debug)]
pub struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    file: SourceFile,
    /// The first place of the same file.
    first: FileId,
    /// Where it is used.
    used_at: Option<Span>,
    /// What the names of its nodes begin with in the graph.
    prefix: String,
    /// What its nodes and backends are called in itself.
    names: HashSet<String>,
    origins: Vec<Origin>,
}

impl Source {
    fn new(file: SourceFile, first: FileId, used_at: Option<Span>, prefix: String) -> Self {
        let (names, origins) = Default::default();
        Source { file, first, used_at, prefix, names, origins }
    }
}

impl Sources {
    /// A graph whose first file is `file`.
    #[must_use]
    pub fn new(file: SourceFile) -> Self {
        let id = FileId::default();
        let name = Arc::clone(file.name());
        let file = file.known_as(id, name);
        Sources(vec![Source::new(file, id, None, String::new())])
    }

    /// The first file.
    #[must_use]
    pub fn first(&self) -> &SourceFile {
        &self.0[0].file
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.0.iter().map(|source| &source.file)
    }

    /// Adds a file of another graph, so that its places can be shown beside those of this one.
    pub fn adopt(&mut self, file: &SourceFile) -> FileId {
        if let Some(known) = self.0.iter().find(|known| known.file.is_same_file(file)) {
            return known.first;
        }
        let id = FileId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        let file = file.clone().known_as(id, Arc::clone(file.name()));
        self.0.push(Source::new(file, id, None, String::new()));
        id
    }

    /// One of the files.
    #[must_use]
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.source(id).file
    }

    /// Lines and columns of `span`. The same part of a file has the same place, however often the file is used.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        self.source(span.file).file.place(self.in_first_use(span))
    }

    /// The same part of the same file, where the graph uses that first.
    pub(super) fn in_first_use(&self, span: Span) -> Span {
        span.in_file(self.source(span.file).first)
    }

    /// The places where a file is used, from the one in the file that uses it to the one in the first file.
    #[must_use]
    pub fn uses(&self, file: FileId) -> Vec<Span> {
        std::iter::successors(self.source(file).used_at, |at| self.source(at.file).used_at).collect()
    }

    /// Whether `a` and `b` are two uses of one file.
    pub(super) fn are_one_file(&self, a: FileId, b: FileId) -> bool {
        a != b && self.source(a).first == self.source(b).first
    }

    /// `text`, in which nodes have the names that they have in the graph, with those that the file gives them.
    pub(super) fn in_own_words(&self, file: FileId, text: &str) -> String {
        let Source { prefix, names, .. } = self.source(file);
        if prefix.is_empty() {
            return text.to_owned();
        }
        let mut own = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(prefix.as_str()) {
            own.push_str(before);
            let name_end = after.find(|c| !is_name_char(c)).unwrap_or(after.len());
            let whole = !before.ends_with(|c| is_name_char(c) || c == '/');
            if !(whole && names.contains(&after[..name_end])) {
                own.push_str(prefix);
            }
            rest = after;
        }
        own + rest
    }

    /// Adds the use, by the node `node` at `used_at`, of the file that is called `path` there. It is read unless it was
    /// before.
    ///
    /// # Errors
    /// [`ReadError`] as [`SourceFile::read`].
    pub(super) fn open(&mut self, path: &str, node: &str, used_at: Span) -> Result<FileId, ReadError> {
        let Source { file: from, prefix, .. } = self.source(used_at.file);
        let prefix = format!("{prefix}{node}/");
        let name: Arc<str> = called(Path::new(path), from).display().to_string().into();
        let known = self.iter().find(|known| *known.name() == name).cloned();
        let file = known.map_or_else(|| from.read_beside(path, &name), Ok)?;
        let id = FileId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        let same = self.0.iter().find(|source| source.file.is_same_file(&file));
        let first = same.map_or(id, |source| source.first);
        let file = file.known_as(id, name);
        self.0.push(Source::new(file, first, Some(used_at), prefix));
        Ok(id)
    }

    /// Tells what the nodes and backends of a file are called in it.
    pub(super) fn set_names(&mut self, FileId(at): FileId, names: HashSet<String>) {
        self.0[at as usize].names = names;
    }

    /// Tells where what variables stand for in a file is written.
    pub(super) fn set_origins(&mut self, FileId(at): FileId, mut origins: Vec<Origin>) {
        let place = |origin: &Origin| (origin.at, origin.value);
        origins.sort_by_key(place);
        // What an alias stands for is filled in for each of them.
        origins.dedup_by_key(|origin| place(origin));
        self.0[at as usize].origins = origins;
    }

    /// Where what variables at `span` stand for is written.
    pub(super) fn origins(&self, span: Span) -> &[Origin] {
        let origins = &self.source(span.file).origins;
        let begin = origins.partition_point(|origin| origin.at < span);
        let end = origins.partition_point(|origin| origin.at <= span);
        &origins[begin..end]
    }

    fn source(&self, FileId(at): FileId) -> &Source {
        &self.0[at as usize]
    }
}

/// What a path that is relative to the file is called, given what the file itself is called.
pub(super) fn called(path: &Path, file: &SourceFile) -> PathBuf {
    tidy(&Path::new(&**file.name()).parent().unwrap_or(Path::new("")).join(path))
}

/// The path without `.` and, as far as its text alone tells, without `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let goes_back =
            part == Component::ParentDir && matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            _ if goes_back => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_speaks_of_its_nodes_by_their_names_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("inner.yaml"), "a\n").unwrap();
        let mut sources = Sources::new(SourceFile::from_text("outer.yaml", dir.path(), "b\n"));
        let inner = sources.open("./inner.yaml", "f", Span::new(0, 1)).unwrap();
        sources.set_names(inner, ["band", "dsp"].map(str::to_owned).into());
        let own = |text| sources.in_own_words(inner, text);
        assert_eq!(own("`f/band.in` → `f/dsp`, add `{ to: f/band }`"), "`band.in` → `dsp`, add `{ to: band }`");
        assert_eq!(own("`f/other`, `g/f/band`, `xf/band`, `f/band2`"), "`f/other`, `g/f/band`, `xf/band`, `f/band2`");
        assert_eq!(sources.in_own_words(FileId::default(), "`f/band`"), "`f/band`");
        let again = sources.open("inner.yaml", "g", Span::new(0, 1)).unwrap();
        let place = |file| sources.place(Span::new(0, 1).in_file(file));
        assert!(sources.are_one_file(inner, again) && place(inner) == place(again) && place(inner) != place(FileId(0)));
    }

    #[test]
    fn where_a_value_is_written_is_kept_once_however_often_it_is_filled_in() {
        let mut sources = Sources::new(SourceFile::from_text("x.yaml", Path::new("/"), "a b c d\n"));
        let origin = |at: usize, value: usize| {
            let [at, param, value] = [at, value, value].map(|start| Span::new(start, start + 1));
            Origin { at, param, value }
        };
        let filled_in = [origin(0, 4), origin(2, 6), origin(2, 4)];
        sources.set_origins(FileId::default(), filled_in.iter().cycle().take(300).cloned().collect());
        let written = |at: usize| sources.origins(Span::new(at, at + 1)).len();
        assert_eq!([0, 2, 4].map(written), [1, 2, 0]);
    }
}
