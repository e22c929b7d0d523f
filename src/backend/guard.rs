//! Processes that must not outlive their parent.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Has the kernel kill this process when the thread that started it ends; false where that has happened already.
pub fn die_with(parent: &str) -> bool {
    let parent = parent.parse().ok().and_then(Pid::from_raw);
    parent.is_some() && set_parent_process_death_signal(Some(Signal::KILL)).is_ok() && getppid() == parent
}

/// `guard --parent PID -- PROGRAM ARGS…`: becomes the program, in a session of its own, so that a Ctrl-C at the terminal
/// reaches the runner alone. The kernel kills it with the thread that started it.
pub fn guard(parent: &str, command: &[OsString]) -> ExitCode {
    let Some((program, args)) = command.split_first() else { return ExitCode::from(2) };
    // A process that leads a group already cannot start a session; then it is apart from the terminal as it is.
    let _ = rustix::process::setsid();
    if !die_with(parent) {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(args).exec();
    eprintln!("cannot run {}: {error}", program.to_string_lossy());
    ExitCode::from(127)
}
