//! What one message costs at each end of an edge, by itself: both ends in one thread, so that no other core is waited for.
//!
//! `cargo bench --bench channel` prints nanoseconds. What a step needs in instructions is counted by callgrind, as in
//! `valgrind --tool=callgrind --toggle-collect='channel::publish' BINARY --bench 1000`, where BINARY is the file that
//! cargo names; the total by the number of messages is the budget of the step.

use anyhow::{Context, Result, anyhow};
use ezrun::channel::{
    Consumer, EdgeLayout, EdgeTerms, Inbox, Interrupt, Mapped, Poll, PortLayout, ReadOnly, Receiver, SegmentKind,
    Sender, Station, StationLayout, Waiter, Wiring,
};
use ezrun::graph::{Overflow, Wait};
use ezrun::message::{Capture, Metadata, Owned, View};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const QUEUE: u32 = 8;
const DEFAULT_MESSAGES: u64 = 1_000_000;
const SIZES: [usize; 3] = [64, 4096, 65_536];
/// Messages before the clock runs: memory is there then, and warm.
const WARM_UP: u64 = 1000;

/// Both ends of one edge.
struct Edge {
    sender: Sender,
    receiver: Receiver,
    metadata: Arc<Metadata>,
}

/// Time spent in each step.
#[derive(Default)]
struct Spent {
    publish: Duration,
    receive: Duration,
    release: Duration,
}

fn main() -> Result<()> {
    let given = std::env::args().skip(1).find(|arg| arg != "--bench");
    let messages = match given {
        Some(given) => given.parse().with_context(|| format!("`{given}` is no number of messages"))?,
        None => DEFAULT_MESSAGES,
    };
    println!("{:>8}  {:<14}  {:>8}  {:>8}  {:>8}", "bytes", "receives", "publish", "receive", "release");
    for bytes in SIZES {
        // Enough for a mean, and over in seconds.
        let messages = messages.min((DEFAULT_MESSAGES * 512 / bytes as u64).max(WARM_UP));
        for (name, take) in [("recv", copy as Take), ("recv_zero_copy", view as Take)] {
            let mut edge = Edge::new(bytes, u32::from(name == "recv_zero_copy"))?;
            edge.pass(WARM_UP.min(messages), bytes, take)?;
            let Spent { publish, receive, release } = edge.pass(messages, bytes, take)?;
            let each = |spent: Duration| format!("{:.1} ns", spent.as_secs_f64() * 1e9 / messages as f64);
            println!("{bytes:>8}  {name:<14}  {:>8}  {:>8}  {:>8}", each(publish), each(receive), each(release));
        }
    }
    Ok(())
}

/// Receives and releases one message, and says when it had received it.
type Take = fn(&Receiver) -> Result<Instant>;

impl Edge {
    fn new(bytes: usize, holds: u32) -> Result<Self> {
        let max_message = bytes as u64;
        let layout = PortLayout {
            edges: vec![EdgeLayout { queue: QUEUE, holds }],
            slot_payload_bytes: max_message,
            prefault: false,
        };
        let terms = EdgeTerms { name: "a -> b".into(), overflow: Overflow::Block, queue: QUEUE, max_message, holds };
        let words = StationLayout { edges: 1 };
        let waiter = Waiter::new(Arc::new(Interrupt::new()?), Wait::Adaptive);
        let mut sender = Sender::create(SegmentKind::Sealed, "a", layout.clone(), waiter)?;
        let station = Station::create(SegmentKind::Sealed, "b", words)?;
        let seen = Arc::new(ReadOnly::map(&station.handle()?, words.bytes())?);
        let dead: Arc<AtomicBool> = Arc::default();
        sender.attach(terms.clone(), Consumer::new(seen, words.in_words(0), Arc::clone(&dead)));
        let port = Arc::new(ReadOnly::map(&sender.handle()?, layout.bytes())?);
        let wiring = Wiring { terms, edge: 0, layout, port_edge: 0, station_edge: 0, queue: None, dead };
        let receiver = station.receiver(wiring, Mapped::new(port, Arc::new(Inbox::default())));
        Ok(Edge { sender, receiver, metadata: Arc::new(Metadata::bytes()) })
    }

    fn pass(&mut self, messages: u64, bytes: usize, take: Take) -> Result<Spent> {
        let mut spent = Spent::default();
        for number in 0..messages {
            let began = Instant::now();
            publish(&mut self.sender, &self.metadata, bytes, number)?;
            let published = Instant::now();
            let received = take(&self.receiver)?;
            let released = Instant::now();
            spent.publish += published - began;
            spent.receive += received - published;
            spent.release += released - received;
        }
        Ok(spent)
    }
}

/// All of publishing but what the node writes: it writes eight bytes.
#[inline(never)]
fn publish(sender: &mut Sender, metadata: &Arc<Metadata>, bytes: usize, number: u64) -> Result<()> {
    sender.reserve(metadata, bytes)?;
    sender.payload_mut()[..8].copy_from_slice(&number.to_le_bytes());
    Ok(sender.commit(Some(Capture { ns: 0, clock: ezrun::message::Clock::Stream }), 0)?)
}

fn copy(receiver: &Receiver) -> Result<Instant> {
    let message = recv(receiver)?;
    let received = Instant::now();
    release_copy(message, receiver);
    Ok(received)
}

fn view(receiver: &Receiver) -> Result<Instant> {
    let message = recv_zero_copy(receiver)?;
    let received = Instant::now();
    release_view(message, receiver);
    Ok(received)
}

#[inline(never)]
fn recv(receiver: &Receiver) -> Result<Owned> {
    ready(receiver)?;
    receiver.recv()?.ok_or_else(|| anyhow!("nothing overwrites a message here"))
}

#[inline(never)]
fn recv_zero_copy(receiver: &Receiver) -> Result<View<'_>> {
    ready(receiver)?;
    receiver.recv_zero_copy()?.ok_or_else(|| anyhow!("nothing overwrites a message here"))
}

fn ready(receiver: &Receiver) -> Result<()> {
    if receiver.poll() == Poll::Ready { Ok(()) } else { Err(anyhow!("a message was published and is not there")) }
}

#[inline(never)]
fn release_copy(message: Owned, receiver: &Receiver) {
    drop(black_box(message));
    receiver.done();
}

#[inline(never)]
fn release_view(message: View<'_>, receiver: &Receiver) {
    drop(black_box(message));
    receiver.done();
}
