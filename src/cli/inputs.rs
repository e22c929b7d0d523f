//! The graph files that a verb is given: by name, below a directory, or on standard input.

use super::formats::Unread;
use crate::graph::{ReadError, SourceFile, is_graph, looks_like_graph, says_it_is_a_graph, text_of};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use walkdir::{DirEntry, WalkDir};

/// What findings call the graph on standard input.
const STDIN: &str = "<stdin>";
/// How long a pipe is waited for without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// So much of a file tells whether it means to be a graph, in bytes.
const HEAD_BYTES: u64 = 64 << 10;

/// A file that may be read.
pub struct Input {
    /// As it was named, or as it was found; `-` is standard input.
    pub path: PathBuf,
    /// Whether it was found below a directory: then it need not be a graph.
    found: bool,
}

impl Input {
    /// Reads it; nothing where it was only found and does not even look like a graph.
    /// At most `limit` bytes are read.
    pub fn read(&self, limit: u64) -> Result<Option<SourceFile>, String> {
        self.read_if(looks_like_graph, limit)
    }

    /// As [`read`](Self::read); nothing, too, where it was only found and does not say that it is a graph: then it is not
    /// for us to change.
    pub fn read_to_change(&self, limit: u64) -> Result<Option<SourceFile>, String> {
        self.read_if(is_graph, limit)
    }

    fn read_if(&self, is_meant: fn(&SourceFile) -> bool, limit: u64) -> Result<Option<SourceFile>, String> {
        if !self.found {
            return read(&self.path, limit).map(Some);
        }
        match SourceFile::read_up_to(&self.path, limit) {
            Ok(file) => Ok(is_meant(&file).then_some(file)),
            Err(ReadError::TooLarge { .. } | ReadError::NotText { .. }) if !begins_like_graph(&self.path) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        if self.path == Path::new("-") { STDIN.to_owned() } else { self.path.display().to_string() }
    }
}

/// Reads the graph at `path`, or on standard input where that is `-`: at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<SourceFile, String> {
    if path == Path::new("-") { read_stdin(limit) } else { read_file(path, limit) }
}

/// As [`read`], where `-` is a name like any other.
pub fn read_file(path: &Path, limit: u64) -> Result<SourceFile, String> {
    let _reading = say_if_it_takes_long(path);
    SourceFile::read_up_to(path, limit).map_err(|error| error.to_string())
}

/// Whether a file that is not read whole, or is no text, seems to be a graph all the same, or might be one.
fn begins_like_graph(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    // What is left of UTF-16 is a text; and no byte order mark counts.
    head.retain(|byte| *byte != 0);
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    let text = marks.iter().find_map(|mark| head.strip_prefix(*mark)).unwrap_or(&head);
    read.is_err() || says_it_is_a_graph(text)
}

/// Says what is waited for, if a pipe is not read by the time that what this returns is dropped.
fn say_if_it_takes_long(path: &Path) -> Option<mpsc::Sender<()>> {
    std::fs::metadata(path).ok().filter(|found| found.file_type().is_fifo())?;
    let (reading, read) = mpsc::channel();
    let name = path.display().to_string();
    // Where no thread may be had, nothing is said.
    let _ = std::thread::Builder::new().spawn(move || {
        if read.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            say!("waiting for the end of the pipe {name}");
        }
    });
    Some(reading)
}

/// The files that `named` stand for, those of each directory in the order of their names.
pub fn gather(named: &[PathBuf], unread: &mut Vec<Unread>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            below(path, &mut inputs, unread);
        } else {
            inputs.push(Input { path: path.clone(), found: false });
        }
    }
    inputs
}

/// That what was named has no graph below it.
pub fn no_graph(named: &[PathBuf]) -> Unread {
    let named = named.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    Unread { cause: format!("there is no graph below {named}"), file: named }
}

/// Every YAML file below `dir`, but for hidden folders and those of outputs.
fn below(dir: &Path, inputs: &mut Vec<Input>, unread: &mut Vec<Unread>) {
    for entry in WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(is_looked_into) {
        match entry {
            Ok(entry) if is_yaml(entry.path()) => {
                let path = entry.path().strip_prefix(".").unwrap_or(entry.path());
                // A link to a file is one, too.
                if entry.path().is_file() {
                    inputs.push(Input { path: path.to_owned(), found: true });
                } else if is_dangling(&entry) {
                    let file = path.display().to_string();
                    unread.push(Unread { cause: format!("cannot read {file}: it is a link to nothing"), file });
                }
            }
            Ok(_) => {}
            Err(error) => {
                let file = error.path().unwrap_or(dir).display().to_string();
                unread.push(Unread { cause: format!("cannot read {error}"), file });
            }
        }
    }
}

fn is_looked_into(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_left_out = entry.file_type().is_dir() && (name.starts_with('.') || name == "out");
    entry.depth() == 0 || !is_left_out
}

fn is_yaml(path: &Path) -> bool {
    let is = |known: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(known));
    is("yaml") || is("yml")
}

/// Whether it is a link to what is not there. Links called `.#…` are locks that editors make.
fn is_dangling(entry: &DirEntry) -> bool {
    let is_lock = entry.file_name().to_string_lossy().starts_with(".#");
    entry.path_is_symlink() && !is_lock && !entry.path().exists()
}

fn read_stdin(limit: u64) -> Result<SourceFile, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {STDIN}: {error}");
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(format!("{STDIN} has more than {limit} bytes, the most that a graph file has"));
    }
    let text = text_of(bytes).map_err(|fault| format!("{STDIN} {fault}"))?;
    Ok(SourceFile::from_text(STDIN, &std::env::current_dir().map_err(unreadable)?, &text))
}
