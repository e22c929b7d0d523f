//! What the kernel says when somebody tries what no peer of a segment may do. For `ezrun doctor`.
//!
//! Every attempt is made on a segment of its own, with what a consumer is given: a handle, and the view that it maps.

use super::Handle;
use super::memory::{ReadOnly, Writable};
use super::{ChannelError, SegmentKind, named};
use rustix::fs::{FallocateFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// Bytes of a segment that is only there to be attacked: two pages, so that one can be cut off.
const BYTES: usize = 8192;

/// Something that no peer may do, and how it went.
#[derive(Debug)]
pub struct Attempt {
    /// What was tried.
    pub what: &'static str,
    /// Whether a segment of this kind promises that it cannot be done.
    pub promised: bool,
    /// What the system said.
    pub outcome: Outcome,
}

/// How an attempt went.
#[derive(Debug)]
pub enum Outcome {
    /// Refused, with the system's word.
    Refused(String),
    /// It could be done.
    Done,
    /// It could not be tried, and why.
    Untried(String),
}

/// What a consumer has of a segment, and its producer, who is in the same process here.
struct Peer {
    writer: Writable,
    view: ReadOnly,
    file: OwnedFd,
}

type Try = fn(&Peer) -> Result<(), Refusal>;

/// Why an attempt came to nothing.
enum Refusal {
    Kernel(String),
    Untried(String),
}

/// What is tried, whether named segments promise that it is refused (sealed ones promise all of it), and how.
const ATTEMPTS: [(&str, bool, Try); 14] = [
    ("a store into a view", true, |peer| in_a_child(peer.view.range().0)),
    ("a store by a forked child of the producer", true, |peer| in_a_child(peer.writer.address())),
    ("a write to a view through /proc/self/mem", true, write_through_proc),
    ("a new writable mapping", false, |peer| map_writable(&peer.file)),
    ("mprotect of a view to writable", false, make_view_writable),
    ("a hole punched by way of a view (MADV_REMOVE)", false, remove_from_view),
    ("a write to the descriptor", false, |peer| write(&peer.file)),
    ("ftruncate to less", false, |peer| Ok(rustix::fs::ftruncate(&peer.file, BYTES as u64 / 2)?)),
    ("ftruncate to more", false, |peer| Ok(rustix::fs::ftruncate(&peer.file, BYTES as u64 * 2)?)),
    ("a hole punched by fallocate", false, punch_hole),
    ("the file reopened, then a write", false, |peer| write(&reopen(peer)?)),
    ("the file reopened, then a writable mapping", false, |peer| map_writable(&reopen(peer)?)),
    ("the file reopened, emptied", false, |peer| empty(peer)),
    ("another set of seals", false, |peer| Ok(rustix::fs::fcntl_add_seals(&peer.file, SealFlags::WRITE)?)),
];

/// Tries everything on segments of a kind.
///
/// # Errors
/// Where there can be no such segment.
pub fn attempts(kind: SegmentKind) -> Result<Vec<Attempt>, ChannelError> {
    let run = |(what, named, attempt): (&'static str, bool, Try)| {
        let outcome = match attempt(&Peer::new(kind)?) {
            Ok(()) => Outcome::Done,
            Err(Refusal::Kernel(word)) => Outcome::Refused(word),
            Err(Refusal::Untried(why)) => Outcome::Untried(why),
        };
        Ok(Attempt { what, promised: named || kind == SegmentKind::Sealed, outcome })
    };
    ATTEMPTS.into_iter().map(run).collect()
}

impl Peer {
    fn new(kind: SegmentKind) -> Result<Self, ChannelError> {
        let writer = Writable::create(kind, "ezrun-doctor", BYTES)?;
        writer.back(0, BYTES)?;
        let handle = writer.handle()?;
        let view = ReadOnly::map(&handle, BYTES);
        let file = match handle {
            Handle::Sealed(file) => Ok(file),
            Handle::Named(name) => {
                let file = named::open(&name);
                named::unlink(&name);
                file
            }
        };
        let file = file.map_err(|e| ChannelError::Memory { action: "open", bytes: BYTES as u64, cause: e.to_string() });
        Ok(Peer { writer, view: view?, file: file? })
    }
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        Refusal::Kernel(word(error))
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Refusal::Kernel(Errno::from_io_error(&error).map_or_else(|| error.to_string(), word))
    }
}

/// As in `EPERM`.
fn word(error: Errno) -> String {
    match error {
        Errno::PERM => "EPERM".to_owned(),
        Errno::ACCESS => "EACCES".to_owned(),
        Errno::FAULT => "EFAULT".to_owned(),
        Errno::IO => "EIO".to_owned(),
        Errno::INVAL => "EINVAL".to_owned(),
        other => other.to_string(),
    }
}

fn map_writable(file: &OwnedFd) -> Result<(), Refusal> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), BYTES, protection, MapFlags::SHARED, file, 0) }?;
    // SAFETY: it was mapped a line ago, and nothing refers to it.
    unsafe { rustix::mm::munmap(base, BYTES) }?;
    Ok(())
}

fn make_view_writable(peer: &Peer) -> Result<(), Refusal> {
    let flags = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the range is the view of this attempt alone, of which nobody holds a reference.
    Ok(unsafe { rustix::mm::mprotect(peer.view.range().0 as *mut _, BYTES, flags) }?)
}

fn remove_from_view(peer: &Peer) -> Result<(), Refusal> {
    // SAFETY: as above; where it is allowed, zeros are read from now on, which nobody does.
    Ok(unsafe { rustix::mm::madvise(peer.view.range().0 as *mut _, BYTES, Advice::LinuxRemove) }?)
}

fn write_through_proc(peer: &Peer) -> Result<(), Refusal> {
    let memory = File::options().write(true).open("/proc/self/mem");
    let memory = memory.map_err(|e| Refusal::Untried(format!("cannot open /proc/self/mem: {e}")))?;
    memory.write_at(b"x", peer.view.range().0 as u64)?;
    Ok(())
}

fn write(file: &OwnedFd) -> Result<(), Refusal> {
    rustix::io::pwrite(file, b"x", 0)?;
    Ok(())
}

fn punch_hole(peer: &Peer) -> Result<(), Refusal> {
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(&peer.file, punch, 0, BYTES as u64)?)
}

fn reopen(peer: &Peer) -> Result<OwnedFd, Refusal> {
    open_again(peer, OFlags::RDWR)
}

fn empty(peer: &Peer) -> Result<(), Refusal> {
    open_again(peer, OFlags::RDWR | OFlags::TRUNC).map(drop)
}

fn open_again(peer: &Peer, flags: OFlags) -> Result<OwnedFd, Refusal> {
    let path = format!("/proc/self/fd/{}", peer.file.as_fd().as_raw_fd());
    Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())?)
}

/// Has a forked child store a byte at `address`.
fn in_a_child(address: usize) -> Result<(), Refusal> {
    // SAFETY: the child calls nothing but what is allowed between fork and exec, and comes back to no Rust code.
    let child = unsafe { libc::fork() };
    match child {
        -1 => return Err(Refusal::Untried(format!("cannot fork: {}", std::io::Error::last_os_error()))),
        0 => store_and_leave(address),
        _ => {}
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the child is this function's own.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } == -1 {
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(Refusal::Untried(format!("cannot wait for a child: {error}")));
        }
    }
    match libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)) {
        None => Ok(()),
        Some(libc::SIGSEGV) => Err(Refusal::Kernel("SIGSEGV".to_owned())),
        Some(other) => Err(Refusal::Untried(format!("the child was ended by signal {other}"))),
    }
}

fn store_and_leave(address: usize) -> ! {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: these calls are allowed after a fork. The store is meant to fault; where it does not, it changes a byte of
    // a segment that is thrown away.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        (address as *mut u8).write_volatile(1);
        libc::_exit(0)
    }
}
