//! `--memory-budget`: what the queues of a graph may need, checked before anything runs.

use crate::graph::{LimitOf, MemoryLimit, parse_bytes};
use crate::plan::{port_bytes, port_payload_bytes};

/// What a graph is held against, given the budget that the user wants kept.
pub fn limit(budget: Option<u64>) -> MemoryLimit {
    match budget {
        Some(bytes) => MemoryLimit { bytes, of: LimitOf::Budget, port_bytes },
        None => MemoryLimit { bytes: machine_bytes(), of: LimitOf::Machine, port_bytes: port_payload_bytes },
    }
}

/// Reads the flag.
///
/// # Errors
/// What would be a size, where `text` is none.
pub fn size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "expected bytes as a number, or with a unit, such as `512 MiB`".to_owned())
}

#[cfg(target_os = "linux")]
fn machine_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}

/// Where nothing runs, nothing is short.
#[cfg(not(target_os = "linux"))]
fn machine_bytes() -> u64 {
    u64::MAX
}
