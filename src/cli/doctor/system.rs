//! What this system has of what runs need.

use super::report::{Area, Check, Verdict};
use crate::channel::{SegmentKind, Writable, processors};
use crate::cli::bench::bytes_exactly;
use crate::cli::memory;
use crate::graph::LimitOf;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::thread::futex;

/// The first Linux with futex_waitv.
const NEEDED_KERNEL: (u32, u32) = (5, 16);

const SHARED_MEMORY_FOLDER: &str = "/dev/shm";

/// The checks, for runs with segments of a kind.
pub fn checks(segments: SegmentKind) -> Vec<Check> {
    let mut checks = vec![kernel(), waits(), sealing(segments), shared_memory_folder(segments), memory_limit()];
    checks.extend(LIMITS.iter().map(|&(what, resource)| limit(what, resource)));
    checks.push(told("processors for this process", processors().to_string()));
    checks
}

/// Those that a run may come up against.
const LIMITS: [(&str, Resource); 4] = [
    ("descriptors for each process (ulimit -n)", Resource::Nofile),
    ("processes and threads for this user (ulimit -u)", Resource::Nproc),
    ("address space for each process (ulimit -v)", Resource::As),
    ("locked memory (ulimit -l); runs lock none", Resource::Memlock),
];

fn told(what: &str, found: String) -> Check {
    Check::new(Area::System, what, found, Verdict::Told)
}

fn kernel() -> Check {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = NEEDED_KERNEL;
    Check::new(Area::System, "Linux", release, Verdict::holds_if(version >= NEEDED_KERNEL))
        .needing(format!("{major}.{minor}"))
}

/// A wait for a word that has another value already comes back at once.
fn waits() -> Check {
    let word = std::sync::atomic::AtomicU32::new(1);
    let mut wait = futex::Wait::new();
    wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
    wait.flags = futex::WaitFlags::SIZE_U32 | futex::WaitFlags::PRIVATE;
    let (found, holds) = match futex::waitv(&[wait], futex::WaitvFlags::empty(), None, futex::ClockId::Monotonic) {
        Ok(_) | Err(Errno::AGAIN) => ("there".to_owned(), true),
        Err(e) => (e.to_string(), false),
    };
    Check::new(Area::System, "futex_waitv", found, Verdict::holds_if(holds))
}

fn sealing(segments: SegmentKind) -> Check {
    let (found, verdict) = match Writable::create(SegmentKind::Sealed, "ezrun-doctor", 4096) {
        Ok(_) => ("there".to_owned(), Verdict::Holds),
        Err(e) => (e.to_string(), Verdict::Fails),
    };
    let verdict = verdict.if_needed(segments == SegmentKind::Sealed);
    Check::new(Area::System, "memfd_create and sealing", found, verdict)
}

fn shared_memory_folder(segments: SegmentKind) -> Check {
    let verdict = |holds: bool| Verdict::holds_if(holds).if_needed(segments == SegmentKind::Named);
    let what = format!("{SHARED_MEMORY_FOLDER}, for named segments");
    match shared_memory_room() {
        Ok((size, free)) => {
            let found = format!("{} of {} free", bytes(free), bytes(size));
            Check::new(Area::System, what, found, verdict(free > 0))
        }
        Err(e) => Check::new(Area::System, what, e.to_string(), verdict(false)),
    }
}

/// Size of the folder of named segments, and what is free of it, in bytes.
pub fn shared_memory_room() -> rustix::io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(SHARED_MEMORY_FOLDER)?;
    Ok((stat.f_blocks.saturating_mul(stat.f_frsize), stat.f_bavail.saturating_mul(stat.f_frsize)))
}

fn memory_limit() -> Check {
    let limit = memory::limit(None);
    let whose = match limit.of {
        LimitOf::ControlGroup => "memory that the control group allows",
        LimitOf::Machine | LimitOf::Budget => "memory of the machine",
    };
    told(whose, bytes(limit.bytes))
}

fn limit(what: &str, resource: Resource) -> Check {
    let limit = getrlimit(resource);
    let in_bytes = matches!(resource, Resource::As | Resource::Memlock);
    let word = |number: u64| if in_bytes { bytes(number) } else { number.to_string() };
    let found = match (limit.current, limit.maximum) {
        (None, _) => "no limit".to_owned(),
        (Some(soft), Some(hard)) if soft != hard => format!("{}, can be raised to {}", word(soft), word(hard)),
        (Some(soft), Some(_)) => word(soft),
        (Some(soft), None) => format!("{}, can be raised", word(soft)),
    };
    told(what, found)
}

/// Bytes for people: in whole units where they are some, else roughly.
pub fn bytes(bytes: u64) -> String {
    let exactly = bytes_exactly(bytes);
    if exactly.len() <= 9 { exactly } else { indicatif::BinaryBytes(bytes).to_string() }
}
