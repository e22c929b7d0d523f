//! What to do where the system has too little of something. Causes cross processes as text, so it is text that is read.

/// Words of a cause that tell what there is too little of, and the way out.
const WAYS_OUT: [(&[&str], &str); 7] = [
    (&["(os error 24)"], MORE_FILES),
    (&["its descriptors are missing"], MORE_FILES),
    (
        &["(os error 11)"],
        "no more processes or threads may be had: `ulimit -u`, or a control group's `pids.max`, sets how many",
    ),
    (
        &["shared memory", "(os error 28)"],
        "/dev/shm is full: sealed segments do not lie there, and a smaller `queue` or `max_message` needs less",
    ),
    (
        &["shared memory", "/dev/shm"],
        "named segments lie in /dev/shm, which must be there and large enough; sealed ones, the default, do not",
    ),
    (
        &["shared memory", "(os error 12)"],
        "no more address space or memory may be had: a smaller `queue` or `max_message` reserves less; `ulimit -v` limits it",
    ),
    (&["(SIGXFSZ)"], "no larger file may be written: `ulimit -f` sets how large, also for shared memory"),
];

const MORE_FILES: &str =
    "no more files may be open in one process: `ulimit -n` raises that, where it may; fewer backends need fewer";

/// The way out of the first of `causes` that has one.
pub fn way_out(causes: &[&str]) -> Option<&'static str> {
    causes.iter().find_map(|cause| {
        let fitting = WAYS_OUT.iter().find(|(words, _)| words.iter().all(|word| cause.contains(word)));
        fitting.map(|(_, way)| *way)
    })
}
