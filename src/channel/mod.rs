//! How a message crosses an edge. The only place with unsafe code.
//!
//! Every output port has one segment that only its producer writes ([`Sender`]), every backend one segment that only it
//! writes ([`Station`]); everybody else maps them read-only. So there is no word in shared memory with two writers:
//!
//! ```text
//! producer's segment                          consumer's segment
//!   per edge: published, sent, rejected,        per edge: taken, received, dropped, copies, views,
//!             closed, waiting, ring of entries            sleeping, borrow table, latencies
//!   slots: header, metadata, payload
//! ```
//!
//! Positions in an edge's ring count from 0 and never go back. The producer publishes position `p` by storing `p + 1`
//! in `published`; the consumer takes it by storing `p + 1` in `taken`. A message is in the queue between the two.
//! A consumer that keeps a view first writes the position into its borrow table and then advances `taken`; the
//! producer uses a slot again when every edge has taken it and no borrow table names it.
//!
//! A producer that overwrites the oldest entry of a full queue races with a consumer that is about to take it. The
//! consumer writes its borrow, full fence, then checks that the entry is still there; the producer withdraws the entry,
//! full fence, then looks into the borrow table. At least one of them sees the other.
//!
//! Metadata rides in its message's slot, in front of the payload, under a version that the ring's entry names: a consumer
//! decodes it when the version is new to it, and a producer writes it when the slot does not hold that version yet. So it
//! lives exactly as long as the message that it describes, and costs nothing while it stays the same. A version has one
//! encoded length, from which follows where the payload begins; everything else of a message stands in its entry.
//!
//! A segment can be replaced by a fresh one, its next *generation*, with the same layout: so a sealed segment gives memory
//! back that only one large message needed. The producer makes the edges' words in the fresh one, tells everybody of it,
//! and marks the old words as moved. Positions go on counting. A consumer reads the old one to its end, then goes on in the
//! fresh one; a view of the old one keeps that mapped. Until a consumer has taken a message from the fresh one its producer
//! raises `waiting` in both, and makes no further one.
//!
//! Consumers trust their producer for what a message says, as they must; they do not trust it for where it lies: slots
//! and lengths are checked against the layout.
//!
//! Sleeping works the same way: announce a numbered sleep, full fence, check again, wait; the other side stores, full
//! fence, reads the number, wakes, twice at most for each number. A sleeper waits on the very word whose change it is
//! waiting for (its low half), and always also on a word of its own process, so that a stop or the death of a peer ends
//! every wait. Before it sleeps it looks again for a while, as long as that has paid of late.
//!
//! Words that change with every message, words that the other side looks at with every message, and counters for the ledger
//! lie on cache lines of their own: a busy edge moves a line only where something is said with it.
#![allow(unsafe_code)]

mod latency;
mod layout;
mod sync;

#[cfg(target_os = "linux")]
mod ahead;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(all(target_os = "linux", not(ezrun_loom)))]
mod futex;
#[cfg(ezrun_loom)]
#[path = "model/futex.rs"]
mod futex;
#[cfg(target_os = "linux")]
mod incoming;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod local;
#[cfg(target_os = "linux")]
mod mapped;
#[cfg(all(target_os = "linux", not(any(ezrun_loom, ezrun_tsan, miri))))]
mod memory;
#[cfg(any(ezrun_loom, ezrun_tsan, miri))]
#[path = "heap.rs"]
mod memory;
#[cfg(ezrun_loom)]
mod model;
#[cfg(target_os = "linux")]
#[cfg_attr(
    any(ezrun_loom, ezrun_tsan, miri),
    allow(dead_code, reason = "segments on the heap have no names in the system")
)]
mod named;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod real_time;
#[cfg(target_os = "linux")]
mod receiver;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod sender;
#[cfg(target_os = "linux")]
mod sleep;
#[cfg(target_os = "linux")]
mod slots;
#[cfg(target_os = "linux")]
mod station;
#[cfg(test)]
#[cfg(all(target_os = "linux", not(ezrun_loom)))]
mod tests;
#[cfg(target_os = "linux")]
mod turns;
#[cfg(target_os = "linux")]
mod wait;
#[cfg(target_os = "linux")]
mod wait_list;
#[cfg(target_os = "linux")]
mod words;

pub use layout::{EdgeLayout, MAX_HOLDS, MAX_METADATA_BYTES, PortLayout, PortStart, StationLayout};

#[cfg(target_os = "linux")]
pub use self::{
    descriptors::keep_descriptors_from_children,
    fault::{ViewFault, current_node, install_fault_handler, set_current_node},
    ledger::{ConsumerCounts, Latency, ProducerCounts, Timings, consumer_counts, expected_messages, producer_counts},
    local::LocalQueue,
    mapped::{Inbox, Mapped, Origin},
    memory::{ReadOnly, Writable},
    named::{adopt, is_gone, sweep, unlink},
    probe::{Attempt, Outcome, attempts},
    receiver::{Poll, Receiver, Wiring},
    ring::Consumer,
    sender::{Announce, LocalSender, Sender},
    sleep::Sleeps,
    station::Station,
    sync::AtomicBool,
    wait::{Awaited, Interrupt, Level, Waiter, processors},
    wait_list::WaitList,
};

use crate::graph::Overflow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can go wrong on an edge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The message is larger than an edge allows.
    #[error(
        "a message of {bytes} bytes is over the limit of {limit} bytes of the edge {edge}; raise its `max_message`"
    )]
    TooLarge {
        /// The edge.
        edge: String,
        /// Length of the payload.
        bytes: u64,
        /// Its `max_message`.
        limit: u64,
    },
    /// The metadata is larger than a slot has room for.
    #[error("metadata of {bytes} bytes is over the limit of {MAX_METADATA_BYTES} bytes")]
    MetadataTooLarge {
        /// Encoded length.
        bytes: usize,
    },
    /// The queue of an edge with `overflow: fail` is full.
    #[error("the queue of the edge {edge} is full ({queue} messages), and the edge says `overflow: fail`")]
    Full {
        /// The edge.
        edge: String,
        /// Its depth.
        queue: u32,
    },
    /// More views are held than the input declares.
    #[error("{holds} messages of the edge {edge} are held already, as many as the input declares with `holds`")]
    TooManyViews {
        /// The edge.
        edge: String,
        /// What the input declares.
        holds: u32,
    },
    /// Another process wrote what cannot be.
    #[error("the edge {edge} is broken: {what}")]
    Corrupt {
        /// The edge.
        edge: String,
        /// What was found.
        what: String,
    },
    /// Memory for a segment, or for a part of it, cannot be had.
    #[error("cannot {action} {bytes} bytes of shared memory: {cause}")]
    Memory {
        /// What was tried.
        action: &'static str,
        /// How much was asked for.
        bytes: u64,
        /// The system's word.
        cause: String,
    },
    /// The run was cut short while waiting.
    #[error("the run is being stopped")]
    Interrupted,
    /// A wait failed.
    #[error("cannot wait: {0}")]
    Wait(#[source] std::io::Error),
    /// The message itself is at fault.
    #[error(transparent)]
    Message(#[from] crate::message::MessageError),
}

/// Adds to a counter that only this thread writes: cheaper than an atomic addition.
#[cfg(target_os = "linux")]
fn add(counter: &std::sync::atomic::AtomicU64, n: u64) {
    use std::sync::atomic::Ordering::Relaxed;
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

/// What a producer needs to know of one of its edges.
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub struct EdgeTerms {
    /// `from -> to`, for messages to people.
    pub name: String,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// Depth of the queue.
    pub queue: u32,
    /// Largest payload in bytes.
    pub max_message: u64,
    /// How many messages the consumer may hold.
    pub holds: u32,
}

/// What another process needs to map a segment.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub enum Handle {
    /// The descriptor of a memfd.
    Sealed(std::os::fd::OwnedFd),
    /// A name under /dev/shm.
    Named(String),
}

/// What a segment is made of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// A sealed memfd: read-only for all others is enforced by the kernel.
    #[default]
    Sealed,
    /// A file under /dev/shm: read-only for all others by how they map it.
    Named,
}
