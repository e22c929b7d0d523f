//! `--memory-budget`: what the queues of a graph may need, checked before anything runs.

#[cfg(target_os = "linux")]
mod control_group;

use crate::graph::{LimitOf, MemoryLimit, parse_bytes};
use crate::plan::{port_bytes, port_payload_bytes};

/// What a graph is held against, given the budget that the user wants kept.
pub fn limit(budget: Option<u64>) -> MemoryLimit {
    if let Some(bytes) = budget {
        return MemoryLimit { bytes, of: LimitOf::Budget, port_bytes };
    }
    let machine = machine_bytes();
    match group_bytes().filter(|&bytes| bytes < machine) {
        Some(bytes) => MemoryLimit { bytes, of: LimitOf::ControlGroup, port_bytes: port_payload_bytes },
        None => MemoryLimit { bytes: machine, of: LimitOf::Machine, port_bytes: port_payload_bytes },
    }
}

/// Reads the flag.
///
/// # Errors
/// What would be a size, where `text` is none.
pub fn size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "expected bytes, above 0, as a number, or with a unit, such as `512 MiB`".to_owned())
}

#[cfg(target_os = "linux")]
fn machine_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}

#[cfg(target_os = "linux")]
fn group_bytes() -> Option<u64> {
    let memberships = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    control_group::limit(std::path::Path::new("/sys/fs/cgroup"), &memberships)
}

/// Where nothing runs, nothing is short.
#[cfg(not(target_os = "linux"))]
fn machine_bytes() -> u64 {
    u64::MAX
}

#[cfg(not(target_os = "linux"))]
fn group_bytes() -> Option<u64> {
    None
}
