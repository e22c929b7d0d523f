//! What the queues of a graph are held against where no budget is given.

use crate::support::Folder;
use std::process::Command;

/// Its queue may need 64 messages and more.
const LARGE: &str = "ezrun: 1\nnodes:\n  lines: { use: stdin_source, with: { lines: true } }\n\
                     \x20 log: { use: file_sink, with: { path: out/log.txt } }\n\
                     edges: [{ from: lines, to: log, zero_copy: true, queue: 64, max_message: 16 MiB }]\n";

/// What `ezrun validate` says where the control groups of the system are those in the folder `groups`; nothing where this
/// system lets nobody show a process other files than there are.
fn with_groups(folder: &Folder, groups: &str) -> Option<String> {
    let script =
        format!("mount --bind {groups} /sys/fs/cgroup && exec '{}' validate x.yaml", env!("CARGO_BIN_EXE_ezrun"));
    let mut command = Command::new("unshare");
    let output = command.args(["-rm", "sh", "-c", &script]).current_dir(folder.path("")).output().ok()?;
    let said = String::from_utf8(output.stdout).unwrap();
    (!said.is_empty()).then_some(said)
}

#[test]
fn a_container_has_as_much_memory_as_its_control_group() {
    let folder = Folder::with(&[
        ("x.yaml", LARGE),
        ("small/memory.max", "536870912\n"),
        ("older/memory/memory.limit_in_bytes", "268435456\n"),
        ("free/memory.max", "max\n"),
    ]);
    let Some(small) = with_groups(&folder, "small") else { return };
    assert!(small.contains("warning[resources/memory-budget]"), "{small}");
    assert!(small.contains("the control group that this runs in, as in a container, has 512 MiB"), "{small}");
    let older = with_groups(&folder, "older").unwrap();
    assert!(older.contains("has 256 MiB"), "{older}");
    assert!(!with_groups(&folder, "free").unwrap().contains("control group"));
}

#[test]
fn queues_that_together_are_more_than_can_be_counted_are_more_than_any_budget() {
    let nodes: String = (0..256).map(|i| format!("  n{i}: {{ use: 'null' }}\n")).collect();
    let edges: String = (0..256)
        .map(|i| format!("  - {{ from: s, to: n{i}, zero_copy: true, queue: 65536, max_message: 1 TiB }}\n"))
        .collect();
    let text = format!("ezrun: 1\nnodes:\n  s: {{ use: counter }}\n{nodes}edges:\n{edges}");
    let folder = Folder::with(&[("x.yaml", &text)]);
    let outcome = folder.validate(&["x.yaml", "--memory-budget", "1048576 TiB"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("may need more than 1 EiB of memory"), "{}", outcome.stdout);
}
