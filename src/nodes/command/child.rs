//! A child process that cannot outlive us, and its streams.

use super::program::find_program;
use crate::node::Result;
use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
#[cfg(test)]
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How a program is started.
#[derive(Clone, Copy, Debug)]
pub enum Launch {
    /// By way of this executable, which has the kernel kill the program when the thread that started it ends.
    Guarded,
    /// As it is: for tests, where this executable is no ezrun.
    #[cfg(test)]
    Direct,
}

/// A child process; killed, with all of its group, when it is dropped.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    pid: Pid,
    pidfd: OwnedFd,
    reaped: bool,
}

/// The ends of a child's streams that are ours.
#[derive(Debug)]
pub struct Streams {
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
}

/// Starts `argv` in the folder `dir`.
///
/// # Errors
/// Where the program is not there or not executable.
pub fn spawn(launch: Launch, argv: &[String], env: &BTreeMap<String, String>, dir: &Path) -> Result<(Child, Streams)> {
    let (name, args) = argv.split_first().context("argv is empty: it begins with a program")?;
    let program = find(name, dir)?;
    let mut command = match launch {
        Launch::Guarded => {
            let mut command = Command::new("/proc/self/exe");
            command.args(["guard", "--parent", &std::process::id().to_string(), "--"]).arg(program);
            command
        }
        #[cfg(test)]
        Launch::Direct => {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        }
    };
    command.args(args).envs(env).current_dir(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().with_context(|| format!("cannot run {name}"))?;
    let streams = (process.stdin.take(), process.stdout.take(), process.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = streams else { bail!("{name} was started without its streams") };
    let pid = Pid::from_child(&process);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    Ok((Child { process, pid, pidfd, reaped: false }, Streams { stdin, stdout, stderr }))
}

/// As [`find_program`], in this process's PATH.
fn find(name: &str, dir: &Path) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let called = if name.contains('/') { dir.join(name) } else { name.into() };
    let folders = std::env::split_paths(&folders);
    find_program(name, dir, folders).map_err(|fault| anyhow!("cannot run {}: {fault}", called.display()))
}

impl Child {
    /// Readable once the process has exited.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Asks it, and all of its group, to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it, and what is left of its group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for its status; it is about to exit, or was killed.
    pub fn reap(&mut self) -> Result<ExitStatus> {
        let status = self.process.wait()?;
        self.reaped = true;
        Ok(status)
    }

    /// Best effort: a process that is gone needs no signal. Once it is reaped its number may be another's.
    fn signal(&self, signal: Signal) {
        if !self.reaped && kill_process_group(self.pid, signal).is_err() {
            // It has just been started, and leads no group yet.
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = self.reap();
        }
    }
}

/// Kills the one process of `pidfd`, if it is still there.
pub fn kill_one(pidfd: BorrowedFd<'_>) {
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
}

/// Whether `status` is that of a program which has done its work.
///
/// # Errors
/// Names the program and how it ended, where it is not.
pub fn success(name: &str, status: ExitStatus) -> Result<()> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => bail!("{name} ended with exit status {code}"),
        (None, Some(signal)) => {
            let known = signal_hook::low_level::signal_name(signal).map(|n| format!(" ({n})")).unwrap_or_default();
            bail!("{name} was killed by signal {signal}{known}")
        }
        (None, None) => bail!("{name} ended in an unknown way"),
    }
}

/// Copies a child's standard error to ours, line by line, on a thread of its own.
///
/// # Errors
/// Where no thread may be had.
pub fn pass_on(stderr: ChildStderr) -> Result<PassedOn> {
    let (done, all_said) = channel();
    let copy = move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            // Nobody to tell where our own standard error is gone.
            let _ = std::io::stderr().write_all(&line);
            line.clear();
        }
        let _ = done.send(());
    };
    std::thread::Builder::new().spawn(copy).context("cannot start a thread")?;
    Ok(PassedOn(all_said))
}

/// A child's standard error that is being passed on.
#[derive(Debug)]
pub struct PassedOn(Receiver<()>);

impl PassedOn {
    /// Waits until all was passed on, but no longer than `limit`: a daemon may hold the stream open for ever.
    pub fn wait(&self, limit: Duration) {
        let _ = self.0.recv_timeout(limit);
    }
}
