//! Where the descriptions of packs come from: saved beside the pack, or asked of it.

use super::source::is_writable_by_all;
use crate::node::{DescriptionError, PackDescription, SettingError, SettingsToCheck, description_path};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Largest description, in bytes.
const MAX_DESCRIPTION_BYTES: u64 = 1 << 20;
/// How long a pack may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Gives the descriptions of packs.
pub trait Packs {
    /// What the pack at `executable` says of itself.
    ///
    /// # Errors
    /// [`PackFault`] where nothing can be learned of it.
    fn describe(&self, executable: &Path) -> Result<PackDescription, PackFault>;

    /// What the pack at `executable` says of settings that fit its schemas: for each, what is wrong with it, if anything
    /// is. Says nothing where the pack is not to be run.
    ///
    /// # Errors
    /// [`PackFault`] where it gives no answer.
    fn check(&self, executable: &Path, settings: &[SettingsToCheck]) -> Result<Vec<Option<SettingError>>, PackFault> {
        let _ = executable;
        Ok(vec![None; settings.len()])
    }
}

/// Reads `<pack>.ezrun.json` beside each pack; executes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Saved;

/// Runs `<pack> describe` and `<pack> check`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executing {
    /// Also one that every user of the machine may have changed.
    pub allow_writable: bool,
}

/// Why nothing can be learned of a pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackFault {
    /// No description is saved beside the pack.
    #[error("no description of the pack is saved at {}", expected.display())]
    NotSaved {
        /// Where it should be.
        expected: PathBuf,
    },
    /// There is no such program.
    #[error("there is no program at {}", .0.display())]
    Missing(PathBuf),
    /// The program may not be executed, or is none.
    #[error("{} cannot be executed: {cause}", path.display())]
    NotExecutable {
        /// The program.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// Every user of the machine may change the program.
    #[error("{} is not run: every user may write to it", .0.display())]
    Writable(PathBuf),
    /// No thread may be had to ask the program.
    #[error("cannot ask {}: {cause}", path.display())]
    NoThread {
        /// The program.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// The program failed.
    #[error("`{} {verb}` ended with {status}", path.display())]
    Failed {
        /// The program.
        path: PathBuf,
        /// What it was asked.
        verb: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The program did not come to an end.
    #[error("`{} {verb}` did not end within {} s", path.display(), ANSWER_TIMEOUT.as_secs())]
    TooSlow {
        /// The program.
        path: PathBuf,
        /// What it was asked.
        verb: &'static str,
    },
    /// The description is too long.
    #[error("the description of {} is longer than {MAX_DESCRIPTION_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
    /// The description cannot be read.
    #[error("cannot read the description of {}: {cause}", path.display())]
    Unreadable {
        /// The pack or its saved description.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// The program is no pack, or one for another version of ezrun.
    #[error("{} is not a pack that can be used here: {cause}", path.display())]
    NotAPack {
        /// The pack or its saved description.
        path: PathBuf,
        /// What is wrong with it.
        cause: DescriptionError,
    },
}

impl PackFault {
    /// The way out.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            PackFault::NotSaved { .. } => {
                "save one with `<pack> describe --save`, or let ezrun ask the pack with `--allow-exec`"
            }
            PackFault::Missing(_) => "build it, or correct the path; it is relative to this file",
            PackFault::NotExecutable { .. } => "a pack is an executable program: check the path and its permissions",
            PackFault::Writable(_) => "`chmod o-w` takes that right away; `--allow-writable` runs it all the same",
            PackFault::NotAPack { cause: DescriptionError::Version { .. }, .. } => {
                "build the pack with the version of the ezrun library that runs the graph"
            }
            _ => "a pack is a program whose main function calls into the ezrun library",
        }
    }
}

impl Packs for Saved {
    fn describe(&self, executable: &Path) -> Result<PackDescription, PackFault> {
        let path = description_path(executable);
        let file = match open_file(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(PackFault::NotSaved { expected: path }),
            Err(cause) => return Err(PackFault::Unreadable { path, cause }),
        };
        let text = read_bounded(file, &path)?;
        PackDescription::from_json(&text).map_err(|cause| PackFault::NotAPack { path, cause })
    }
}

impl Packs for Executing {
    fn describe(&self, executable: &Path) -> Result<PackDescription, PackFault> {
        let path = executable.to_owned();
        if !self.allow_writable && is_writable_by_all(executable) {
            return Err(PackFault::Writable(path));
        }
        let (text, status) = ask(executable, "describe", Vec::new())?;
        match (PackDescription::from_json(&text), status) {
            (Ok(description), _) => Ok(description),
            (Err(cause @ DescriptionError::Version { .. }), _) => Err(PackFault::NotAPack { path, cause }),
            (Err(_), Ok(status)) if !status.success() => Err(PackFault::Failed { path, verb: "describe", status }),
            (Err(cause), _) => Err(PackFault::NotAPack { path, cause }),
        }
    }

    fn check(&self, executable: &Path, settings: &[SettingsToCheck]) -> Result<Vec<Option<SettingError>>, PackFault> {
        let not_a_pack = |e: serde_json::Error| {
            let cause = DescriptionError::NotAPack(e.to_string());
            PackFault::NotAPack { path: executable.to_owned(), cause }
        };
        let question = serde_json::to_vec(settings).map_err(not_a_pack)?;
        let (answer, status) = ask(executable, "check", question)?;
        match (serde_json::from_slice::<Vec<Option<SettingError>>>(&answer), status) {
            (Ok(verdicts), _) if verdicts.len() == settings.len() => Ok(verdicts),
            (_, Ok(status)) if !status.success() => {
                Err(PackFault::Failed { path: executable.to_owned(), verb: "check", status })
            }
            (Ok(_), _) => Err(not_a_pack(serde::de::Error::custom("it did not answer for all settings"))),
            (Err(cause), _) => Err(not_a_pack(cause)),
        }
    }
}

/// What the program at `executable` prints when it is asked `verb` with `input` on its standard input, and how it ended.
fn ask(
    executable: &Path,
    verb: &'static str,
    input: Vec<u8>,
) -> Result<(Vec<u8>, std::io::Result<ExitStatus>), PackFault> {
    let path = executable.to_owned();
    let mut command = Command::new(executable);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) if e.kind() == ErrorKind::NotFound && !executable.exists() => return Err(PackFault::Missing(path)),
        Err(cause) => return Err(PackFault::NotExecutable { path, cause }),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read does not know the question: its answer tells. So it does where no thread may be had.
        let _ = std::thread::Builder::new().spawn(move || stdin.write_all(&input));
    }
    let answer = answer_of(&mut child, path, verb);
    // Whatever it said, it is not left behind.
    let _ = child.kill();
    let status = child.wait();
    Ok((answer?, status))
}

/// Its whole output, once it has closed it.
fn answer_of(child: &mut Child, path: PathBuf, verb: &'static str) -> Result<Vec<u8>, PackFault> {
    let Some(stdout) = child.stdout.take() else { return Err(PackFault::TooSlow { path, verb }) };
    let (done, result) = mpsc::channel();
    let owned = path.clone();
    // A read cannot be given a deadline; this thread ends when the child is killed.
    let reader = std::thread::Builder::new().spawn(move || done.send(read_bounded(stdout, &owned)));
    reader.map_err(|cause| PackFault::NoThread { path: path.clone(), cause })?;
    let text = result.recv_timeout(ANSWER_TIMEOUT).map_err(|_| PackFault::TooSlow { path, verb })??;
    // The output is closed but the process may still be ending: its status counts only once it has ended by itself.
    let deadline = std::time::Instant::now() + Duration::from_secs(1);
    while matches!(child.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(text)
}

/// A pipe is no file, and not waited for.
fn open_file(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no file")) }
}

fn read_bounded(from: impl Read, path: &Path) -> Result<Vec<u8>, PackFault> {
    let mut text = Vec::new();
    from.take(MAX_DESCRIPTION_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|cause| PackFault::Unreadable { path: path.to_owned(), cause })?;
    if text.len() as u64 > MAX_DESCRIPTION_BYTES {
        return Err(PackFault::TooLong(path.to_owned()));
    }
    Ok(text)
}
