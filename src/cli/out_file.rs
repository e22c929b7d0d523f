//! A file that a verb writes: never one that it reads.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that can be written, and is still as it was.
pub struct OutFile {
    path: PathBuf,
    file: File,
}

impl OutFile {
    /// Opens it, or makes it: what cannot be written is better known before the work than after it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        file.map(|file| OutFile { path: path.to_owned(), file }).map_err(|error| cannot_write(path, &error))
    }

    /// An error where it is one of the files `read`, by whatever name.
    pub fn must_not_be<P: AsRef<Path>>(&self, read: impl IntoIterator<Item = P>) -> Result<(), String> {
        let own = self.identity();
        let is_read = own.is_some() && read.into_iter().any(|path| identity(std::fs::metadata(path)) == own);
        if is_read { Err(self.taken()) } else { Ok(()) }
    }

    /// An error where any two are one file.
    pub fn must_differ<'o>(outputs: impl IntoIterator<Item = &'o OutFile>) -> Result<(), String> {
        let mut known = Vec::new();
        for output in outputs {
            let own = output.identity();
            if own.is_some() && known.contains(&own) {
                return Err(output.taken());
            }
            known.push(own);
        }
        Ok(())
    }

    /// Takes out what the file has.
    pub fn clear(&self) -> Result<(), String> {
        if self.identity().is_none() { Ok(()) } else { self.file.set_len(0).map_err(|error| self.cannot_write(&error)) }
    }

    /// Writes `text` in the place of what the file has.
    pub fn write(mut self, text: &str) -> Result<(), String> {
        self.clear()?;
        self.file.write_all(text.as_bytes()).map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &io::Error) -> String {
        cannot_write(&self.path, error)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        identity(self.file.metadata())
    }

    fn taken(&self) -> String {
        format!("{} is read or written already; give another file", self.path.display())
    }
}

/// What standard output is called where a path is wanted.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Reads `FORMAT` or `FORMAT=PATH`; no path, or one of [`STDOUT`], is standard output.
pub fn format_and_path(text: &str) -> Result<(&str, Option<PathBuf>), String> {
    match text.split_once('=') {
        Some((_, "")) => Err("the path after `=` is empty".to_owned()),
        Some((name, path)) if STDOUT.contains(&path) => Ok((name, None)),
        Some((name, path)) => Ok((name, Some(PathBuf::from(path)))),
        None => Ok((text, None)),
    }
}

/// What tells a file from others, however it is named; nothing where it is a terminal, a pipe or the like.
fn identity(metadata: io::Result<Metadata>) -> Option<(u64, u64)> {
    metadata.ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()))
}

/// Some editors put it before a text, which it is no part of.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Writes `text` over the file at `path` at once: whatever happens meanwhile, the file has its old text or the new one. A
/// byte order mark stays.
pub fn rewrite(path: &Path, text: &str) -> Result<(), String> {
    rewrite_whole(path, text).map_err(|error| cannot_write(path, &error))
}

fn rewrite_whole(path: &Path, text: &str) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    // Where a link leads, so that it stays one.
    let path = std::fs::canonicalize(path)?;
    // A file that must not be written is not replaced either.
    let old = File::options().read(true).write(true).open(&path)?;
    let permissions = old.metadata()?.permissions();
    let mut mark = Vec::new();
    old.take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut mark)?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".ezrun-").permissions(permissions).tempfile_in(dir)?;
    if mark == BYTE_ORDER_MARK {
        file.write_all(&mark)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// That `path` could not be written, and where its folder is missing, that.
pub fn cannot_write(path: &Path, error: &io::Error) -> String {
    let path_in_words = path.display();
    match path.parent().filter(|dir| !dir.as_os_str().is_empty() && error.kind() == io::ErrorKind::NotFound) {
        Some(dir) if !dir.exists() => {
            format!("cannot write {path_in_words}: there is no folder {}; make it first", dir.display())
        }
        _ => format!("cannot write {path_in_words}: {error}"),
    }
}
