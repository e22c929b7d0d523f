//! Files of sources and sinks: opened with messages that help, and written so that what is there is always whole.

use crate::node::{Context, Result};
use anyhow::anyhow;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is pending is written at the latest when it is this long, in bytes.
const PENDING_BYTES: usize = 64 << 10;

/// What is pending is written with the next message after this time, so that a slow stream can be watched.
const PENDING_TIME: Duration = Duration::from_millis(250);

/// Opens the file at `path`, as written in the settings, for reading; also says where it really is.
///
/// # Errors
/// Where it is not there, not readable, or a folder.
pub fn open(context: &Context, path: &Path) -> Result<(File, PathBuf)> {
    let full = context.path(path);
    let refused = |why: String| {
        let dir = context.graph_dir().display();
        anyhow!("cannot read {}: {why} (paths are relative to the folder of the graph file, {dir})", full.display())
    };
    let file = File::open(&full).map_err(|e| refused(e.to_string()))?;
    if file.metadata()?.is_dir() {
        return Err(refused("it is a folder, not a file".to_owned()));
    }
    Ok((file, full))
}

/// How many lines the file has, if it is a plain one that can be read twice; read from its beginning.
///
/// # Errors
/// Where it cannot be read.
pub fn count_lines(file: &mut File) -> std::io::Result<Option<u64>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let (mut lines, mut last, mut chunk) = (0, b'\n', vec![0; PENDING_BYTES]);
    loop {
        let read = file.read(&mut chunk)?;
        let Some(&end) = chunk[..read].last() else { break };
        lines += chunk[..read].iter().filter(|&&b| b == b'\n').count() as u64;
        last = end;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Some(lines + u64::from(last != b'\n')))
}

/// A reader with a buffer that suits files.
#[must_use]
pub fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(PENDING_BYTES, file)
}

/// A file, or a stream, that a sink writes.
///
/// Written in whole units (rows, messages): a write that fails is undone, so that the file never ends in half a unit.
/// What a file held before is kept until the first of them is complete: a run that fails at its start destroys nothing.
#[derive(Default)]
pub struct OutFile {
    file: Option<File>,
    name: String,
    pending: Vec<u8>,
    whole_bytes: u64,
    written: Option<Instant>,
    front: Option<Front>,
    untouched: Option<Untouched>,
}

/// A file that was opened, and neither emptied nor written yet.
struct Untouched {
    /// Where it is, if it was not there before.
    made: Option<PathBuf>,
}

/// Makes the first bytes of a file anew from the length of all that it holds.
type Front = Box<dyn Fn(u64) -> Vec<u8> + Send>;

impl OutFile {
    /// Opens the file at `path`, as written in the settings; makes it and the folders above it where they are missing.
    /// What is in it is replaced with the first [`OutFile::wrote`] or [`OutFile::flush`], and not before.
    ///
    /// # Errors
    /// Where that is not possible.
    pub fn create(context: &Context, path: &Path) -> Result<Self> {
        let full = context.output_path(path)?;
        let (file, made) = open_to_write(&full).map_err(|e| anyhow!("cannot write {}: {e}", full.display()))?;
        let name = full.display().to_string();
        Ok(OutFile::over(file, name, Some(Untouched { made: made.then_some(full) })))
    }

    /// Writes to a stream that is open.
    #[must_use]
    pub fn stream(stream: OwnedFd, name: &str) -> Self {
        OutFile::over(stream.into(), name.to_owned(), None)
    }

    fn over(file: File, name: String, untouched: Option<Untouched>) -> Self {
        let file = Some(file);
        OutFile { file, name, pending: Vec::new(), whole_bytes: 0, written: None, front: None, untouched }
    }

    /// Where a whole unit is to be appended, before [`OutFile::wrote`] is called.
    pub fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Says that a unit is complete; writes what is pending if there is much of it, or if it has waited long.
    ///
    /// # Errors
    /// As [`OutFile::flush`].
    pub fn wrote(&mut self) -> Result<()> {
        if self.is_due() { self.flush() } else { Ok(()) }
    }

    /// Whether what is pending should be written now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.pending.len() >= PENDING_BYTES || self.written.is_none_or(|at| at.elapsed() >= PENDING_TIME)
    }

    /// Writes what is pending, even if it is nothing: then the file is at least emptied of what it held before.
    ///
    /// # Errors
    /// Where it cannot be written, such as on a full disk. What was written before stays as it was.
    pub fn flush(&mut self) -> Result<()> {
        self.written = Some(Instant::now());
        let Some(file) = &mut self.file else {
            anyhow::ensure!(self.pending.is_empty(), "the output is not open");
            return Ok(());
        };
        let whole_bytes = self.whole_bytes + self.pending.len() as u64;
        let emptied = self.untouched.take().map_or(Ok(()), |_| empty(file));
        let outcome = emptied.and_then(|()| file.write_all(&self.pending)).and_then(|()| match &self.front {
            Some(front) => file.write_all_at(&front(whole_bytes), 0),
            None => Ok(()),
        });
        self.pending.clear();
        match outcome {
            Ok(()) => self.whole_bytes = whole_bytes,
            Err(error) => return Err(self.give_up(&error)),
        }
        Ok(())
    }

    /// Begins the file with what `front` makes of its length; done anew after each write, always as many bytes, so that
    /// the file can be read at any time, whatever ends the run.
    pub fn begin_with(&mut self, front: impl Fn(u64) -> Vec<u8> + Send + 'static) {
        self.pending.splice(..0, front(0));
        self.front = Some(Box::new(front));
    }

    /// The length of all that the file holds and of what is pending, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.whole_bytes + self.pending.len() as u64
    }

    /// Cuts off half a unit, and writes nothing more.
    fn give_up(&mut self, error: &std::io::Error) -> anyhow::Error {
        if let Some(file) = self.file.take()
            && file.metadata().is_ok_and(|m| m.is_file())
        {
            // Best effort: the error that led here is the one to report.
            let _ = file.set_len(self.whole_bytes);
        }
        anyhow::Error::new(WriteFailed { name: self.name.clone(), kind: error.kind(), cause: error.to_string() })
    }
}

impl Drop for OutFile {
    /// A node that fails or panics elsewhere still leaves what it was given; one that was given nothing leaves all as
    /// it was.
    fn drop(&mut self) {
        match self.untouched.take_if(|_| self.pending.is_empty()) {
            None => {
                let _ = self.flush();
            }
            Some(Untouched { made: None }) => {}
            // Only while it is empty: somebody else may have written there since.
            Some(Untouched { made: Some(path) }) => {
                if path.metadata().is_ok_and(|m| m.is_file() && m.len() == 0) {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
    }
}

/// Opens a file as it is, and says whether it had to be made.
fn open_to_write(path: &Path) -> std::io::Result<(File, bool)> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => Ok((file, true)),
        // `create` still: a link may lead to a file that is not there.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok((OpenOptions::new().write(true).create(true).truncate(false).open(path)?, false))
        }
        Err(e) => Err(e),
    }
}

/// Empties a plain file; devices and pipes have nothing to lose.
fn empty(file: &File) -> std::io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

/// An output that takes no more.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {name}: {cause}")]
pub struct WriteFailed {
    name: String,
    /// What kind of error it was.
    pub kind: std::io::ErrorKind,
    cause: String,
}
