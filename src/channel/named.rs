//! Names of named segments: unguessable, and telling whose they are, so that what a killed run left can be swept.

use super::Handle;
use rustix::fs::Mode;
use rustix::rand::{GetRandomFlags, getrandom};
use shared_memory::ShmemError;
use std::io;
use std::os::fd::OwnedFd;

const PREFIX: &str = "ezrun-";
const FOLDER: &str = "/dev/shm";

/// A name that nobody can guess: `ezrun-PID-START-RANDOM`.
pub fn fresh_name() -> io::Result<String> {
    let mut random = [0u8; 16];
    getrandom(&mut random, GetRandomFlags::empty())?;
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or_default();
    Ok(format!("{PREFIX}{pid}-{start}-{:032x}", u128::from_le_bytes(random)))
}

/// The file behind a named segment, to give it memory through.
pub fn open(name: &str) -> io::Result<OwnedFd> {
    Ok(rustix::shm::open(name, rustix::shm::OFlags::RDWR, Mode::empty())?)
}

/// Gives a segment a name that tells of this process in the place of the one that made it: so that nobody sweeps it when
/// only that one is dead.
///
/// # Errors
/// Where it cannot be renamed.
pub fn adopt(name: &str) -> io::Result<String> {
    if !name.starts_with(PREFIX) || name.contains('/') {
        return Err(io::Error::other(format!("`{name}` is no name of a segment")));
    }
    let own = fresh_name()?;
    std::fs::rename(format!("{FOLDER}/{name}"), format!("{FOLDER}/{own}"))?;
    Ok(own)
}

/// Takes the name away. The segment lives on for those who have mapped it, and nothing is left behind by whoever dies.
pub fn unlink(name: &str) {
    // Gone already is as good as gone now.
    let _ = rustix::shm::unlink(name);
}

/// Whether a segment's name was taken away: another segment has its place.
#[must_use]
pub fn is_gone(handle: &Handle) -> bool {
    match handle {
        Handle::Named(name) => !std::path::Path::new(FOLDER).join(name).exists(),
        Handle::Sealed(_) => false,
    }
}

/// Removes named segments whose owner is dead, and returns how many there were.
///
/// # Errors
/// Where the folder cannot be listed; none at all is not an error.
pub fn sweep() -> io::Result<usize> {
    let entries = match std::fs::read_dir(FOLDER) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut swept = 0;
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| owner_is_dead(name)) else { continue };
        unlink(name);
        swept += 1;
    }
    Ok(swept)
}

/// What went wrong, in words that name the system's own.
pub fn explain(error: &ShmemError) -> String {
    match error {
        ShmemError::MapCreateFailed(code) | ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
            format!("{} (is {FOLDER} there, and large enough?)", io::Error::from_raw_os_error(*code as i32))
        }
        other => other.to_string(),
    }
}

fn owner_is_dead(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let mut parts = rest.split('-');
    let (Some(Ok(pid)), Some(start), Some(_), None) =
        (parts.next().map(str::parse::<u32>), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    start_time(pid).is_none_or(|now| now != start)
}

/// When the process started, in clock ticks since boot: field 22 of /proc/PID/stat, counted after the name, which may
/// hold blanks and brackets. Tells a process from a later one with the same number.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

// Miri is for what makes no system call.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_dead_owners_are_swept() {
        let own = fresh_name().unwrap();
        assert!(!owner_is_dead(&own), "this process is alive");
        let other_start = own.replacen(&format!("-{}-", start_time(std::process::id()).unwrap()), "-1-", 1);
        assert!(owner_is_dead(&other_start), "same number, another process");
        assert!(!owner_is_dead("ezrun-settings"), "not one of ours");
        assert!(!owner_is_dead("other-1-1-aa"));
    }
}
