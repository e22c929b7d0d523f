//! Processes that must not outlive their parent.

use rustix::process::{Pid, Signal, getppid, kill_current_process_group, set_parent_process_death_signal};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

/// Has the kernel kill this process when the thread that started it ends; false where that has happened already.
pub fn die_with(parent: &str) -> bool {
    signalled_with(parent, Signal::KILL)
}

fn signalled_with(parent: &str, signal: Signal) -> bool {
    let parent = parent.parse().ok().and_then(Pid::from_raw);
    parent.is_some() && set_parent_process_death_signal(Some(signal)).is_ok() && getppid() == parent
}

/// `guard --parent PID -- PROGRAM ARGS…`: runs the program, and kills it and everything that it has started when the
/// thread that started the guard ends. Both are in a session of their own, so that a Ctrl-C at the terminal reaches the
/// runner alone. Ends as the program does.
pub fn guard(parent: &str, command: &[OsString]) -> ExitCode {
    let Some((program, args)) = command.split_first() else { return ExitCode::from(2) };
    // A process that leads a group already cannot start a session; then it is apart from the terminal as it is.
    let _ = rustix::process::setsid();
    // SIGUSR1 is what the parent's end sends; the others are for the program alone.
    let Ok(mut signals) = Signals::new([SIGUSR1, SIGTERM, SIGINT]) else { return ExitCode::FAILURE };
    let listener = std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            if signal == SIGUSR1 {
                // This process too: nothing is left to be done.
                let _ = kill_current_process_group(Signal::KILL);
            }
        }
    });
    if let Err(e) = listener {
        eprintln!("cannot guard {}: {e}", program.to_string_lossy());
        return ExitCode::FAILURE;
    }
    if !signalled_with(parent, Signal::USR1) {
        return ExitCode::FAILURE;
    }
    let mut child = match Command::new(program).args(args).spawn() {
        Ok(child) => child,
        Err(e) => {
            eprintln!("cannot run {}: {e}", program.to_string_lossy());
            return ExitCode::from(127);
        }
    };
    // Whoever is at the other end has to see it when the program closes one of its streams.
    if let Err(e) = let_go_of_streams() {
        eprintln!("cannot guard {}: {e}", program.to_string_lossy());
        let _ = kill_current_process_group(Signal::KILL);
    }
    child.wait().map_or(ExitCode::FAILURE, end_as)
}

fn let_go_of_streams() -> std::io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

fn end_as(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // Ends this process where the signal does; those that do not are no way for a program to end.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    ExitCode::from(status.code().map_or(1, |code| code as u8))
}
