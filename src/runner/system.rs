//! What a run asks of the system: signals, and room for its descriptors.

use super::event::{Event, Interruption};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// An event queue with a second handle, what wakes it, and a pair of sockets for signals; a few to spare.
const DESCRIPTORS_OF_RUNTIME: usize = 8;

/// Hands on what the user has to say by signals.
pub fn forward_signals(events: &mpsc::Sender<Event>) -> std::io::Result<()> {
    // The end of a terminal is no reason to lose what is in the queues.
    let kinds = [
        (SignalKind::interrupt(), Interruption::Int),
        (SignalKind::terminate(), Interruption::Term),
        (SignalKind::hangup(), Interruption::Term),
    ];
    for (kind, interruption) in kinds {
        let mut stream = signal(kind)?;
        let events = events.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if events.send(Event::Interrupt(interruption)).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}

/// Whether there is room for what the runtime opens: it panics where a part of it cannot be had.
pub fn check_descriptors() -> std::io::Result<()> {
    let open = |_| rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC);
    let spare: Result<Vec<_>, _> = (0..DESCRIPTORS_OF_RUNTIME).map(open).collect();
    Ok(spare.map(drop)?)
}

/// A run needs a few descriptors for each backend, and the limit is often lower than what it may be raised to.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused the limit stays, and a start that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
