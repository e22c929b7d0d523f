//! What a process has open when it starts, which whoever started it may not have meant for the programs that it starts.

use rustix::stdio;
use std::os::fd::AsRawFd;

/// Keeps every descriptor but the standard streams from programs that this process starts. Those that are opened later
/// are kept from them as they are opened.
pub fn keep_descriptors_from_children() {
    let first = stdio::stderr().as_raw_fd() as u32 + 1;
    let flags = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
    // Where there is no such call, or it is refused, all stays as it was.
    // SAFETY: no descriptor is closed here, and what happens to them when another program takes over is nobody's concern.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
}
